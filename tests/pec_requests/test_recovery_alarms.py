"""**Non sono stato io**: what whoever is told of a change can stop, what not, and what the Ordine makes of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from django.db.models.functions import Now
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from post_office.models import Email

from audit.models import LogEntry
from members import access, emails
from members.models import AccessLink, Member, StaffRole, User
from pec_requests import operations, passwords, recovery, recovery_alarms
from pec_requests.models import PecRequest, ProviderOperation, RecoveryEmailChange
from pec_requests.performing import perform
from pec_requests.provider import provider
from pec_requests.recovery_alarms import LinkState, Verdict
from pec_requests.recovery_in_force import RecoveryRefused
from pec_requests.settling import settle
from pec_requests.states import Kind
from tests.factories import staff
from tests.pec_requests.conftest import STAFF
from tests.pec_requests.test_addresses import in_threads
from tests.pec_requests.test_lifecycle import ready
from tests.pec_requests.test_recovery import NEW, ask
from tests.pec_requests.test_views import text, url
from tests.sandbox_process import SandboxProcess

pytestmark = pytest.mark.django_db
Work = Callable[[], int]
State = ProviderOperation.State
WALL = "segnalato di non aver chiesto"


def stop_secret(to: str, subject: str = "È stato chiesto") -> str:
    """From the newest mail to this address."""
    mail = Email.objects.filter(to=to, subject__startswith=subject).latest("id")
    found = re.search(r"non-sono-stato-io/([\w.-]+)/", mail.message)
    assert found
    return found[1]


def changes_there(pec: PecRequest) -> list[tuple[str, str]]:
    rows = pec.operations.filter(kind=Kind.RECOVERY_EMAIL).order_by("id")
    return list(rows.values_list("recovery_email", "state"))


def owner(pec: PecRequest) -> User:
    assert pec.member.user
    return pec.member.user


def test_a_wish_is_stopped_and_everything_waits_for_the_ordine(pec: PecRequest, client: Client) -> None:
    client.force_login(owner(ready(pec)))
    secret = ask(pec)
    page = reverse("pec_requests:stop-recovery", args=[stop_secret(pec.recovery_email)])
    visitor = Client()
    shown = text(visitor.get(page))
    assert emails.mask(NEW) in shown
    assert NEW not in shown
    assert recovery.inspect(secret).state is recovery.LinkState.VALID  # opening it does nothing

    access.send_password_link(pec.member.tax_code, STAFF)  # a thief may have opened it already
    before = Email.objects.count()
    assert "Segnalazione ricevuta" in text(visitor.post(page))
    assert "È già stato usato" in text(visitor.post(page))  # the double click
    assert recovery.confirm(secret, STAFF).state is recovery.LinkState.STOPPED
    told = Email.objects.order_by("id")[before:]
    assert [(mail.to, mail.subject.partition(":")[0]) for mail in told] == [
        ([pec.member.ordine.email], "Da verificare"),
        ([pec.member.personal_email], "Email di recupero della PEC"),
        ([NEW], "Email di recupero della PEC"),
    ]
    assert reverse("admin:pec_requests_pecrequest_alarm", args=[pec.pk]) in told[0].message
    assert LogEntry.objects.filter(action="pec.recovery.alarm", actor_name="visitatore").count() == 1

    # Whoever sat at a session, or knew the password, is out.
    assert client.get(url("panel", pec)).status_code == 302
    assert not User.objects.get(pk=owner(pec).pk).has_usable_password()
    assert not AccessLink.objects.filter(replaced_at=None).exists()
    pec.refresh_from_db()
    assert (pec.needs_staff, pec.recovery_email) == (True, pec.member.personal_email)
    client.force_login(User.objects.get(pk=owner(pec).pk))
    panel = text(client.get(url("panel", pec)))
    assert "l'Ordine sta verificando" in panel
    assert url("change-recovery", pec) not in panel
    for name in ("change-recovery", "resend-recovery"):
        assert WALL in text(client.post(url(name, pec), {"email": "terza@example.com"}, follow=True))
    assert RecoveryEmailChange.objects.count() == 1


def test_what_waits_for_the_provider_is_withdrawn(pec: PecRequest) -> None:
    secret = ask(ready(pec))
    recovery.confirm(secret, STAFF)
    recovery_alarms.stop(stop_secret(pec.recovery_email), STAFF)
    assert changes_there(pec) == [(NEW, "WITHDRAWN")]
    assert recovery.inspect(secret).state is recovery.LinkState.STOPPED


def test_a_link_sent_again_is_stopped_by_the_first_notice(pec: PecRequest) -> None:
    old = ready(pec).recovery_email
    first = ask(pec)
    with pytest.raises(RecoveryRefused, match="due minuti"):
        recovery.resend(pec.pk, owner(pec), STAFF)
    with time_machine.travel(timezone.now() + timedelta(minutes=3)):
        recovery.resend(pec.pk, owner(pec), STAFF)
        again = re.findall(r"conferma-email/([\w-]+)/", Email.objects.filter(to=NEW).latest("id").message)[0]
        assert recovery.inspect(first).state is recovery.LinkState.REPLACED
        recovery.confirm(again, STAFF)
    assert Email.objects.filter(to=old).count() == 1  # told once
    recovery_alarms.stop(stop_secret(old), STAFF)
    assert recovery.inspect(again).state is recovery.LinkState.STOPPED
    assert changes_there(pec) == [(NEW, "WITHDRAWN")]


def test_a_call_under_way_is_written_over(pec: PecRequest, work: Work, aruba: SandboxProcess) -> None:
    work()
    old = pec.recovery_email
    recovery.confirm(ask(pec), STAFF)
    [claim] = operations.claim(1, "lento")
    recovery_alarms.stop(stop_secret(old), STAFF)
    settle(claim, perform(claim, provider()))
    account = aruba.account(pec.address)
    assert account
    assert account["recoveryEmail"] == NEW
    assert work() == 0  # nobody calls before the lease of the other is over
    pec.operations.filter(state=State.WAITING).update(not_before=Now())
    work()
    account = aruba.account(pec.address)
    assert account
    assert account["recoveryEmail"] == old
    pec.refresh_from_db()
    assert pec.recovery_email == old
    assert changes_there(pec) == [(NEW, "WITHDRAWN"), (old, "DONE")]
    assert not Email.objects.filter(subject__startswith="L'email di recupero").exists()


def test_once_made_only_the_ordine_puts_it_back(
    pec: PecRequest, work: Work, aruba: SandboxProcess, client: Client
) -> None:
    work()
    old = pec.recovery_email
    recovery.confirm(ask(pec), STAFF)
    work()
    link = stop_secret(old, "L'email di recupero")
    assert "non-sono-stato-io" not in Email.objects.filter(to=NEW).latest("id").message
    page = reverse("pec_requests:stop-recovery", args=[link])
    assert "ha già registrato" in text(client.get(page))
    assert "decide se rimettere" in text(client.post(page))
    work()
    pec.refresh_from_db()
    assert pec.recovery_email == NEW
    with pytest.raises(passwords.ResetRefused):
        passwords.check(pec)

    office = staff(pec.member.ordine, StaffRole.Role.OPERATORE)
    client.force_login(office)
    request_page = reverse("admin:pec_requests_pecrequest_change", args=[pec.pk])
    assert "non viene dall'iscritto" in text(client.get(request_page))
    act = reverse("admin:pec_requests_pecrequest_alarm", args=[pec.pk])
    assert old in text(client.get(act))
    assert "Indicare chi" in text(client.post(act))
    assert RecoveryEmailChange.objects.get().verdict == ""
    client.post(act, {"verdict": Verdict.STRANGER})
    assert "qualcuno ci aveva già pensato" in text(client.post(act, {"verdict": Verdict.MEMBER}, follow=True))
    assert "Non c'è nessuna segnalazione" in text(client.get(act))
    work()
    account = aruba.account(pec.address)
    assert account
    assert account["recoveryEmail"] == old
    pec.refresh_from_db()
    assert (pec.recovery_email, pec.needs_staff) == (old, False)
    assert LogEntry.objects.get(action="pec.recovery.verdict").actor_id == office.pk
    ask(pec, "terza@example.com")


def test_a_lost_mailbox_cannot_hold_the_member_for_ever(pec: PecRequest) -> None:
    Member.objects.filter(pk=pec.member_id).update(personal_email="altra@example.com")
    lost = ready(pec).recovery_email
    ask(pec)
    recovery_alarms.stop(stop_secret(lost), STAFF)
    assert recovery_alarms.settle(pec.pk, Verdict.MEMBER, STAFF)
    for address, told in ((NEW, "altra@example.com"), ("altra@example.com", "")):
        before = Email.objects.filter(to=lost).count()
        pec.member.user = User.objects.get(pk=owner(pec).pk)
        secret = ask(pec, address)
        assert RecoveryEmailChange.objects.latest("id").told_email == told
        assert Email.objects.filter(to=lost).count() == before
    # Nobody else could be told: then the office is.
    recovery.confirm(secret, STAFF)
    assert Email.objects.get(subject__contains="senza poter avvisare").to == [pec.member.ordine.email]
    assert LogEntry.objects.filter(action="pec.recovery.untold").exists()


def test_the_first_address_is_told_to_the_fascicolo(pec: PecRequest) -> None:
    PecRequest.objects.update(recovery_email="")
    pec.operations.all().delete()
    personal = pec.member.personal_email
    recovery.confirm(ask(pec), STAFF)
    assert recovery_alarms.stop(stop_secret(personal), STAFF).state is LinkState.VALID
    assert recovery_alarms.settle(pec.pk, Verdict.STRANGER, STAFF)  # there is none to put back
    pec.refresh_from_db()
    assert pec.recovery_email == NEW


def test_links_to_stop_say_why_they_are_dead(pec: PecRequest, client: Client) -> None:
    ask(ready(pec))
    secret = stop_secret(pec.recovery_email)
    other = RecoveryEmailChange.objects.get().pk + 1
    for forged in (f"{other}.{secret.partition('.')[2]}", secret[:-1], "x", "..", "9" * 30, "è\x00"):
        assert recovery_alarms.stop(forged, STAFF).state is LinkState.UNKNOWN
    with time_machine.travel(timezone.now() + timedelta(days=9)):
        assert recovery_alarms.stop(secret, STAFF).state is LinkState.EXPIRED
        assert "Sono passati troppi giorni" in text(client.get(reverse("pec_requests:stop-recovery", args=[secret])))
    PecRequest.objects.update(status="RIFIUTATO", recovery_email="x@example.com")
    assert recovery_alarms.stop(secret, STAFF).state is LinkState.ENDED
    assert owner(pec).has_usable_password()


def test_whoever_makes_links_up_is_stopped(client: Client, pec: PecRequest) -> None:
    link = reverse("pec_requests:confirm-recovery", args=[ask(pec)])
    codes = [client.get(reverse("pec_requests:stop-recovery", args=[f"{n}.x"])).status_code for n in range(31)]
    assert codes == [410] * 30 + [429]
    answer = client.get(link)
    assert (answer.status_code, answer["Retry-After"]) == (429, "3600")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("other", ["stop", "confirm"])
def test_at_once_with_another_click_one_comes_first(pec: PecRequest, other: str) -> None:
    secret = ask(ready(pec))
    stopping = stop_secret(pec.recovery_email)
    second = {"stop": lambda: recovery_alarms.stop(stopping, STAFF), "confirm": lambda: recovery.confirm(secret, STAFF)}
    assert in_threads(lambda: recovery_alarms.stop(stopping, STAFF), second[other]) == []
    assert LogEntry.objects.filter(action="pec.recovery.alarm").count() == 1
    assert changes_there(pec) in ([], [(NEW, "WITHDRAWN")])
    pec.refresh_from_db()
    assert pec.needs_staff
