"""What the member's pages cost: literal numbers of queries, session and user included, and bytes on the first visit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django_scopes import scopes_disabled

from members import contacts
from members.models import Member
from pec_requests import health, lifecycle
from pec_requests.models import PecRequest
from tests.factories import MemberFactory
from tests.pec_requests.conftest import STAFF
from tests.pec_requests.test_recovery import ask
from tests.pec_requests.test_views import activate
from tests.test_permissions import names

pytestmark = pytest.mark.django_db
# On every page: the session; the user with the record and its Ordine. A link that there is not is looked up among what
# this caller has tried, and counted.
QUERIES = {
    "home": 4,
    "help": 2,
    "privacy": 2,
    "accessibility": 2,
    "account_logout": 2,
    "account_reauthenticate": 5,
    "account_change_password": 2,
    "mfa_index": 4,
    "sessions": 3,
    "members:home": 2,
    "members:record": 5,
    "members:change_email": 2,
    "members:change_mobile": 2,
    "members:own_data": 2,
    "members:preferences": 2,
    "members:unsubscribe": 2,
    "members:first_access": 2,
    "members:password_forgotten": 2,
    "members:password_link_sent": 2,
    "members:new_password": 2,
    "members:invitation": 5,
    "members:password_link": 5,
    "members:confirm_email": 5,
    "pec_requests:list": 4,
    "pec_requests:status": 4,
    "pec_requests:accept": 3,
    "pec_requests:refuse": 3,
    "pec_requests:panel": 6,
    "pec_requests:panel-status": 5,
    "pec_requests:change-recovery": 4,
    "pec_requests:reset-password": 5,
    "pec_requests:stop-recovery": 4,
    "pec_requests:confirm-recovery": 5,
}
NOT_COUNTED = {
    *("account_login", "account_inactive", "account_set_password"),  # for whoever is not signed in, or lead elsewhere
    *("members:drop_email", "pec_requests:drop-recovery", "pec_requests:resend-recovery"),  # buttons
    *("members:language", "members:support_end"),  # buttons
    *("members:identity_start", "members:identity_return"),  # on the way to a gateway and back
    *("healthz", "readyz", "metrics", "security_txt"),
}
SECRET = {
    *("members:invitation", "members:password_link", "members:confirm_email", "members:unsubscribe"),
    *("pec_requests:confirm-recovery", "pec_requests:stop-recovery"),
}
BUDGET, STYLES = 100_000, 8_000
LINKED = re.compile(r'(?:href|src)="(/static/[^"#]+)')


@pytest.fixture
def all_ordini() -> Iterator[None]:
    with scopes_disabled():
        yield


@pytest.fixture
def pec(db: None, all_ordini: None) -> PecRequest:
    """The busiest page there is: a mailbox, requests that ended, and wishes that wait; the provider is away."""
    member: Member = MemberFactory()
    domain = member.ordine.pec_domains.get(name="tsrm.org")
    for _again in range(3):
        pec = lifecycle.request_pec([member.pk], domain, STAFF).created[0]
        lifecycle.decide([pec.pk], "cancel", STAFF, reason="x")
    pec = activate(lifecycle.request_pec([member.pk], domain, STAFF).created[0])
    ask(pec)
    contacts.ask_email(member.pk, "altra@example.com", STAFF)
    health.stop("prova")
    return pec


def test_every_page_of_a_member_is_counted_and_costs_at_most_six() -> None:
    portal = {name for name in names() if not name.startswith(("admin:", "mfa_"))}
    assert portal == (set(QUERIES) | NOT_COUNTED) - {"mfa_index"}
    assert max(QUERIES.values()) <= 6


def test_queries(client: Client, pec: PecRequest) -> None:
    assert pec.member.user
    client.force_login(pec.member.user)
    counted = {}
    for name in QUERIES:
        parts = ["inventato"] if name in SECRET else [pec.public_id] if re.match("pec_requests:(?!list)", name) else []
        with CaptureQueriesContext(connection) as asked:
            answer = client.get(reverse(name, args=parts))
        assert answer.status_code < 500
        counted[name] = len([query for query in asked if "SAVEPOINT" not in query["sql"]])
    assert counted == QUERIES


def test_bytes(tmp_path: Path, pec: PecRequest) -> None:
    """As a browser fetches it from the portal in production, all compressed, but for the framework's style sheet."""
    whitenoise = "whitenoise.storage.CompressedManifestStaticFilesStorage"
    storages: dict[str, Any] = {
        "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
        "staticfiles": {"BACKEND": whitenoise},
    }
    production = {"STORAGES": storages, "STATIC_ROOT": str(tmp_path), "WHITENOISE_USE_FINDERS": False}
    with override_settings(**production, WHITENOISE_AUTOREFRESH=False, WHITENOISE_MAX_AGE=60):
        call_command("collectstatic", verbosity=0, interactive=False)
        client = Client(headers={"Accept-Encoding": "gzip, deflate, br"})
        assert pec.member.user
        client.force_login(pec.member.user)
        known: dict[str, int] = {}
        for path in ("/", reverse("members:record"), reverse("pec_requests:panel", args=[pec.public_id]), "/aiuto/"):
            answer = client.get(path)
            html = client.get(path, headers={"Accept-Encoding": "identity"}).content.decode()
            assert answer["Content-Encoding"] == "gzip" and "Accept-Encoding" in answer["Vary"]
            linked = {address for address in LINKED.findall(html) if "bootstrap-italia" not in address}
            for address in linked - set(known):
                file = client.get(address)
                known[address] = len(b"".join(file.streaming_content))  # type: ignore[attr-defined]  # as WhiteNoise answers
                assert file.status_code == 200 and "immutable" in file["Cache-Control"]
                assert (
                    file.headers.get("Content-Encoding") == "gzip" or address.endswith("woff2") or known[address] < 900
                )
            total = len(answer.content) + sum(known[address] for address in linked)
            styles = sum(known[address] for address in linked if address.endswith(".css"))
            assert total < BUDGET and styles < STYLES, f"{path}: {total} bytes, {styles} of styles"
