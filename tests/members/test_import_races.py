"""Imports that meet other imports, and members at work, half-way."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import IntegrityError, connection, connections, transaction
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


def test_a_member_who_moves_meanwhile_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the comparison and the lock somebody else's transaction gives the person to another Ordine."""
    umbria, lazio = ordine("umbria"), ordine("lazio")
    run([line(1), line(2)], umbria)
    really_lock = importing.lock_touched

    def transfer() -> None:
        with scopes_disabled():
            Member.objects.filter(tax_code=tax_code(1)).update(ordine=lazio)
        connections.close_all()

    def meanwhile() -> bool:
        thread = threading.Thread(target=transfer)
        thread.start()
        thread.join()
        return really_lock()

    monkeypatch.setattr(importing, "lock_touched", meanwhile)
    result = run([line(1, CAP="1"), line(2, CAP="2")], umbria)
    assert [(o.outcome, o.code) for o in result.lines] == [("rejected", "other_ordine"), ("updated", "")]
    assert [(m.ordine, m.postcode) for m in Member.objects.order_by("tax_code")] == [(lazio, "60100"), (umbria, "2")]


def test_what_is_touched_is_locked_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    umbria = ordine("umbria")
    run([line(1), line(2), line(3)], umbria)
    really_write = importing.write
    free: list[str] = []

    def look() -> None:
        with scopes_disabled(), transaction.atomic():
            people = Member.objects.select_for_update(skip_locked=True).order_by("tax_code")
            free.extend(people.values_list("tax_code", flat=True))
        connections.close_all()

    def meanwhile(*args: Any) -> None:
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
        really_write(*args)

    monkeypatch.setattr(importing, "write", meanwhile)
    run([line(1, CAP="1"), line(2), line(3, Albo="Dietista")], umbria)
    assert free == [tax_code(2)]


def test_two_ordini_bring_the_same_people_in_opposite_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both are about to write at the same moment: whoever comes second waits, looks again and rejects them all."""
    lines = [line(number) for number in range(300)]
    into = [(ordine("umbria"), lines), (ordine("lazio"), lines[::-1])]
    really_write = importing.write
    together = threading.Barrier(2, timeout=20)
    waited: set[int] = set()
    results: list[ImportResult] = []

    def meanwhile(*args: Any) -> None:
        if threading.get_ident() not in waited:
            waited.add(threading.get_ident())
            together.wait()
        really_write(*args)

    def bring(where: Ordine, what: list[dict[str, str]]) -> None:
        with scopes_disabled():
            results.append(run(what, where))
        connections.close_all()

    monkeypatch.setattr(importing, "write", meanwhile)
    threads = [threading.Thread(target=bring, args=args) for args in into]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted((result.created, result.rejected) for result in results) == [(0, 300), (300, 0)]
    assert Member.objects.values("ordine").distinct().count() == 1


def test_a_register_that_never_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    def clash(*args: Any) -> None:
        raise IntegrityError

    monkeypatch.setattr(importing, "write", clash)
    with pytest.raises(ImportBusy, match="stanno cambiando"):
        run([line(1)], ordine("umbria"))
    assert not Member.objects.exists()
