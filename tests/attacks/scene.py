"""Two Ordini with one of everything in each, whoever may come to get at it, and every page there is."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from django.contrib import admin
from django.db import IntegrityError, connection, models, transaction
from django.test import Client
from django.urls import NoReverseMatch, URLPattern, URLResolver, get_resolver, reverse
from django_scopes import scopes_disabled

from albo_pec.database_rights import READ_ONLY
from audit.models import LogEntry
from members import access, contacts
from members.models import ImportRun, Member, Ordine, StaffRole, User
from pec_requests import batches, health, lifecycle
from pec_requests.models import Difference, PecDomain, PecRequest, ProviderOperation
from tests.factories import MemberFactory, OrdineFactory, UserFactory, staff
from tests.pec_requests.conftest import STAFF
from tests.pec_requests.test_lifecycle import activate, ready
from tests.pec_requests.test_recovery import ask

OURS = ("audit", "members", "pec_requests")
# What follows from other rows or from merely coming by, and what nobody writes.
NO_MATTER = {"members_session", "members_term", "members_albo", *READ_ONLY}


@dataclass
class House:
    """An Ordine, a member with a waiting request and one with a mailbox, and something for the office to look at."""

    ordine: Ordine
    waiting: PecRequest
    active: PecRequest
    office: User
    rows: dict[type[models.Model], models.Model]
    keys: set[tuple[str, Any]] = field(default_factory=set)

    @property
    def member(self) -> Member:
        return self.waiting.member

    def words(self) -> set[str]:
        """By which a page is known to show something of this house."""
        return {str(self.waiting.public_id), self.waiting.address, self.active.address, self.member.tax_code}


def house(name: str) -> House:
    """Everything through the verbs of the portal, as it would come to be."""
    ordine = OrdineFactory(name=f"Ordine {name}", short_name=name)
    domain = PecDomain.objects.get(name="tsrm.org")
    waiting, active, third = (MemberFactory(ordine=ordine, town=f"{name}{n}") for n in range(3))
    requests = lifecycle.request_pec([waiting.pk, active.pk], domain, STAFF).created
    by_member = {pec.member_id: pec for pec in requests}
    mailbox = activate(by_member[active.pk])
    ready(by_member[waiting.pk])
    ask(mailbox, f"nuova.{name}@example.com".lower())
    contacts.ask_email(waiting.pk, f"altra.{name}@example.com".lower(), STAFF)
    access.invite(third, STAFF)
    batch = batches.order({ordine.pk: [third.pk]}, domain, STAFF, asked="tutti", key=uuid.uuid4())[0]
    health.current()
    difference = Difference.objects.create(
        kind=Difference.Kind.MISSING_THERE, address=mailbox.address, request=mailbox, member=active
    )
    run = ImportRun.objects.create(ordine=ordine, file_name="albo.csv", file_size=1, folder=f"cartella-{name}")
    office = staff(ordine, StaffRole.Role.RESPONSABILE)
    operation = mailbox.operations.latest("id")
    rows: dict[type[models.Model], models.Model] = {
        type(row): row for row in (ordine, waiting, by_member[waiting.pk], operation, batch, difference, run, office)
    }
    by_member[waiting.pk].refresh_from_db()
    return House(ordine, by_member[waiting.pk], mailbox, office, rows)


@dataclass
class Scene:
    here: House
    there: House
    federation: User

    def people(self) -> dict[str, User | None]:
        """Everybody who may look, by what they are. All that is worth having is in the house ``here``."""
        return {
            "visitor": None,
            "waiting": self.here.waiting.member.user,
            "active": self.here.active.member.user,
            "office": self.here.office,
            "federation": self.federation,
        }

    def client(self, who: str, **more: Any) -> Client:
        client = Client(**more)
        if user := self.people()[who]:
            client.force_login(user)
        return client


def build() -> Scene:
    with scopes_disabled():
        federation = UserFactory(is_superuser=True, is_staff=True)
        here = house("Qui")
        before = contents().keys()
        there = house("Altrove")
        there.keys = contents().keys() - before
        return Scene(here, there, federation)


# --- Every page -------------------------------------------------------------------------------------------------------
def patterns() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every named address, with what its variable parts are."""

    def walk(resolver: URLResolver, prefix: str, parts: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
        for pattern in resolver.url_patterns:
            named = getattr(pattern.pattern, "converters", None) or dict.fromkeys(pattern.pattern.regex.groupindex)
            inside = {**parts, **named}
            if isinstance(pattern, URLResolver):
                yield from walk(pattern, f"{prefix}{pattern.namespace}:" if pattern.namespace else prefix, inside)
            elif isinstance(pattern, URLPattern) and pattern.name:
                yield f"{prefix}{pattern.name}", inside

    return walk(get_resolver(), "", {})


def addresses(of: House, pec: PecRequest | None = None) -> dict[str, str]:
    """Every address there is, about what is in this house."""
    found = {}
    for name, parts in patterns():
        arguments = {
            part: _argument(name, part, type(kind).__name__, of, pec or of.waiting) for part, kind in parts.items()
        }
        try:
            found[name] = reverse(name, kwargs=arguments)
        except NoReverseMatch:  # the admin's own, which take no names
            found[name] = reverse(name, args=list(arguments.values()))
    return found


WORDS = {
    "admin:app_list": "members",
    "admin:members_ordine_letter": "pec_ready",
    "admin:members_ordine_letter_html": "pec_ready",
    "admin:pec_requests_pecrequest_act": "cancel",
    "admin:pec_requests_provideroperation_retry_all": "CREATE",
}


def _argument(name: str, part: str, kind: str, of: House, pec: PecRequest) -> Any:
    if kind == "UUIDConverter":
        return pec.public_id
    if kind == "SignedNumber":
        return 1
    if kind == "IntConverter" or part == "object_id":
        return _row(name, of)
    if name in WORDS:
        return WORDS[name]
    return "csv" if name.endswith("_export") else "spid" if part == "key" else "inventato"


@cache
def _models() -> dict[str, type[models.Model]]:
    found = {f"{m._meta.app_label}_{m._meta.model_name}_": m for m in admin.site._registry}
    return dict(sorted(found.items(), key=lambda pair: -len(pair[0]))) | {"auth_user_": User}


def _row(name: str, of: House) -> Any:
    """The primary key of a row of this house that the address is about."""
    model = next((model for prefix, model in _models().items() if prefix in name), None)
    if model is None:
        return of.member.pk
    if model in of.rows:
        return of.rows[model].pk
    with scopes_disabled():
        row = model._default_manager.order_by("pk").first()
    return row.pk if row else 1


# --- What the database holds ------------------------------------------------------------------------------------------
@cache
def every_table() -> list[str]:
    with connection.cursor() as cursor:
        return sorted(connection.introspection.table_names(cursor))


def tables() -> list[str]:
    return [table for table in every_table() if table not in NO_MATTER]


@cache
def _everything() -> str:
    one = "SELECT '{0}' AS of, to_jsonb(t) AS row FROM \"{0}\" t"
    return " UNION ALL ".join(one.format(table) for table in tables())


def contents() -> dict[tuple[str, Any], dict[str, Any]]:
    """Every row of every table, by its table and primary key."""
    with connection.cursor() as cursor:
        cursor.execute(_everything())
        found = ((table, json.loads(row) if isinstance(row, str) else row) for table, row in cursor.fetchall())
        return {(table, row.get("id", str(row))): row for table, row in found}


def plant(words: str) -> int:
    """Write words into every text that people or other programs may have written. Return into how many columns."""
    with scopes_disabled():
        columns = 0
        for model in (m for m in connection.introspection.installed_models(tables()) if m._meta.app_label in OURS):
            if model is LogEntry:
                continue
            for field in model._meta.concrete_fields:
                if type(field) in (models.CharField, models.TextField) and not field.choices and _free(field):
                    with suppress(IntegrityError), transaction.atomic():  # another rule keeps rows apart by it
                        model._base_manager.update(**{field.name: words[: field.max_length or None]})
                        columns += 1
        User.objects.update(first_name=words[:150], last_name=words[:150])
    return columns


def _free(field: models.Field[Any, Any]) -> bool:
    """Whether anything may stand in a column: no key, no word of a short list, nothing that an address is made of."""
    ruled = {
        "tax_code",
        "former_tax_code",
        "search_key",
        "sort",
        "term",
        "digest",
        "session_hash",
        "folder",
        "language",
    }
    ruled |= {"password", "headers", "file_sha256", "act", "what", "worker", "action", "object_type", "refused_field"}
    return not (field.unique or field.name in ruled or (field.max_length or 99) < 10)


__all__ = ["House", "ProviderOperation", "Scene", "addresses", "build", "contents", "patterns", "plant"]
