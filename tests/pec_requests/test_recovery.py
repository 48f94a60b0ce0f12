"""The recovery e-mail: nothing changes before the new address says so, and every link says why it is dead."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone
from post_office.models import Email

from pec_requests import lifecycle, recovery
from pec_requests.models import PecRequest
from pec_requests.recovery import LinkState, RecoveryRefused
from pec_requests.states import Kind
from tests.pec_requests.conftest import STAFF
from tests.pec_requests.test_addresses import in_threads
from tests.pec_requests.test_lifecycle import ready
from tests.sandbox_process import SandboxProcess

pytestmark = pytest.mark.django_db
NEW = "nuova@example.com"


def ask(pec: PecRequest, email: str = NEW) -> str:
    """A member's wish; return the secret of the link that was mailed."""
    assert pec.member.user
    recovery.ask(pec.pk, email, pec.member.user, STAFF)
    mail = Email.objects.filter(to=email).latest("id")
    found = re.search(r"conferma-email/([\w-]+)/", mail.message)
    assert found
    return found[1]


@pytest.mark.parametrize(
    ("email", "words"),
    [
        ("mario@pec.example.it", "È una PEC"),
        ("non-un-indirizzo", "Non è un indirizzo"),
        ("a b@example.com", "Non è un indirizzo"),
    ],
)
def test_unusable_addresses_are_refused(pec: PecRequest, email: str, words: str) -> None:
    with pytest.raises(RecoveryRefused, match=words):
        ask(pec, email)
    assert not Email.objects.exists()


def test_the_same_address_again_is_refused(pec: PecRequest) -> None:
    with pytest.raises(RecoveryRefused, match="già l'email di recupero"):
        ask(pec, pec.recovery_email.upper())


def test_a_wish_tells_the_old_address_and_changes_nothing(pec: PecRequest) -> None:
    old = pec.recovery_email
    ask(pec)
    assert Email.objects.filter(to=old, subject__startswith="È stato chiesto").exists()
    pec.refresh_from_db()
    assert pec.recovery_email == old
    assert not pec.operations.filter(kind=Kind.RECOVERY_EMAIL).exists()


def test_confirmed_the_provider_changes_it_and_both_are_told(
    pec: PecRequest, work: Callable[[], int], aruba: SandboxProcess
) -> None:
    work()
    old = pec.recovery_email
    assert recovery.confirm(ask(pec), STAFF).state is LinkState.VALID
    work()
    pec.refresh_from_db()
    assert pec.recovery_email == NEW
    account = aruba.account(pec.address)
    assert account
    assert account["recoveryEmail"] == NEW
    told = Email.objects.filter(subject__startswith="L'email di recupero").values_list("to", flat=True)
    assert sorted(str(to[0]) if isinstance(to, list) else str(to) for to in told) == sorted([old, NEW])


def test_the_first_recovery_email_lets_the_mailbox_be_made(pec: PecRequest) -> None:
    PecRequest.objects.filter(pk=pec.pk).update(recovery_email="")
    pec.operations.all().delete()
    recovery.confirm(ask(pec), STAFF)
    pec.refresh_from_db()
    assert pec.recovery_email == NEW
    assert list(pec.operations.values_list("kind", flat=True)) == [Kind.CREATE]


def test_links_say_why_they_are_dead(pec: PecRequest) -> None:
    first, second = ask(pec), ask(pec, "altra@example.com")
    assert recovery.inspect(first).state is LinkState.REPLACED
    assert recovery.inspect("inventato").state is LinkState.UNKNOWN
    with time_machine.travel(timezone.now() + timedelta(hours=25)):
        assert recovery.confirm(second, STAFF).state is LinkState.EXPIRED
    assert recovery.confirm(second, STAFF).state is LinkState.VALID
    assert recovery.confirm(second, STAFF).state is LinkState.USED


def test_a_link_of_an_ended_request_does_nothing(pec: PecRequest) -> None:
    secret = ask(pec)
    lifecycle.decide([pec.pk], "cancel", STAFF, reason="x")
    assert recovery.confirm(secret, STAFF).state is LinkState.REPLACED


def test_a_refused_address_leaves_the_old_one_and_another_can_follow(
    pec: PecRequest, work: Callable[[], int], aruba: SandboxProcess
) -> None:
    work()
    old = pec.recovery_email
    aruba.fault("recovery-email", "status", 400, times=1)
    recovery.confirm(ask(pec), STAFF)
    work()
    pec.refresh_from_db()
    assert pec.recovery_email == old
    recovery.confirm(ask(pec, "altra@example.com"), STAFF)
    work()
    pec.refresh_from_db()
    assert pec.recovery_email == "altra@example.com"


@pytest.mark.django_db(transaction=True)
def test_a_link_used_twice_at_once_counts_once(pec: PecRequest) -> None:
    secret = ask(ready(pec))
    results: list[LinkState] = []
    errors = in_threads(*[lambda: results.append(recovery.confirm(secret, STAFF).state)] * 2)
    assert not errors
    assert sorted(r.value for r in results) == ["used", "valid"]
    assert pec.operations.filter(kind=Kind.RECOVERY_EMAIL).count() == 1
