"""The log: append-only, sealed in batches, and a change behind our back is found."""

from __future__ import annotations

import threading

import pytest
from django.db import IntegrityError, connection, transaction

import members.log_sentences
import pec_requests.log_sentences
from audit import log, sealing, verifying, words
from audit.actors import Actor
from audit.models import LogEntry
from tests.audit.chain import DEMO, seal_all, write


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
    assert verifying.verify().broken is None


@pytest.mark.django_db
def test_hostile_words_are_kept_as_words_and_stop_nothing() -> None:
    """Nobody's act fails because of what somebody typed, or the provider said."""
    hostile = [
        "=cmd|'/c calc'!A1",
        "<script>alert(1)</script>",
        "{address.__class__}",
        "a\0b",
        "\ud800",
        "\\u0000",
        "x" * 9000,
    ]
    for said in hostile:
        log.record("prova", Actor(name="=1+1" * 100, ip="192.0.2.1"), said=said, many=[{said: said}])
    kept = [entry.detail["said"] for entry in LogEntry.objects.order_by("id")]
    assert kept == [*hostile[:3], "a\ufffdb", "\ufffd", *hostile[5:]]
    assert len(LogEntry.objects.first().actor_name) == 150  # type: ignore[union-attr]  # just written
    assert words.sentence("pec.create", {"address": "{0}{x!r:>{y}}"}) == "Casella {0}{x!r:>{y}} creata dal gestore"


@pytest.mark.django_db
@pytest.mark.parametrize("column", ["at = now() - interval '1 day'", "transaction = 1"])
def test_an_entry_cannot_be_dated_back(column: str) -> None:
    """Not even by who may insert: the moment and the transaction are the database's own."""
    name, _equals, value = column.partition(" = ")
    columns = f"actor_name, action, object_type, ordine, detail, {name}"
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO audit_logentry ({columns}) VALUES ('x', 'x', '', '', '{{}}', {value})")


@pytest.mark.django_db
def test_every_action_has_words() -> None:
    for action in {*members.log_sentences.SENTENCES, *pec_requests.log_sentences.SENTENCES}:
        assert words.sentence(action, {}) != action
