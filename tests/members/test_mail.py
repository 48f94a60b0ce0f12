"""Mail: in the Ordine's name, in the caller's transaction, safe whatever people are called, sent once."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.conf import settings as django_settings
from django.core import mail as outbox
from django.db import connection, transaction
from django.utils import timezone
from post_office.models import STATUS, Email

from members import mail, tasks
from members.models import Member, Ordine
from members.wake import wake
from tests.factories import OrdineFactory

TEMPLATES = Path(django_settings.BASE_DIR) / "templates" / "mail"


@pytest.fixture
def to_outbox(settings: Any) -> None:
    settings.POST_OFFICE = {
        **settings.POST_OFFICE,
        "BACKENDS": {"default": "django.core.mail.backends.locmem.EmailBackend"},
        "THREADS_PER_PROCESS": 1,
    }


def invite(ordine: Ordine | None = None, to: str = "mario@example.com", **person: Any) -> Email:
    member = Member(**{"name": "Mario", "surname": "Rossi", **person})
    context = {"member": member, "link": "https://albo.example/invito/abc/", "days": 30}
    mail.send("invitation", to=to, ordine=ordine, context=context)
    return Email.objects.latest("id")


@pytest.mark.django_db
def test_the_ordine_speaks_and_is_answered() -> None:
    ordine = OrdineFactory(short_name="Ordine Marche", email="segreteria@marche.example", address="Via Tommasi 21")
    row = invite(ordine)
    assert row.from_email == "Ordine Marche <noreply@albo-pec.example>"
    assert row.headers["Reply-To"] == "Ordine Marche <segreteria@marche.example>"
    assert "Via Tommasi 21" in row.message and "Via Tommasi 21" in row.html_message
    assert row.status == STATUS.queued and row.subject and "\n" not in row.subject


@pytest.mark.django_db
def test_without_an_ordine_the_portal_speaks() -> None:
    row = invite()
    assert row.from_email == "Albo PEC <noreply@albo-pec.example>" and "Reply-To" not in row.headers


@pytest.mark.django_db
def test_names_are_text_and_nothing_else() -> None:
    row = invite(name="{{ link }}{% now 'Y' %}", surname="D'Angelo <b>&</b>")
    assert "{{ link }}{% now 'Y' %} D'Angelo <b>&</b>" in row.message
    assert "{{ link }}" in row.html_message and "<b>&</b>" not in row.html_message


@pytest.mark.django_db
def test_no_name_adds_a_header(to_outbox: None) -> None:
    ordine = OrdineFactory(short_name="Ordine\r\nBcc: tutti@example.com")
    row = invite(ordine)
    assert "\n" not in row.from_email + row.headers["Reply-To"]
    mail.drain()
    assert outbox.outbox[0].message()["Bcc"] is None


@pytest.mark.django_db(transaction=True)
def test_a_mail_falls_with_its_transaction(no_messages: list[str]) -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        invite()
        raise ZeroDivisionError
    assert not Email.objects.exists() and not no_messages


@pytest.mark.django_db(transaction=True)
def test_many_mails_wake_the_worker_once(no_messages: list[str]) -> None:
    with transaction.atomic():
        for _mail in range(3):
            invite()
        with transaction.atomic():
            invite()
    assert no_messages == [mail.SEND_TASK]


@pytest.mark.django_db(transaction=True)
def test_a_wake_up_survives_a_savepoint_that_does_not(no_messages: list[str]) -> None:
    with transaction.atomic():
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            wake("a.task")
            raise ZeroDivisionError
        wake("a.task")
    assert no_messages == ["a.task"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("broker")
def test_a_broker_that_is_down_stops_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    from kombu.exceptions import OperationalError

    def down(*args: Any, **kwargs: Any) -> None:
        raise OperationalError("nobody there")

    monkeypatch.setattr("members.wake.current_app.send_task", down)
    invite()
    assert Email.objects.count() == 1


@pytest.mark.django_db
def test_mails_are_sent_once(to_outbox: None) -> None:
    for _mail in range(3):
        invite()
    tasks.send_mail()
    tasks.send_mail()
    assert len(outbox.outbox) == 3
    assert set(Email.objects.values_list("status", flat=True)) == {STATUS.sent}
    assert outbox.outbox[0].alternatives and outbox.outbox[0].extra_headers["Auto-Submitted"] == "auto-generated"


@pytest.mark.django_db(transaction=True)
def test_two_senders_do_not_meet(to_outbox: None) -> None:
    invite()
    held, over = threading.Event(), threading.Event()

    def other_sender() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [mail._SENDER_LOCK])
            held.set()
            over.wait(timeout=20)
            cursor.execute("SELECT pg_advisory_unlock(%s)", [mail._SENDER_LOCK])
        connection.close()

    thread = threading.Thread(target=other_sender)
    thread.start()
    held.wait(timeout=20)
    assert mail.drain() == 0 and not outbox.outbox
    over.set()
    thread.join()
    assert mail.drain() == 1


@pytest.mark.django_db
def test_texts_with_links_are_blanked_and_rows_go(to_outbox: None) -> None:
    invite()
    mail.drain()
    waiting = invite()
    with time_machine.travel(timezone.now() + timedelta(days=2)):
        tasks.forget_old_links()
        sent = Email.objects.get(status=STATUS.sent)
        assert not sent.message and not sent.html_message
    with time_machine.travel(timezone.now() + timedelta(days=31)):
        tasks.forget_old_links()
        assert Email.objects.get() == waiting and waiting.message


@pytest.mark.parametrize("name", sorted({path.name.split(".")[0] for path in TEMPLATES.glob("*.subject.txt")}))
def test_every_mail_has_its_three_parts(name: str) -> None:
    assert {(TEMPLATES / f"{name}.{part}").exists() for part in ("subject.txt", "txt", "html")} == {True}
