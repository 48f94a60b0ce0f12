"""Leaving the albo, by an act or by an import, and coming back; and going over to another Ordine."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import pytest
import time_machine
from django.test import Client
from django.utils import timezone
from post_office.models import Email

from audit.models import LogEntry
from members.models import Member, Ordine
from pec_requests import attention, leaving, lifecycle, notices, register, transfers
from pec_requests.corrections import CorrectionRefused
from pec_requests.models import PecDomain, PecRequest, ProviderOperation
from pec_requests.states import Kind
from tests.factories import MemberFactory, OrdineFactory
from tests.pec_requests.conftest import STAFF
from tests.pec_requests.test_lists import in_step
from tests.pec_requests.test_merging import enrol

pytestmark = pytest.mark.django_db
State = ProviderOperation.State


def subjects() -> list[str]:
    notices.write()
    return list(Email.objects.order_by("id").values_list("subject", flat=True))


def days(ordine: Ordine, count: int) -> None:
    Ordine.objects.filter(pk=ordine.pk).update(closing_days=count)


def cancel(member: Member, on: date | None = None) -> int:
    ids = list(member.enrolments.values_list("pk", flat=True))
    return len(leaving.cancel_enrolments(member.pk, ids, on or timezone.localdate(), "Trasferito all'estero", STAFF))


def test_with_the_last_enrolment_the_days_begin_and_at_their_end_the_mailbox_is_closed(
    active: PecRequest, work: Callable[[], int], client: Client
) -> None:
    member = active.member
    assert member.user
    other = enrol(member, "Dietista", "7")
    days(member.ordine, 30)
    today = timezone.localdate()
    leaving.cancel_enrolments(member.pk, [other.pk], today, "Rinuncia", STAFF)
    active.refresh_from_db()
    assert active.closes_on is None
    assert cancel(member) == 1
    assert cancel(member) == 0
    active.refresh_from_db()
    assert active.closes_on == today + timedelta(days=30)
    active.member_enrolled = False  # type: ignore[attr-defined]  # as the list reads it
    client.force_login(member.user)
    panel = client.get(f"/utente/scheda-anagrafica/pec/{active.public_id}/")
    assert f"sarà chiusa il {active.closes_on:%d/%m/%Y}" in panel.content.decode()
    assert f"sarà chiusa il {active.closes_on:%d/%m/%Y}" in attention.sentences(active)[0]
    assert subjects()[2:] == ["Cancellazione dall'albo", "Cancellazione dall'albo", "La tua casella PEC sarà chiusa"]
    assert register.follow() == 0
    days(member.ordine, 90)  # for those who leave from now on
    with time_machine.travel(timezone.now() + timedelta(days=29)):
        assert register.follow() == 0
    with time_machine.travel(timezone.now() + timedelta(days=31)):
        assert register.follow() == 1
        assert register.follow() == 0
    work()
    active.refresh_from_db()
    assert active.status == "CESSATO"
    assert "trascorsi" in active.reason
    assert register.follow() == 0
    assert "Trasferito all'estero" in LogEntry.objects.filter(action="member.enrolment_cancelled")[0].sentence


def test_an_import_that_ends_the_enrolment_leads_the_same_way_and_coming_back_keeps_the_mailbox(
    active: PecRequest, work: Callable[[], int]
) -> None:
    active.member.enrolments.update(status="CANCELLATO")
    assert register.follow() == 1
    assert PecRequest.objects.get().closes_on
    active.member.enrolments.update(status="SOSPESO")
    assert register.follow() == 1
    assert register.follow() == 0
    assert PecRequest.objects.get().closes_on is None
    assert subjects()[2:] == ["La tua casella PEC non sarà chiusa"]  # the other was not written in time, nor true
    days(active.member.ordine, 0)
    active.member.enrolments.update(status="CANCELLATO")
    assert register.follow() == 2  # noted, and due the same day
    assert active.operations.get(kind=Kind.CLOSE).state == State.WAITING


def test_what_was_never_accepted_is_annulled_and_what_is_being_accepted_waits(ready: PecRequest) -> None:
    days(ready.member.ordine, 0)
    ready.member.enrolments.update(status="CANCELLATO")
    lifecycle.decide([ready.pk], "accept", STAFF)
    assert register.follow() == 1  # only noted
    assert PecRequest.objects.get().status == "NON_ATTIVO"
    ready.operations.filter(kind=Kind.ACTIVATE).update(state=State.ATTENTION, finished_at=timezone.now())
    lifecycle.drop_operation(ready.operations.get(kind=Kind.ACTIVATE).pk, STAFF)
    assert register.follow() == 1
    assert PecRequest.objects.get().status == "ANNULLATO"


def test_staff_who_give_a_closing_up_give_the_days_again(active: PecRequest) -> None:
    days(active.member.ordine, 0)
    active.member.enrolments.update(status="CANCELLATO")
    register.follow()
    lifecycle.drop_operation(active.operations.get(kind=Kind.CLOSE).pk, STAFF)
    days(active.member.ordine, 10)
    assert register.follow() == 1
    assert PecRequest.objects.get().closes_on == timezone.localdate() + timedelta(days=10)


def test_days_that_cannot_be_are_refused(member: Member) -> None:
    for on, why in ((timezone.localdate() + timedelta(days=1), "futuro"), (date(2019, 12, 31), "precede")):
        with pytest.raises(CorrectionRefused, match=why):
            cancel(member, on)
    assert member.enrolments.get().status == "ISCRITTO"


def test_a_transfer_takes_all_along_and_both_ordini_read_of_it(
    active: PecRequest, work: Callable[[], int], domain: PecDomain
) -> None:
    member, to = active.member, OrdineFactory()
    before, number = member.ordine, member.enrolments.get().number
    lifecycle.decide([active.pk], "suspend", STAFF, reason="x")
    assert transfers.hand_over(member.pk, to, STAFF)
    assert not transfers.hand_over(member.pk, to, STAFF)
    work()  # what was under way goes on
    active.refresh_from_db()
    assert (active.status, active.ordine_id, active.member.ordine_id) == ("SOSPESO", to.pk, to.pk)
    in_step()
    entries = LogEntry.objects.filter(action__in=["member.handed_over", "member.received"]).order_by("id")
    assert [(e.ordine, e.person) for e in entries] == [(before.code, member.pk), (to.code, member.pk)]
    assert f"n. {number}" in entries[0].sentence
    mail = Email.objects.get(subject="Il tuo nuovo Ordine")
    assert active.address in mail.message
    assert to.short_name in mail.from_email
    assert register.follow() == 0


def test_no_transfer_to_an_ordine_outside_the_convention(pec: PecRequest, domain: PecDomain) -> None:
    to = OrdineFactory()
    domain.ordini.remove(to)
    with pytest.raises(CorrectionRefused, match=domain.name):
        transfers.hand_over(pec.member_id, to, STAFF)
    lifecycle.decide([pec.pk], "cancel", STAFF, reason="x")
    assert transfers.hand_over(pec.member_id, to, STAFF)


def test_who_has_nothing_moves_and_leaves_without_a_mail_or_a_mailbox(db: None) -> None:
    member = MemberFactory(personal_email="")
    assert transfers.hand_over(member.pk, OrdineFactory(), STAFF)
    assert cancel(member) == 1
    assert subjects() == []
