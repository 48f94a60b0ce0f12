"""The permission matrix: every address of the portal by every role, for an object of one's own and of others.

Built from the URL resolver: a new page without a row fails. After every request that is not allowed, nothing changed.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone
from django_scopes import scopes_disabled

from members.models import EmailChange, ImportRun, Member, Ordine, StaffRole, Tally, User
from pec_requests import batches, health
from pec_requests.models import Difference, PecDomain, PecRequest, ProviderOperation, RecoveryEmailChange, RequestBatch
from tests.factories import MemberFactory, OrdineFactory, UserFactory, staff
from tests.pec_requests.conftest import STAFF

pytestmark = pytest.mark.django_db

# Expected answers to GET, by role: nobody, the member, another member, staff here (operatore), staff elsewhere, admin.
ROLES = ("visitor", "owner", "stranger", "staff", "other_staff", "federation")
ALL = (200,) * 6
SIGNED_IN = (302, 200, 200, 200, 200, 200)
OWN_RECORD = (302, 200, 200, 200, 200, 200)  # an account without a record is told whose page this is
OWN_REQUEST = (302, 200, 404, 404, 404, 404)
OWN_FRAGMENT = (204, 200, 404, 404, 404, 404)  # a visitor's page is told to load itself anew
OWN_REQUEST_MOVED_ON = (302, 302, 404, 404, 404, 404)  # the request is not where this act starts: shown where it is
OFFICE = (302, 302, 302, 200, 200, 200)
OFFICE_HERE = (302, 302, 302, 200, 404, 200)
RESPONSABILE_HERE = (302, 302, 302, 403, 404, 200)
RESPONSABILE = (302, 302, 302, 403, 200, 200)  # what is shown is of the own Ordine
RESPONSABILE_HERE_OR_GONE = (302, 302, 302, 403, 302, 200)
OFFICE_HERE_OR_GONE = (302, 302, 302, 200, 302, 200)  # Django's "does not exist" is a redirect with a message
FEDERATION = (302, 302, 302, 403, 403, 200)
NOBODY = (302, 302, 302, 403, 403, 403)
REDIRECT = (302,) * 6
ACCOUNT = (302, 200, 200, 200, 200, 200)

PAGES: dict[str, tuple[int, ...]] = {
    "home": ALL,
    "account_login": (200, 302, 302, 302, 302, 302),
    "account_logout": (302, 200, 200, 200, 200, 200),
    "account_inactive": ALL,
    "account_reauthenticate": ACCOUNT,
    "account_change_password": ACCOUNT,
    "account_set_password": REDIRECT,
    "sessions": SIGNED_IN,
    "help": ALL,
    "privacy": ALL,
    "accessibility": ALL,
    "security_txt": (404,) * 6,  # nobody is named
    "healthz": ALL,
    "readyz": ALL,
    "metrics": ALL,
    "members:home": REDIRECT,
    "members:record": OWN_RECORD,
    "members:preferences": OWN_RECORD,
    "members:unsubscribe": (410,) * 6,
    "members:language": REDIRECT,
    "members:change_email": OWN_RECORD,
    "members:drop_email": (405,) * 6,
    "members:confirm_email": (410,) * 6,
    "members:change_mobile": OWN_RECORD,
    "members:own_data": OWN_RECORD,
    "members:first_access": ALL,
    "members:password_forgotten": ALL,
    "members:password_link_sent": ALL,
    "members:invitation": (410,) * 6,
    "members:password_link": (410,) * 6,
    "members:new_password": (410,) * 6,
    "members:identity_start": (404,) * 6,  # no gateway is there
    "members:identity_return": (404,) * 6,
    "pec_requests:list": OWN_RECORD,
    "pec_requests:status": OWN_FRAGMENT,
    "pec_requests:accept": OWN_REQUEST_MOVED_ON,
    "pec_requests:refuse": OWN_REQUEST_MOVED_ON,
    "pec_requests:panel": OWN_REQUEST,
    "pec_requests:panel-status": OWN_FRAGMENT,
    "pec_requests:change-recovery": OWN_REQUEST,
    "pec_requests:reset-password": OWN_REQUEST_MOVED_ON,
    "pec_requests:drop-recovery": (405, 405, 405, 405, 405, 405),
    "pec_requests:resend-recovery": (405, 405, 405, 405, 405, 405),
    "pec_requests:confirm-recovery": (410,) * 6,
    "pec_requests:stop-recovery": (410,) * 6,
    "admin:index": OFFICE,
    "admin:login": (302,) * 6,
    "admin:logout": OFFICE,
    "admin:password_change": REDIRECT,
    "admin:password_change_done": OFFICE,
    "admin:app_list": OFFICE,
    "admin:jsi18n": OFFICE,
    "admin:autocomplete": NOBODY,
    "admin:view_on_site": (302, 302, 302, 404, 404, 404),
    "admin:members_ordine_letters": REDIRECT,
    "admin:members_ordine_letters_of": OFFICE_HERE,
    "admin:members_ordine_letter": OFFICE_HERE,
    "admin:members_ordine_letter_html": OFFICE_HERE,
    "admin:members_member_request_pec": OFFICE,
    "admin:members_member_export": OFFICE,
    "admin:members_member_invite": OFFICE_HERE,
    "admin:members_member_code": OFFICE_HERE,
    "admin:members_member_sheet": OFFICE_HERE,
    "admin:members_member_tax_code": RESPONSABILE_HERE,
    "admin:members_member_merge": RESPONSABILE_HERE,
    "admin:members_member_transfer": RESPONSABILE_HERE,
    "admin:members_member_leave": OFFICE_HERE,
    "admin:members_member_changelist": OFFICE,
    "admin:members_member_add": OFFICE,
    "admin:members_member_change": OFFICE_HERE_OR_GONE,
    "admin:members_member_history": OFFICE_HERE_OR_GONE,
    "admin:members_member_delete": NOBODY,
    "admin:pec_requests_pecrequest_export": OFFICE,
    "admin:pec_requests_provideroperation_export": OFFICE,
    "admin:pec_requests_difference_export": OFFICE,
    "admin:members_tally_changelist": OFFICE,
    "admin:members_tally_add": NOBODY,
    "admin:members_tally_change": OFFICE_HERE_OR_GONE,
    "admin:members_tally_history": OFFICE_HERE_OR_GONE,
    "admin:members_tally_delete": NOBODY,
    "admin:members_tally_lift": OFFICE_HERE,
    "admin:members_importrun_changelist": OFFICE,
    "admin:members_importrun_add": OFFICE,
    "admin:members_importrun_change": OFFICE_HERE_OR_GONE,
    "admin:members_importrun_history": OFFICE_HERE_OR_GONE,
    "admin:members_importrun_delete": NOBODY,
    "admin:members_importrun_progress": (204, 204, 204, 200, 404, 200),
    "admin:members_importrun_rejects": (302, 302, 302, 404, 404, 404),  # there is no file yet
    "admin:pec_requests_pecrequest_act": OFFICE_HERE,
    "admin:pec_requests_pecrequest_alarm": OFFICE_HERE,
    "admin:pec_requests_pecrequest_changelist": OFFICE,
    "admin:pec_requests_pecrequest_add": NOBODY,
    "admin:pec_requests_pecrequest_change": OFFICE_HERE_OR_GONE,
    "admin:pec_requests_pecrequest_history": OFFICE_HERE_OR_GONE,
    "admin:pec_requests_pecrequest_delete": NOBODY,
    "admin:pec_requests_requestbatch_standing": OFFICE_HERE,
    "admin:pec_requests_requestbatch_cancel": OFFICE_HERE,
    "admin:pec_requests_requestbatch_changelist": OFFICE,
    "admin:pec_requests_requestbatch_add": NOBODY,
    "admin:pec_requests_requestbatch_change": OFFICE_HERE_OR_GONE,
    "admin:pec_requests_requestbatch_history": OFFICE_HERE_OR_GONE,
    "admin:pec_requests_requestbatch_delete": NOBODY,
    "admin:pec_requests_provideroperation_retry": OFFICE_HERE,
    "admin:pec_requests_provideroperation_retry_all": OFFICE,
    "admin:pec_requests_provideroperation_drop": OFFICE_HERE,
    "admin:pec_requests_provideroperation_changelist": OFFICE,
    "admin:pec_requests_provideroperation_add": NOBODY,
    "admin:pec_requests_provideroperation_change": OFFICE_HERE_OR_GONE,
    "admin:pec_requests_provideroperation_history": OFFICE_HERE_OR_GONE,
    "admin:pec_requests_provideroperation_delete": NOBODY,
    "admin:pec_requests_difference_changelist": OFFICE,
    "admin:pec_requests_difference_add": NOBODY,
    "admin:pec_requests_difference_change": OFFICE_HERE_OR_GONE,
    "admin:pec_requests_difference_history": OFFICE_HERE_OR_GONE,
    "admin:pec_requests_difference_delete": NOBODY,
    "admin:audit_logentry_changelist": RESPONSABILE,
    "admin:audit_logentry_export": RESPONSABILE,
    "admin:audit_logentry_change": RESPONSABILE_HERE_OR_GONE,
    "admin:audit_logentry_history": (302, 302, 302, 302, 302, 200),
    "admin:audit_logentry_add": NOBODY,
    "admin:audit_logentry_delete": NOBODY,
    # allauth's second factor: its own pages, for whoever is signed in; the exact answers are its tests' business.
    **dict.fromkeys(
        (
            "mfa_index",
            "mfa_authenticate",
            "mfa_reauthenticate",
            "mfa_activate_totp",
            "mfa_deactivate_totp",
            "mfa_view_recovery_codes",
            "mfa_generate_recovery_codes",
            "mfa_add_webauthn",
            "mfa_remove_webauthn",
            "mfa_reauthenticate_webauthn",
        ),
        (),
    ),
}
FEDERATION_MODELS = (
    "members_ordine",
    "members_albo",
    "members_user",
    "pec_requests_pecdomain",
    "pec_requests_providerhealth",
)
for _model in FEDERATION_MODELS:
    for _page in ("changelist", "add", "change", "history", "delete"):
        PAGES[f"admin:{_model}_{_page}"] = FEDERATION
    PAGES[f"admin:{_model}_delete"] = NOBODY
PAGES["admin:pec_requests_providerhealth_add"] = NOBODY
PAGES["admin:auth_user_password_change"] = FEDERATION

# Arguments that are no ids.
WORDS = {
    "members:invitation": "inventato",
    "members:password_link": "inventato",
    "members:identity_start": "spid",
    "members:identity_return": "spid",
    "members:unsubscribe": "inventato",
    "members:confirm_email": "inventato",
    "pec_requests:confirm-recovery": "inventato",
    "pec_requests:stop-recovery": "inventato",
    "admin:pec_requests_provideroperation_retry_all": "CREATE",
    "admin:app_list": "members",
    "admin:members_member_export": "csv",
    "admin:pec_requests_pecrequest_export": "xlsx",
    "admin:pec_requests_provideroperation_export": "csv",
    "admin:pec_requests_difference_export": "csv",
    "admin:audit_logentry_export": "csv",
}
# Pages about the Ordine, and what they want besides.
OF_ORDINE: dict[str, list[str]] = {
    **{f"admin:members_ordine_{page}": [] for page in ("change", "history", "delete", "letters_of")},
    **{f"admin:members_ordine_{page}": ["pec_ready"] for page in ("letter", "letter_html")},
}

# Pages about one row.
ON_ONE = ("_change", "_history", "_delete", "_retry", "_drop", "_standing", "_cancel", "_alarm", "_lift")
KEPT = (
    Member,
    EmailChange,
    ImportRun,
    RequestBatch,
    PecRequest,
    ProviderOperation,
    RecoveryEmailChange,
    StaffRole,
    Ordine,
)
STATE = "SELECT " + ", ".join(
    f"(SELECT string_agg(t::text, ' ' ORDER BY t.id) FROM {model._meta.db_table} t)" for model in KEPT
)


class World:
    """One member of one Ordine with a request, and everybody who may try to get at it."""

    def __init__(self) -> None:
        with scopes_disabled():
            self.owner: Member = MemberFactory()
            here: Ordine = self.owner.ordine
            elsewhere: Ordine = OrdineFactory()
            domain = PecDomain.objects.get(name="tsrm.org")
            asked = {here.pk: [self.owner.pk]}
            batches.carry_out(batches.order(asked, domain, STAFF, asked="tutti", key=uuid.uuid4())[0].pk)
            self.pec = PecRequest.objects.get()
            health.current()  # its row, which other tests may have emptied
            self.operation = self.pec.operations.get()
            self.difference = Difference.objects.create(
                kind=Difference.Kind.MISSING_THERE, address=self.pec.address, request=self.pec, member=self.owner
            )
            self.run = ImportRun.objects.create(ordine=here, file_name="albo.csv", file_size=1, folder="inesistente")
            hour = timezone.now() + timedelta(hours=1)
            self.lock = Tally.objects.create(
                rule="login", kind="account", who="x", user=self.owner.user, count=5, forget_at=hour, blocked_until=hour
            )
            self.users: dict[str, User | None] = {
                "visitor": None,
                "owner": self.owner.user,
                "stranger": MemberFactory(ordine=here).user,
                "staff": staff(here, StaffRole.Role.OPERATORE),
                "other_staff": staff(elsewhere, StaffRole.Role.RESPONSABILE),
                "federation": UserFactory(is_superuser=True, is_staff=True),
            }

    def arguments(self, name: str) -> list[Any]:
        """The arguments of an address, about this request and its member."""
        match name:
            case _ if name in WORDS:
                return [WORDS[name]]
            case "admin:pec_requests_pecrequest_act":
                return [self.pec.pk, "cancel"]
            case "admin:view_on_site":
                return [1, self.owner.pk]
            case "admin:auth_user_password_change":
                return [self.users["staff"].pk]  # type: ignore[union-attr]
            case _ if name in OF_ORDINE:
                return [self.owner.ordine_id, *OF_ORDINE[name]]
            case _ if name.startswith("pec_requests:") and name != "pec_requests:list":
                return [self.pec.public_id]
            case "admin:members_importrun_progress" | "admin:members_importrun_rejects":
                return [self.run.pk]
            case _ if "member_" in name and not name.endswith(("changelist", "add", "request_pec")):
                return [self.owner.pk]
            case _ if name.count("_") > 1 and name.endswith(ON_ONE):
                return [self._pk(name)]
        return []

    def _pk(self, name: str) -> int:
        model = next(m for m in admin.site._registry if f"{m._meta.app_label}_{m._meta.model_name}_" in name)
        with scopes_disabled():
            wanted = {
                ImportRun: self.run,
                PecRequest: self.pec,
                ProviderOperation: self.operation,
                Difference: self.difference,
            }.get(model)
            row = wanted or model._default_manager.order_by("pk").first()
        assert row is not None
        return int(row.pk)

    def state(self) -> tuple[Any, ...]:
        """What a request that is refused must leave as it was: every row of these tables."""
        with connection.cursor() as cursor:
            cursor.execute(STATE)
            return tuple(cursor.fetchone())


def names() -> Iterator[str]:
    def walk(resolver: URLResolver, prefix: str) -> Iterator[str]:
        for pattern in resolver.url_patterns:
            if isinstance(pattern, URLResolver):
                yield from walk(pattern, f"{prefix}{pattern.namespace}:" if pattern.namespace else prefix)
            elif isinstance(pattern, URLPattern) and pattern.name:
                yield f"{prefix}{pattern.name}"

    return walk(get_resolver(), "")


def test_every_address_has_its_row() -> None:
    assert set(names()) == set(PAGES)


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize("role", ROLES)
def test_matrix(world: World, role: str) -> None:
    client = Client()
    wrong = []
    before = world.state()
    for name, expected in PAGES.items():
        if not expected:
            continue
        if (user := world.users[role]) and settings.SESSION_COOKIE_NAME not in client.cookies:
            client.force_login(user)
        url = reverse(name, args=world.arguments(name))
        response = client.get(url)
        wanted = expected[ROLES.index(role)]
        if response.status_code != wanted:
            wrong.append(f"GET {name} as {role}: {response.status_code}, not {wanted}")
        if wanted in (403, 404) or (wanted == 302 and name.startswith(("admin:", "pec_requests:")) and role != "owner"):
            response = client.post(url, {"reason": "x", "conditions": "on", "status": "ATTIVO"})
            if response.status_code not in (302, 403, 404, 405) or world.state() != before:
                wrong.append(f"POST {name} as {role}: {response.status_code}, or something changed")
        if settings.SESSION_COOKIE_NAME in response.cookies:  # it may have ended the session, or begun another
            client = Client()
    assert not wrong, "\n".join(wrong)
