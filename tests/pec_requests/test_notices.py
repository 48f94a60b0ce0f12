"""Every mail about a mailbox: in Italian, text and HTML, to whom it concerns."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from post_office.models import Email

from members.models import Member
from pec_requests import engine, lifecycle, notices
from pec_requests.models import PecRequest
from pec_requests.provider import provider
from tests.pec_requests.conftest import STAFF

pytestmark = pytest.mark.django_db


def test_the_whole_life_is_told_once_each(pec: PecRequest, work: Callable[[], int]) -> None:
    work()
    for act in ("accept", "suspend", "resume", "close"):
        lifecycle.decide([pec.pk], act, STAFF, reason="x")
        work()
    told = list(Email.objects.order_by("id").values_list("subject", flat=True))
    assert told == [
        "La tua casella PEC è pronta: accettala per attivarla",
        "La tua casella PEC è attiva",
        "La tua casella PEC è sospesa",
        "La tua casella PEC è di nuovo attiva",
        "La tua casella PEC è stata chiusa",
    ]
    for mail in Email.objects.all():
        assert pec.address in mail.message
        assert pec.address in mail.html_message
        assert pec.member.ordine.short_name in mail.from_email
        assert "{" not in mail.message + mail.subject


def test_what_happened_is_told_in_order_also_where_it_is_over(active: PecRequest, work: Callable[[], int]) -> None:
    """Suspended and resumed before anybody had written: two events, one mail each, however often somebody writes."""
    Email.objects.all().delete()
    for act in ("suspend", "resume"):
        for _click in range(2):
            lifecycle.decide([active.pk], act, STAFF, reason="x")
        engine.run(provider())
    for _writer in range(2):
        notices.write()
    told = list(Email.objects.order_by("id").values_list("subject", flat=True))
    assert told == ["La tua casella PEC è sospesa", "La tua casella PEC è di nuovo attiva"]


def test_a_name_is_never_markup_nor_template(pec: PecRequest) -> None:
    Member.objects.update(name="{{ 7|add:1 }}<b>")
    notices.moved([pec], "suspend")
    assert notices.write() == 1
    mail = Email.objects.get()
    assert "{{ 7|add:1 }}<b>" in mail.message
    assert "{{ 7|add:1 }}&lt;b&gt;" in mail.html_message


def test_whoever_has_no_address_gets_no_mail_and_stops_nothing(pec: PecRequest) -> None:
    Member.objects.update(email_problem="email_missing")
    PecRequest.objects.update(recovery_email="")
    notices.moved([pec], "create")
    assert notices.write() == 1
    assert not Email.objects.exists()
    assert notices.write() == 0


def test_the_alarm_goes_to_the_administrators(db: None, settings: object) -> None:
    settings.ADMINS = [("Amministrazione", "admin@example.com")]  # type: ignore[attr-defined]
    notices.provider_stopped("credenziali errate")
    assert "credenziali errate" in Email.objects.get(to="admin@example.com").message
