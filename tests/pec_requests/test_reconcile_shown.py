"""What people see of the register against the provider: the command, the night, the list in the admin."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from members.models import StaffRole
from pec_requests import lifecycle, tasks
from pec_requests.models import Difference, PecDomain, PecRequest, ProviderOperation
from pec_requests.provider import Holder, provider
from pec_requests.states import Kind
from tests.factories import MemberFactory, OrdineFactory, UserFactory, staff, tax_code
from tests.pec_requests.conftest import STAFF
from tests.sandbox_process import SandboxProcess

pytestmark = pytest.mark.django_db
Work = Callable[[], int]
State = ProviderOperation.State
STRANGER = Holder(
    tax_code(999), "Mario", "Rossi", "altro@example.com", "Via Po, 2", "Torino", "10100", "TO", "3330000000"
)


def test_the_command_in_json(active: PecRequest, capsys: pytest.CaptureFixture[str]) -> None:
    provider().change_recovery_email(active.address, "vecchia@example.com")
    provider().create("altro.rossi@tsrm.org", STRANGER, "m@example.com")
    with pytest.raises(CommandError) as left:
        call_command("reconcile", "--json", "--repair")
    assert left.value.returncode == 1
    said = json.loads(capsys.readouterr().out)
    assert {key: said[key] for key in ("accounts", "repaired", "remaining")} == {
        "accounts": 2,
        "repaired": 1,
        "remaining": 1,
    }
    kinds = [(d["kind"], d["address"], d["repaired"]) for d in said["differences"]]
    assert kinds == [("missing_here", "altro.rossi@tsrm.org", False), ("recovery_email", active.address, True)]


def test_the_command_in_words(active: PecRequest, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("reconcile")
    assert "Differenze riparate: 0, aperte: 0." in capsys.readouterr().out
    provider().change_recovery_email(active.address, "vecchia@example.com")
    with pytest.raises(CommandError):
        call_command("reconcile")
    assert "Si può riparare con --repair" in capsys.readouterr().out
    call_command("reconcile", "--repair")
    assert "Riparata: riportare presso il gestore" in capsys.readouterr().out


def test_the_command_says_when_it_could_not_be_done(
    aruba: SandboxProcess, db: None, capsys: pytest.CaptureFixture[str]
) -> None:
    aruba.fault("search", "status", 500)
    with pytest.raises(CommandError, match="non è arrivato alla fine") as failed:
        call_command("reconcile", "--json")
    assert (failed.value.returncode, capsys.readouterr().out) == (2, "")


def test_every_night_the_safe_ones_are_mended(active: PecRequest, aruba: SandboxProcess, settings: Any) -> None:
    provider().change_recovery_email(active.address, "vecchia@example.com")
    assert "pec_requests.tasks.reconcile_with_provider" in {e["task"] for e in settings.CELERY_BEAT_SCHEDULE.values()}
    tasks.reconcile_with_provider()
    assert active.operations.filter(kind=Kind.RECOVERY_EMAIL, state=State.WAITING).exists()
    aruba.fault("search", "status", 500)
    tasks.reconcile_with_provider()  # says so in the log, and nothing else


def differ(pec: PecRequest | None, address: str = "") -> Difference:
    return Difference.objects.create(
        kind="STATUS",
        address=pec.address if pec else address,
        request=pec,
        member=pec.member if pec else None,
        here="ATTIVO",
        there="Certificato, sospesa",
    )


def test_staff_see_the_open_differences_of_their_ordine(client: Client, pec: PecRequest, domain: PecDomain) -> None:
    other = MemberFactory(ordine=OrdineFactory())
    elsewhere = lifecycle.request_pec([other.pk], domain, STAFF).created[0]
    differ(pec), differ(elsewhere), differ(None, "ignoto@tsrm.org")
    page = reverse("admin:pec_requests_difference_changelist")
    client.force_login(staff(pec.member.ordine, StaffRole.Role.OPERATORE))
    here = client.get(page).content.decode()
    assert "presso il gestore è «Certificato, sospesa»" in here
    assert reverse("admin:pec_requests_pecrequest_change", args=[pec.pk]) in here
    assert elsewhere.address not in here and "ignoto@tsrm.org" not in here
    client.force_login(UserFactory(is_superuser=True, is_staff=True))
    assert "ignoto@tsrm.org" in client.get(page).content.decode()
    Difference.objects.update(closed_at=timezone.now())
    assert "ignoto@tsrm.org" not in client.get(page).content.decode()


@pytest.mark.parametrize("rows", [1, 3])
def test_the_list_asks_the_same_of_the_database_however_long(
    client: Client, pec: PecRequest, domain: PecDomain, rows: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client.force_login(staff(pec.member.ordine))
    differ(pec)
    for _ in range(rows - 1):
        member = MemberFactory(ordine=pec.member.ordine)
        differ(lifecycle.request_pec([member.pk], domain, STAFF).created[0])
    with django_assert_num_queries(7):
        client.get(reverse("admin:pec_requests_difference_changelist"))
