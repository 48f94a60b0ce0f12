"""Imports that meet other imports, and members at work, half-way."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, connections
from django.utils import timezone
from django_scopes import scopes_disabled

from audit.actors import Actor
from members import albi, importing
from members.import_result import ImportResult
from members.importing import ImportBusy, import_albo
from members.models import Member, Ordine
from tests.members.invented import as_csv, line, ordine, tax_code

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def everything_in_sight(transactional_db: None) -> Iterator[None]:
    albi.install()
    with scopes_disabled():
        yield


def run(lines: list[dict[str, str]], into: Ordine) -> ImportResult:
    return import_albo(as_csv(lines), ordine=into, actor=Actor.process("test"))


def test_a_second_import_of_the_same_ordine_is_refused() -> None:
    umbria, lazio = ordine("umbria"), ordine("lazio")
    locked, done = threading.Event(), threading.Event()

    def hold() -> None:
        with connection.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("SELECT pg_advisory_xact_lock(7316002, %s::integer)", [umbria.pk])
            locked.set()
            done.wait(20)
            cursor.execute("ROLLBACK")
        connections.close_all()

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        assert locked.wait(20)
        with pytest.raises(ImportBusy, match="già in corso"):
            run([line(1)], umbria)
        assert run([line(2)], lazio).created == 1
    finally:
        done.set()
        thread.join()
    assert run([line(1)], umbria).created == 1


def test_two_ordini_bring_the_same_new_person_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second finds the person only when it writes; it starts again and rejects the line."""
    umbria, lazio = ordine("umbria"), ordine("lazio")
    really_write = importing.write

    def meanwhile(*args: Any) -> None:
        monkeypatch.setattr(importing, "write", really_write)
        thread = threading.Thread(target=lambda: (run([line(1)], lazio), connections.close_all()))
        thread.start()
        thread.join()
        really_write(*args)

    monkeypatch.setattr(importing, "write", meanwhile)
    result = run([line(1), line(2)], umbria)
    assert (result.created, [o.code for o in result.lines]) == (1, ["other_ordine"])
    assert Member.objects.get(tax_code=tax_code(1)).ordine == lazio


def test_what_a_member_changes_meanwhile_is_not_overwritten(monkeypatch: pytest.MonkeyPatch) -> None:
    umbria = ordine("umbria")
    run([line(1)], umbria)
    really_compare = importing.compare

    def then_confirm(into: Ordine) -> int:
        people = really_compare(into)
        Member.objects.update(personal_email="mia@example.it", email_confirmed_at=timezone.now())
        return people

    monkeypatch.setattr(importing, "compare", then_confirm)
    told = run([line(1, Email="nuova@example.it", CAP="1")], umbria).lines
    assert [(o.outcome, o.warnings) for o in told] == [("updated", ["email_kept"])]
    assert Member.objects.get().personal_email == "mia@example.it"
