"""Two Ordini alike, everybody who may try something in the first, and what every address is about in each of them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple

from django.apps import apps
from django.contrib import admin
from django.db import connection
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone
from django_scopes import scopes_disabled

from audit.models import LogEntry
from members.models import ImportRun, Member, Ordine, StaffRole, Tally, User
from pec_requests import batches, health
from pec_requests.models import Difference, PecDomain, PecRequest, ProviderOperation, RequestBatch
from tests.factories import MemberFactory, UserFactory, staff
from tests.pec_requests.conftest import STAFF

Role = StaffRole.Role


class Answers(NamedTuple):
    """What each role is answered about something of the first Ordine."""

    visitor: int
    owner: int  # the member it is about
    member: int  # another member of the Ordine
    stranger: int  # a member of the other
    revisore: int
    operatore: int
    responsabile: int
    elsewhere: int  # responsabile of the other Ordine
    both: int  # revisore here, responsabile there
    federation: int


ROLES = Answers._fields
# Of the same thing in the other Ordine, who stands there as whom here. Nobody among us is its owner.
THERE = {
    **{role: role for role in ("visitor", "federation")},
    **dict.fromkeys(("owner", "member"), "stranger"),
    **dict.fromkeys(("revisore", "operatore", "responsabile"), "elsewhere"),
    "stranger": "member",
    "elsewhere": "responsabile",
    "both": "responsabile",
}


@dataclass
class Place:
    """An Ordine with one of everything."""

    ordine: Ordine
    owner: Member
    pec: PecRequest
    rows: dict[type, Any]


class World:
    def __init__(self) -> None:
        with scopes_disabled():
            health.current()  # its row, which other tests may have emptied
            self.here, self.there = self._place(), self._place()
            here, there = self.here.ordine, self.there.ordine
            both = staff(here, Role.REVISORE)
            staff(there, Role.RESPONSABILE, both)
            self.users: dict[str, User | None] = {
                "visitor": None,
                "owner": self.here.owner.user,
                "member": MemberFactory(ordine=here).user,
                "stranger": MemberFactory(ordine=there).user,
                "revisore": staff(here, Role.REVISORE),
                "operatore": staff(here, Role.OPERATORE),
                "responsabile": staff(here, Role.RESPONSABILE),
                "elsewhere": staff(there, Role.RESPONSABILE),
                "both": both,
                "federation": UserFactory(is_superuser=True),
            }

    def _place(self) -> Place:
        owner = MemberFactory()
        ordine = owner.ordine
        key = uuid.uuid4()
        order = batches.order(
            {ordine.pk: [owner.pk]}, PecDomain.objects.get(name="tsrm.org"), STAFF, asked="x", key=key
        )
        batches.carry_out(order[0].pk)
        pec = PecRequest.objects.get(member=owner)
        difference = Difference.objects.create(
            kind=Difference.Kind.MISSING_THERE, address=pec.address, request=pec, member=owner
        )
        colleague = staff(ordine, Role.OPERATORE)
        hour = timezone.now() + timedelta(hours=1)
        lock = Tally.objects.create(
            rule="login",
            kind="account",
            who=str(owner.pk),
            user=owner.user,
            count=5,
            forget_at=hour,
            blocked_until=hour,
        )
        rows = {
            Tally: lock,
            Member: owner,
            Ordine: ordine,
            PecRequest: pec,
            RequestBatch: RequestBatch.objects.get(ordine=ordine),
            ProviderOperation: pec.operations.get(),
            Difference: difference,
            ImportRun: ImportRun.objects.create(ordine=ordine, file_name="a.csv", file_size=1, folder=str(ordine.pk)),
            StaffRole: StaffRole.objects.get(user=colleague),
            User: colleague,
            LogEntry: LogEntry.objects.filter(ordine=ordine.code).latest("id"),
        }
        return Place(ordine, owner, pec, rows)

    def state(self) -> dict[str, str]:
        """Every row of the register, by table, and the mails: what nobody changes who may not, nor by looking.

        Not sessions, nor how often somebody has tried.
        """
        tables = sorted(
            model._meta.db_table
            for app in ("members", "pec_requests", "post_office", "mfa")
            for model in apps.get_app_config(app).get_models(include_auto_created=True)
            if model._meta.managed and model._meta.db_table not in ("members_session", "members_tally")
        )
        asked = ", ".join(f"(SELECT md5(string_agg(t::text, ' ' ORDER BY t::text)) FROM {table} t)" for table in tables)
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {asked}")
            return dict(zip(tables, cursor.fetchone(), strict=True))


# --- Addresses --------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Address:
    """One pattern of the resolver: its name, or its route where it has none."""

    name: str
    route: str
    pattern: URLPattern

    @property
    def key(self) -> str:
        return self.name or f"/{self.route}"


def addresses() -> Iterator[Address]:
    """All there are, once: what an earlier pattern hides is never asked."""

    def walk(resolver: URLResolver, prefix: str, route: str) -> Iterator[Address]:
        for pattern in resolver.url_patterns:
            here = f"{route}{pattern.pattern}"
            if isinstance(pattern, URLResolver):
                yield from walk(pattern, f"{prefix}{pattern.namespace}:" if pattern.namespace else prefix, here)
            else:
                yield Address(f"{prefix}{pattern.name}" if pattern.name else "", here, pattern)

    found: dict[str, Address] = {}
    for address in walk(get_resolver(), "", ""):
        found.setdefault(address.key, address)
    yield from found.values()


# Arguments that name no row.
_SECRET = (
    *("members:invitation", "members:password_link", "members:unsubscribe", "members:confirm_email"),
    *("pec_requests:confirm-recovery", "pec_requests:stop-recovery"),
)
WORDS: dict[str, list[Any]] = {
    **{name: ["inventato"] for name in _SECRET},
    **{name: ["spid"] for name in ("members:identity_start", "members:identity_return")},
    "admin:pec_requests_provideroperation_retry_all": ["CREATE"],
    "admin:app_list": ["members"],
    "mfa_remove_webauthn": [1],
    **{
        f"admin:{name}_export": ["csv"]
        for name in (
            *("members_member", "pec_requests_pecrequest", "pec_requests_provideroperation"),
            *("pec_requests_difference", "audit_logentry"),
        )
    },
}
# What comes after the row.
MORE = {
    "admin:pec_requests_pecrequest_act": ["cancel"],
    "admin:members_ordine_letter": ["pec_ready"],
    "admin:members_ordine_letter_html": ["pec_ready"],
}


def url_of(address: Address, place: Place) -> str:
    """The address of what it is about in this Ordine."""
    name = address.name
    if not name:
        return "/" + address.route.replace("<path:object_id>", str(_row(address.route, place).pk)).replace(
            "(?P<url>.*)$", "nessuna-pagina/"
        )
    if name == "admin:view_on_site":
        return reverse(name, args=[1, place.owner.pk])
    if name in WORDS:
        return reverse(name, args=WORDS[name])
    if not address.pattern.pattern.converters:
        return reverse(name)
    if name.startswith("pec_requests:"):
        return reverse(name, args=[place.pec.public_id])
    return reverse(name, args=[_row(name, place).pk, *MORE.get(name, [])])


def _row(words: str, place: Place) -> Any:
    """The row of the model that an address of the admin is about; of what belongs to no Ordine, any."""
    models = {m for m in admin.site._registry if _names(m, words)}
    model = max(models, key=lambda m: len(m._meta.model_name or ""), default=User)
    return place.rows.get(model) or model._default_manager.order_by("pk").first()


def _names(model: Any, words: str) -> bool:
    app, name = model._meta.app_label, model._meta.model_name
    return f"admin:{app}_{name}_" in words or f"admin/{app}/{name}/" in words


def is_about_a_row(address: Address, world: World) -> bool:
    return url_of(address, world.here) != url_of(address, world.there)
