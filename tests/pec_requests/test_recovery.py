"""The recovery e-mail: nothing changes before the new address says so, and every link says why it is dead."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from post_office.models import Email

from members.models import Member
from pec_requests import attention, lifecycle, passwords, recovery
from pec_requests.models import PecRequest, RecoveryEmailChange
from pec_requests.recovery import LinkState
from pec_requests.recovery_in_force import RecoveryRefused
from pec_requests.states import Kind
from tests.pec_requests.conftest import STAFF
from tests.pec_requests.test_addresses import in_threads
from tests.pec_requests.test_lifecycle import activate, ready
from tests.sandbox_process import SandboxProcess

pytestmark = pytest.mark.django_db
NEW = "nuova@example.com"


@pytest.fixture
def me(member: Member, client: Client) -> Client:
    assert member.user
    client.force_login(member.user)
    return client


def ask(pec: PecRequest, email: str = NEW) -> str:
    """A member's wish; return the secret of the link that was mailed."""
    assert pec.member.user
    recovery.ask(pec.pk, email, pec.member.user, STAFF)
    mail = Email.objects.filter(to=email.strip()).latest("id")
    found = re.search(r"conferma-email/([\w-]+)/", mail.message)
    assert found
    return found[1]


@pytest.mark.parametrize(
    ("email", "words"),
    [
        ("mario@pec.example.it", "È una PEC"),
        ("non-un-indirizzo", "Non è un indirizzo"),
        ("a b@example.com", "Non è un indirizzo"),
        ("mario@еxample.com", "Non è un indirizzo"),  # the first letter of the domain is Cyrillic
        ("mario@example.com\nBcc: tutti@example.com", "Non è un indirizzo"),
    ],
)
def test_unusable_addresses_are_refused(pec: PecRequest, email: str, words: str) -> None:
    with pytest.raises(RecoveryRefused, match=words):
        ask(pec, email)
    assert not Email.objects.exists()


def test_the_same_address_again_is_refused(pec: PecRequest, settings: Any) -> None:
    settings.PEC_DOMAINS = []
    with pytest.raises(RecoveryRefused, match="già l'email di recupero"):
        ask(pec, pec.recovery_email.upper())
    with pytest.raises(RecoveryRefused, match="casella stessa"):
        ask(pec, pec.address.title())
    secret = ask(ready(pec), f" {NEW}\n")
    assert recovery.inspect(secret).change == RecoveryEmailChange.objects.get(new_email=NEW)
    with pytest.raises(RecoveryRefused, match="già spedito il link"):
        ask(pec, NEW.upper())
    recovery.confirm(secret, STAFF)
    with pytest.raises(RecoveryRefused, match="lo sta registrando"):
        ask(pec, NEW)


def test_so_many_links_a_day_whatever_the_cache_forgets(pec: PecRequest, me: Client) -> None:
    for n in range(5):
        ask(pec, f"nuova{n}@example.com")
        cache.clear()
    with pytest.raises(RecoveryRefused, match=r"al più 5 link al giorno: riprova dopo le \d\d:\d\d del"):
        ask(pec)
    with time_machine.travel(timezone.now() + timedelta(hours=25)):
        ask(pec)

    activate(pec)
    for _link in range(5):
        passwords.ask_reset(pec.pk, STAFF)
        pec.operations.filter(kind=Kind.RESET).update(state="DONE", finished_at=timezone.now() - timedelta(minutes=3))
    page = me.post(reverse("pec_requests:reset-password", args=[pec.public_id]), follow=True)
    assert "al più 5 link al giorno" in page.content.decode()
    assert pec.operations.filter(kind=Kind.RESET).count() == 5


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
    assert recovery.confirm(secret, STAFF).state is LinkState.ENDED


def test_a_refused_address_leaves_the_old_one_and_another_can_follow(
    pec: PecRequest, work: Callable[[], int], aruba: SandboxProcess, me: Client
) -> None:
    work()
    old = pec.recovery_email
    aruba.fault("recovery-email", "status", 400, times=1)
    recovery.confirm(ask(pec), STAFF)
    work()
    pec.refresh_from_db()
    assert pec.recovery_email == old
    told = list(Email.objects.filter(subject__startswith="Il gestore non ha accettato").order_by("to"))
    assert [mail.to for mail in told] == sorted([[old], [NEW]])
    assert all("vale ancora" in mail.message and "segreteria" in mail.message for mail in told)
    page = me.get(reverse("pec_requests:panel", args=[pec.public_id])).content.decode()
    assert f"Il gestore non ha accettato {NEW}. Vale ancora {old}" in page
    assert attention.sentences(pec)
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
