"""The log: append-only, sealed in batches, and a change behind our back is found."""

from __future__ import annotations

import threading
import time
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction

import members.log_sentences
import pec_requests.log_sentences
from audit import log, sealing, words
from audit.actors import Actor
from audit.models import LogEntry

DEMO = Actor.process("prova")


def write(count: int = 1) -> None:
    log.record_many(log.entry("prova", DEMO, number=n) for n in range(count))


@pytest.mark.django_db
@pytest.mark.parametrize("statement", ["UPDATE audit_logentry SET actor_name = 'altri'", "DELETE FROM audit_logentry"])
def test_the_database_refuses_to_change_an_entry(statement: str) -> None:
    write()
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert LogEntry.objects.get().actor_name == "prova"


@pytest.mark.django_db
def test_entries_for_what_a_query_finds() -> None:
    """They are what ``record_many`` would have written, and are sealed like any others."""
    query = (
        "SELECT n AS object_id, n AS person, jsonb_build_object('of', %(of)s) AS detail FROM generate_series(1, 2) n"
    )
    actor = Actor(name="anna", user_id=7, ip="192.0.2.1")
    log.record_rows("prova", actor, LogEntry, query, {"of": "10%"}, ordine="umbria")
    written = list(LogEntry.objects.order_by("object_id").values(*log.entry("", actor)))
    assert written == [log.entry("prova", actor, LogEntry(pk=n), person=n, ordine="umbria", of="10%") for n in (1, 2)]
    assert sealing.unsealed() == 2
    log.record_rows("prova", DEMO, LogEntry, "SELECT 1 AS object_id, NULL::bigint AS person, '{}'::jsonb AS detail")
    assert LogEntry.objects.latest("id").actor_name == "prova"


def tamper(statement: str) -> None:
    """As the owner of the table could, with the trigger out of the way."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_logentry DISABLE TRIGGER USER")
        cursor.execute(statement)
        cursor.execute("ALTER TABLE audit_logentry ENABLE TRIGGER USER")


def seal_all() -> int:
    """Seal until nothing is left: transactions of other tests, in other databases of the server, hold the seal back."""
    deadline, sealed = time.monotonic() + 20, 0
    while sealed < 1 or sealing.unsealed():
        assert time.monotonic() < deadline
        sealed += sealing.seal()
    return sealed


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_logentry SET detail = '{}' WHERE id = (SELECT min(id) FROM audit_logentry)",
        "UPDATE audit_logentry SET actor_name = 'altri' WHERE id = (SELECT max(id) FROM audit_logentry)",
        "DELETE FROM audit_logentry WHERE id = (SELECT min(id) FROM audit_logentry)",
    ],
)
def test_tampering_is_found(statement: str) -> None:
    for _batch in range(3):
        write(2)
        assert seal_all() == 2
    call_command("verify_audit", stdout=StringIO())
    tamper(statement)
    with pytest.raises(CommandError, match="alterato"):
        call_command("verify_audit", stdout=StringIO())


@pytest.mark.django_db(transaction=True)
def test_a_seal_taken_out_of_the_chain_is_missed() -> None:
    for _batch in range(3):
        write()
        seal_all()
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_seal DISABLE TRIGGER USER")
        cursor.execute("DELETE FROM audit_seal WHERE id = (SELECT min(id) + 1 FROM audit_seal)")
        cursor.execute("ALTER TABLE audit_seal ENABLE TRIGGER USER")
    assert sealing.verify() is not None


@pytest.mark.django_db(transaction=True)
def test_an_entry_of_a_slow_transaction_is_sealed_later_and_not_lost() -> None:
    written, go_on = threading.Event(), threading.Event()

    def slow() -> None:
        with transaction.atomic():
            write()
            written.set()
            go_on.wait(10)
        connection.close()

    thread = threading.Thread(target=slow)
    thread.start()
    written.wait(10)
    write()
    assert sealing.seal() == 0  # an older transaction is still running
    go_on.set()
    thread.join(10)
    assert seal_all() == 2
    assert sealing.verify() is None


@pytest.mark.django_db
def test_every_action_has_words() -> None:
    for action in {*members.log_sentences.SENTENCES, *pec_requests.log_sentences.SENTENCES}:
        assert words.sentence(action, {}) != action
