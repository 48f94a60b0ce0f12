"""Reminders: on the days that the Ordine chose, each once for ever, and none to who has nothing left to do."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.forms import modelform_factory
from django.utils import timezone
from django_scopes import scopes_disabled
from post_office.models import PRIORITY, Email

from members import preferences
from members.models import Member, Ordine
from pec_requests import lifecycle, notices, reminders
from pec_requests.models import Notice, PecDomain, PecRequest, Told
from tests.factories import MemberFactory
from tests.pec_requests.conftest import STAFF
from tests.pec_requests.test_claim_plan import steps
from tests.pec_requests.test_lifecycle import ready

pytestmark = pytest.mark.django_db


def aged(days: float) -> None:
    """All requests have been where they are for so long."""
    PecRequest.objects.update(status_at=timezone.now() - timedelta(days=days))


def swept() -> list[str]:
    """One sweep, and what it says to whom."""
    Email.objects.all().delete()
    reminders.remind()
    notices.write()
    return list(Email.objects.order_by("id").values_list("subject", flat=True))


@pytest.fixture
def waiting(pec: PecRequest) -> PecRequest:
    """A casella that waits to be accepted; the mail that says so has gone."""
    ready(pec)
    notices.write()
    return pec


def test_each_day_is_called_to_mind_once(waiting: PecRequest) -> None:
    told = {}
    for days in (0, 6.9, 7.1, 8, 14.9, 15.1, 24, 25.1, 26, 400):
        aged(days)
        told[days] = swept() + swept()
    assert {days: mails for days, mails in told.items() if mails} == {
        7.1: ["La tua casella PEC ti aspetta da 7 giorni"],
        15.1: ["La tua casella PEC ti aspetta da 15 giorni"],
        25.1: ["La tua casella PEC ti aspetta da 25 giorni"],
    }


def test_what_it_says(waiting: PecRequest) -> None:
    aged(15.2)
    swept()
    mail = Email.objects.get()
    for part in (mail.message, mail.html_message):
        assert waiting.address in part and "/utente/scheda-anagrafica/richieste-pec/" in part
        assert "da 15 giorni" in part and "premi Rifiuta" in part and "Finché non la accetti" in part
    assert preferences.unsubscribe_link(waiting.member) in mail.headers["List-Unsubscribe"]
    assert mail.priority == PRIORITY.low


def test_after_a_month_without_a_sweep_there_is_one(waiting: PecRequest) -> None:
    aged(40)
    assert swept() == ["La tua casella PEC ti aspetta da 40 giorni"]
    assert not swept() and Told.objects.get().what == "reminder 25"


def test_the_row_is_what_keeps_the_second_mail_away(waiting: PecRequest) -> None:
    aged(8)
    assert len(swept()) == 1
    PecRequest.objects.update(reminded=0)
    assert not swept() and PecRequest.objects.get().reminded == 7


def test_other_days_and_none(waiting: PecRequest) -> None:
    """Another policy counts from now on: a day before one that was told of is over."""
    aged(16)
    Ordine.objects.update(reminder_days=[])
    assert not swept()
    Ordine.objects.update(reminder_days=[20, 10])  # in whatever order
    assert len(swept()) == 1
    Ordine.objects.update(reminder_days=[5, 10, 20])
    assert not swept()
    aged(20.1)
    assert len(swept()) == 1


def test_nobody_is_reminded_who_has_nothing_left_to_do(waiting: PecRequest) -> None:
    """Also where that came about between the sweep and the mail."""

    def meanwhile(act: Callable[[], object]) -> int:
        with transaction.atomic():
            aged(8)
            assert reminders.remind() == 1
            act()
            notices.write()
            count = Email.objects.filter(subject__contains="aspetta").count()
            transaction.set_rollback(True)
        return count

    assert meanwhile(lambda: None) == 1
    assert not meanwhile(lambda: lifecycle.decide([waiting.pk], "accept", STAFF))
    assert not meanwhile(lambda: lifecycle.decide([waiting.pk], "refuse", STAFF))
    assert not meanwhile(lambda: lifecycle.decide([waiting.pk], "cancel", STAFF, reason="x"))
    assert not meanwhile(lambda: preferences.set_reminders(waiting.member, False, STAFF))
    assert not meanwhile(lambda: PecRequest.objects.update(closes_on=timezone.localdate()))
    lifecycle.decide([waiting.pk], "accept", STAFF)
    aged(8)
    assert not reminders.remind()


def test_who_was_told_that_it_is_ready_after_accepting_is_not_asked_to(pec: PecRequest) -> None:
    ready(pec)
    lifecycle.decide([pec.pk], "accept", STAFF)
    notices.write()
    assert not Email.objects.exists()


def test_so_many_at_once_and_the_rest_later(member: Member, domain: PecDomain, settings: Any) -> None:
    everybody = [MemberFactory(ordine=member.ordine).pk for _n in range(4)] + [MemberFactory().pk]
    for made in lifecycle.request_pec(everybody, domain, STAFF).created:
        ready(made)
    aged(8)
    settings.REMINDERS_AT_ONCE = 2
    assert [reminders.remind() for _sweep in range(4)] == [2, 2, 1, 0]
    assert set(Told.objects.values_list("request__member", flat=True)) == set(everybody)


@pytest.mark.parametrize("analysed", [False, True])
def test_nobody_is_looked_at_who_is_not_due(member: Member, domain: PecDomain, analysed: bool) -> None:
    """However many wait, and whatever PostgreSQL knows of them."""
    members = [MemberFactory(ordine=member.ordine).pk for _n in range(20)]
    for made in lifecycle.request_pec(members, domain, STAFF).created:
        ready(made)
    aged(3)
    with connection.cursor() as cursor:
        if analysed:
            cursor.execute("ANALYZE pec_requests_pecrequest")
        cursor.execute(reminders._BY_INDEX)
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {reminders._REMIND}", {"act": "reminder", "at_once": 500})
        plan = list(steps(cursor.fetchone()[0][0]["Plan"]))
    (read,) = [s for s in plan if s.get("Index Name", "").startswith("request") and s["Actual Loops"]]
    assert (read["Index Name"], read["Actual Rows"]) == ("request_to_accept", 0)
    assert not read.get("Rows Removed by Filter")


@pytest.mark.parametrize(
    ("days", "said"),
    [
        ("7, 7", "una volta sola"),
        ("0", "da 1 a 365"),
        ("366", "da 1 a 365"),
        ("1,2,3,4,5,6,7", "Al massimo 6"),
        ("sette", "numero intero"),
        ("7, 15, 25", ""),
        ("", ""),
    ],
)
def test_the_days_that_an_ordine_may_choose(days: str, said: str) -> None:
    form = modelform_factory(Ordine, fields=["reminder_days"])({"reminder_days": days})
    assert form.is_valid() is not bool(said)
    assert said in str(form.errors)


@pytest.fixture
def many(transactional_db: None) -> int:
    ids = [MemberFactory().pk for _n in range(12)]
    for made in lifecycle.request_pec(ids, PecDomain.objects.get(name="tsrm.org"), STAFF).created:
        ready(made)
    Notice.objects.all().delete()
    aged(8)
    return len(ids)


def elsewhere(act: Callable[[], int]) -> int:
    try:
        with scopes_disabled():
            return act()
    finally:
        connection.close()


def test_two_sweeps_and_two_writers_at_once(many: int) -> None:
    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(elsewhere, [reminders.remind] * 4)) == many
        assert sum(pool.map(elsewhere, [notices.write] * 4)) == many
    assert sorted(to for mail in Email.objects.all() for to in mail.to) == sorted(
        Member.objects.values_list("personal_email", flat=True)
    )


def test_a_sweep_that_dies_has_done_nothing(many: int) -> None:
    """The server ends the connection of a process that was killed, and all that it had not committed with it."""

    def killed() -> None:
        with transaction.atomic():
            assert reminders.remind() == many
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(elsewhere, lambda: killed() or 0).exception()
    assert not Told.objects.exists() and not Notice.objects.exists()
    assert reminders.remind() == many and reminders.remind() == 0
