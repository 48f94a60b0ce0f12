"""Importing in the office: from the upload to the file of rejects, by the pages and the worker's own code."""

from __future__ import annotations

import io
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from django.conf import settings
from django.db import connection, connections
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_scopes import scopes_disabled

from audit.actors import Actor
from audit.models import LogEntry
from members import albi, import_runs, import_working, importing, uploads
from members.import_runs import State
from members.importing import import_albo
from members.models import Enrolment, ImportRun, Member, Ordine
from tests.factories import OrdineFactory
from tests.members.import_office import Office, left, page_of, said
from tests.members.invented import HEADERS, as_csv, line, tax_code

# The worker's watch looks at the run from a connection of its own.
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def everything_in_sight(transactional_db: None, tmp_path: Path, settings: Any) -> Iterator[None]:
    albi.install()
    settings.UPLOADS = tmp_path / "uploads"
    with scopes_disabled():
        yield


@pytest.fixture
def umbria() -> Ordine:
    ordine: Ordine = OrdineFactory(code="umbria")
    return ordine


def test_from_the_file_to_the_rejects(umbria: Ordine) -> None:
    office = Office(umbria)
    import_albo(as_csv([line(1), line(2)]), ordine=umbria, actor=Actor.process("test"))
    lines = [
        line(1, Cellulare="071 1", Data_di_nascita="02/01/1980"),
        line(2),
        line(3),
        line(4, Email=""),
        line(5, Albo="<b>Mago</b>"),
        line(6, Nome="=1+1", Codice_fiscale="X"),
    ]
    run = office.bring(lines, "albo òrdine.csv")
    assert (run.state, run.ordine, run.file_name) == (State.UPLOADED, umbria, "albo òrdine.csv")
    assert oct(os.stat(settings.UPLOADS / run.folder).st_mode)[-3:] == "700"
    assert "In attesa di lettura" in office.page(run) and "hx-get" in office.page(run)

    import_working.carry_out()
    run.refresh_from_db()
    assert run.state == State.READY
    assert run.counts | {"rows": 6, "created": 2, "updated": 1, "unchanged": 1, "rejected": 2} == run.counts
    assert run.counts["tabs"] == {"updated": 1, "rejected": 2, "warned": 2, "created": 2, "unchanged": 1}
    page = office.page(run)
    assert "cellulare: <del>3330000001</del> → <ins>071 1</ins>" in page
    assert "data di nascita: <del>01/01/1980</del> → <ins>02/01/1980</ins>" in page
    assert "Codice fiscale non coerente" in page
    rejected = office.page(run, "?esito=rejected")
    assert '<td data-name="Riga">6</td>' in rejected and "&lt;b&gt;Mago&lt;/b&gt;" in rejected
    assert "L&#x27;albo non è tra quelli" in rejected
    assert tax_code(3) in office.page(run, "?esito=created") and tax_code(2) in office.page(run, "?esito=unchanged")
    assert "attende" in office.page(run, "?esito=warned&pagina=99")
    assert Member.objects.count() == 2

    office.act(run, "confirm")
    office.act(run, "confirm")
    assert run.state == State.CONFIRMED
    import_working.carry_out()
    run.refresh_from_db()
    assert (run.state, run.counts["created"], Member.objects.count()) == (State.DONE, 2, 4)
    assert said(run)[::-1] == ["import.uploaded", "import.confirmed", "albo.imported"]
    entry = LogEntry.objects.get(action="albo.imported", object_id=run.pk)
    assert (entry.actor_id, entry.ip, entry.ordine) == (office.user.pk, "127.0.0.1", "umbria")
    assert "albo òrdine.csv" in entry.sentence
    assert set(LogEntry.objects.filter(action="member.updated").values_list("actor_id", flat=True)) == {office.user.pk}
    assert left(run) == {import_runs.REJECTS}
    assert "Importazione eseguita" in office.page(run) and "(righe 6)" in office.page(run)
    assert "già conclusa" in office.act(run, "cancel") and Member.objects.count() == 4

    answer = office.client.get(reverse("admin:members_importrun_rejects", args=[run.pk]))
    rejects = b"".join(answer.streaming_content)  # type: ignore[attr-defined]
    assert "respinte-albo" in answer["Content-Disposition"] and b"'=1+1" in rejects
    corrected = rejects.decode("utf-8-sig").replace("<b>Mago</b>", "Dietista")
    again = office.read(corrected.encode(), "respinte-albo.csv")
    assert (again.counts["created"], again.counts["rejected"]) == (1, 1)


def test_the_register_changes_between_preview_and_import(umbria: Ordine) -> None:
    office = Office(umbria)
    run = office.read([line(1), line(2)])
    assert run.counts["created"] == 2
    import_albo(as_csv([line(1), line(2, CAP="1")]), ordine=umbria, actor=Actor.process("test"))
    office.act(run, "confirm")
    import_working.carry_out()
    run.refresh_from_db()
    assert run.counts | {"created": 0, "updated": 1, "unchanged": 1} == run.counts


def test_unknown_headers_are_said_once(umbria: Ordine) -> None:
    """The same headers in another order, and the file of rejects, need not be said again."""
    office = Office(umbria)
    renamed = {"Codice fiscale": "Id", "Cognome": "", "Nome": "Chi", "Albo": "Chi"}

    def strange(*lines: dict[str, str], order: list[str] = HEADERS) -> bytes:
        text = as_csv(list(lines), headers=order).getvalue().decode().split("\r\n", 1)
        return "\r\n".join([";".join(renamed.get(h, h) for h in order), text[1]]).encode()

    run = office.read(strange(line(1), line(2, Codice_fiscale="X")))
    assert run.state == State.COLUMNS
    page = office.page(run)
    assert "mancano le intestazioni" in page and "Chi (es. Mario)" in page and "senza intestazione (es. Rossi)" in page
    assert '<option value="stato" selected>' in page

    choice = {**run.mapping, "tax_code": "id", "surname": "#1", "name": "chi", "albo": "chi#2"}
    assert "Indicare la colonna" in office.act(run, "columns", **{**choice, "albo": ""})
    assert "per più campi: «Nome», «Albo»" in office.act(run, "columns", **{**choice, "albo": "chi"})
    assert "Scegli" in office.act(run, "columns", **{**choice, "albo": "nessuna"})
    assert run.state == State.COLUMNS
    office.act(run, "columns", **choice)
    assert "già state indicate" in office.act(run, "columns", **choice)
    import_working.carry_out()
    run.refresh_from_db()
    assert (run.state, run.counts["created"], run.counts["rejected"]) == (State.READY, 1, 1)
    assert "Cognome ← «#1»" in office.page(run)
    rejects = uploads.beside(run.folder, import_runs.REJECTS).read_bytes()

    assert office.read(strange(line(3), order=[*HEADERS[7:], *HEADERS[:7]])).state == State.READY
    assert office.read(rejects).state == State.READY
    elsewhere = Office(OrdineFactory())
    assert elsewhere.read(strange(line(4))).state == State.COLUMNS, "what one Ordine says is not said of another's"

    office.act(run, "ask_columns")
    assert run.state == State.COLUMNS
    office.act(run, "cancel")
    assert (run.state, run.columns, left(run)) == (State.CANCELLED, [], set())


def test_the_file_for_inipec(umbria: Ordine) -> None:
    office = Office(umbria)
    import_albo(as_csv([line(1)]), ordine=umbria, actor=Actor.process("test"))
    text = f"mia@pec.example;Mario;Rossi;1;{tax_code(1)};2;;\nx@pec.example;Mario;Rossi;2;{tax_code(2)};1;;\n"
    run = office.read(text.encode(), "inipec.csv")
    assert (run.kind, run.counts["updated"], run.counts["rejected"]) == ("PEC", 1, 1)
    page = office.page(run)
    assert "PEC propria: <del>–</del> → <ins>mia@pec.example</ins>" in page and "Cambia le colonne" not in page
    assert "va prima importata" in office.page(run, "?esito=rejected")
    office.act(run, "ask_columns")
    office.act(run, "confirm")
    import_working.carry_out()
    run.refresh_from_db()
    assert (run.state, Member.objects.get().own_pec) == (State.DONE, "mia@pec.example")
    assert "pecs.imported" in said(run)


# --- Two at once, cancelling, dying -------------------------------------------------------------------------------


def test_only_one_import_of_an_ordine_at_a_time(umbria: Ordine) -> None:
    office, colleague = Office(umbria), Office(umbria)
    first, second = office.read([line(1)]), colleague.read([line(2)])
    elsewhere = Office(OrdineFactory())
    third = elsewhere.read([line(3)])
    office.act(first, "confirm")
    assert "già in corso un&#x27;altra importazione" in colleague.act(second, "confirm")
    elsewhere.act(third, "confirm")
    assert [run.state for run in (first, second, third)] == [State.CONFIRMED, State.READY, State.CONFIRMED]
    import_working.carry_out()
    colleague.act(second, "confirm")
    assert second.state == State.CONFIRMED

    # The command line has the lock: back to where it was, with the sentence, and nothing lost.
    with holding_the_lock(umbria):
        import_working.carry_out()
    second.refresh_from_db()
    assert (second.state, Member.objects.count()) == (State.READY, 2)
    assert "È già in corso un&#x27;importazione per questo Ordine" in colleague.page(second)
    colleague.act(second, "confirm")
    import_working.carry_out()
    assert Member.objects.count() == 3


@contextmanager
def holding_the_lock(ordine: Ordine) -> Iterator[None]:
    """As ``import_albo`` of the command line holds it."""
    held, over = threading.Event(), threading.Event()

    def hold() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(7316002, %s::integer)", [ordine.pk])
            held.set()
            over.wait(20)
        connections.close_all()

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(20)
    yield
    over.set()
    thread.join()


def test_everybody_at_once(umbria: Ordine) -> None:
    """Each of two members of staff confirms and cancels, twice: one confirmation at most, and one cancellation."""
    offices = [Office(umbria), Office(umbria)]
    run = offices[0].read([line(1)])
    together = threading.Barrier(8)

    def act(office: Office, what: str) -> None:
        client = Client()
        client.force_login(office.user)
        together.wait(20)
        client.post(page_of(run), {"act": what})
        connections.close_all()

    acts = [(office, what) for office in offices for what in ("confirm", "cancel") * 2]
    threads = [threading.Thread(target=act, args=each) for each in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    run.refresh_from_db()
    assert (run.state, left(run), said(run)[0], said(run).count("import.cancelled")) == (
        State.CANCELLED,
        set(),
        "import.cancelled",
        1,
    )
    assert said(run).count("import.confirmed") <= 1


def in_the_middle(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """The worker does this once everything is written, when only the last word is missing."""
    really_write = importing.write

    def write(*args: Any) -> None:
        really_write(*args)
        monkeypatch.setattr(importing, "write", really_write)

        def elsewhere() -> None:
            with scopes_disabled():
                act()
            connections.close_all()

        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()

    monkeypatch.setattr(importing, "write", write)


def test_cancelled_before_the_commit_changes_nothing(umbria: Ordine, monkeypatch: pytest.MonkeyPatch) -> None:
    office = Office(umbria)
    run = office.read([line(1)])
    office.act(run, "confirm")
    in_the_middle(monkeypatch, lambda: office.client.post(page_of(run), {"act": "cancel"}))
    import_working.carry_out()
    run.refresh_from_db()
    assert (run.state, Member.objects.count(), Enrolment.objects.count(), left(run)) == (State.CANCELLED, 0, 0, set())
    assert "Nulla è stato modificato" in office.page(run)
    assert said(run)[::-1] == ["import.uploaded", "import.confirmed", "import.cancelled"]


def test_a_statement_under_way_is_stopped_in_the_database(umbria: Ordine, monkeypatch: pytest.MonkeyPatch) -> None:
    office = Office(umbria)
    run = office.read([line(1)])
    office.act(run, "confirm")
    really_write = importing.write

    def write(*args: Any) -> None:
        really_write(*args)
        thread = threading.Thread(
            target=lambda: (office.client.post(page_of(run), {"act": "cancel"}), connections.close_all())
        )
        thread.start()
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(50)")

    monkeypatch.setattr(importing, "write", write)
    import_working.carry_out()
    run.refresh_from_db()
    assert (run.state, Member.objects.count()) == (State.CANCELLED, 0)
    # The worker goes on with others.
    monkeypatch.setattr(importing, "write", really_write)
    other = office.read([line(1)])
    assert other.state == State.READY


def test_cancelled_while_it_is_read(umbria: Ordine, monkeypatch: pytest.MonkeyPatch) -> None:
    office = Office(umbria)
    run = office.bring([line(1)])
    really_recognise = import_working._recognise

    def recognise(table: Any) -> Any:
        office.client.post(page_of(run), {"act": "cancel"})
        return really_recognise(table)

    monkeypatch.setattr(import_working, "_recognise", recognise)
    import_working.carry_out()
    run.refresh_from_db()
    assert (run.state, left(run)) == (State.CANCELLED, set())


def test_a_worker_that_died_is_noticed(umbria: Ordine) -> None:
    """By its silence; and if it was only slow, what it comes back with does not stand."""
    office = Office(umbria)
    for confirmed in (False, True):
        run = office.read([line(1)]) if confirmed else office.bring([line(1)])
        if confirmed:
            office.act(run, "confirm")
        slow = import_working._claim()
        assert slow and slow.pk == run.pk
        import_runs.end_abandoned()
        run.refresh_from_db()
        assert run.state in import_runs.RUNNING
        ImportRun.objects.update(alive_at=timezone.now() - timedelta(seconds=settings.IMPORT_LEASE_SECONDS + 1))
        import_runs.end_abandoned()
        import_runs.end_abandoned()
        run.refresh_from_db()
        assert (run.state, left(run), said(run).count("import.failed")) == (State.FAILED, set(), 1)
        assert "Ricaricare il file" in office.page(run)
        with pytest.raises(import_working.NotOurs):
            import_working._settle(slow, State.DONE)


def test_while_it_works_the_run_is_said_to_be_alive(umbria: Ordine) -> None:
    office = Office(umbria)
    run = office.bring([line(1)])
    claimed = import_working._claim()
    assert claimed
    long_ago = timezone.now() - timedelta(hours=1)
    ImportRun.objects.update(alive_at=long_ago)
    with import_working._Watch(claimed) as watch:
        deadline = time.monotonic() + 10
        while ImportRun.objects.get(pk=run.pk).alive_at == long_ago and time.monotonic() < deadline:
            watch.check()
        assert (
            "hx-get" in office.client.get(reverse("admin:members_importrun_progress", args=[run.pk])).content.decode()
        )
    assert ImportRun.objects.get(pk=run.pk).alive_at != long_ago
    office.act(run, "cancel")
    gone = office.client.get(reverse("admin:members_importrun_progress", args=[run.pk]))
    assert (gone.status_code, gone["HX-Refresh"]) == (204, "true")
    assert Client().get(reverse("admin:members_importrun_progress", args=[run.pk])).status_code == 204


def test_an_error_nobody_thought_of(umbria: Ordine, monkeypatch: pytest.MonkeyPatch) -> None:
    office = Office(umbria)
    run = office.read([line(1)])
    office.act(run, "confirm")
    monkeypatch.setattr(importing, "write", lambda *_args: 1 / 0)
    import_working.carry_out()
    run.refresh_from_db()
    assert (run.state, Member.objects.count(), left(run)) == (State.FAILED, 0, set())
    assert "errore imprevisto" in office.page(run)


def test_what_is_kept_and_for_how_long(umbria: Ordine) -> None:
    office = Office(umbria)
    done, undecided, open_one = office.read([line(1), line(2, Nome="")]), office.read([line(3)]), office.read([line(4)])
    office.act(done, "confirm")
    import_working.carry_out()
    uploads.source(done.folder).write_bytes(b"left behind")
    stray, fresh = uploads.new_folder(), uploads.new_folder()
    os.utime(settings.UPLOADS / stray, (0, 0))
    ImportRun.objects.filter(pk=undecided.pk).update(uploaded_at=timezone.now() - timedelta(days=8))
    import_runs.forget()
    undecided.refresh_from_db()
    assert (undecided.state, left(undecided), left(done)) == (State.CANCELLED, set(), {import_runs.REJECTS})
    assert left(open_one) >= {"file"}
    assert {name for name, _at in uploads.folders()} == {done.folder, open_one.folder, fresh}
    ImportRun.objects.filter(pk=done.pk).update(ended_at=timezone.now() - timedelta(days=31))
    os.utime(settings.UPLOADS / done.folder, (0, 0))
    import_runs.forget()
    assert left(done) == set()
    assert office.client.get(reverse("admin:members_importrun_rejects", args=[done.pk])).status_code == 404


# --- What is refused -----------------------------------------------------------------------------------------------


def xlsx(rows: int = 2) -> bytes:
    file = io.BytesIO()
    book = xlsxwriter.Workbook(file)
    sheet = book.add_worksheet()
    for row in range(rows):
        sheet.write_row(row, 0, HEADERS if row == 0 else list(line(row).values()))
    book.close()
    return file.getvalue()


HOSTILE: dict[str, tuple[bytes, str]] = {
    "html called csv": (b"<!DOCTYPE html><html><table><tr><td>x</td></tr></table></html>", "pagina web"),
    "pdf": (b"%PDF-1.7 ...", "PDF"),
    "old xls or encrypted xlsx": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "vecchio XLS"),
    "NUL bytes": (b"Cognome;Nome\n\0\0;x\n", "non è un testo"),
    "a million columns": (b";".join([b"x"] * 1_000_000) + b"\n", "troppo lunga|troppe colonne"),
    "ten megabytes in one field": (b"Cognome;Nome\n" + b"x" * 10_000_000 + b";y\n", "troppo lunga"),
    "an open quote": (b'Cognome;Nome\n"' + b"x\n" * 100, "virgolette"),
    "nothing but blanks": (b" \n\n;;\n", "vuoto"),
    "a zip that is no sheet": (b"PK\x03\x04" + bytes(100), "XLSX leggibile"),
    "not a table": (b"Ciao,\ncome stai?\n", "mancano le intestazioni"),
}


def test_hostile_files_end_in_a_sentence(umbria: Ordine) -> None:
    office = Office(umbria)
    for what, (content, sentence) in HOSTILE.items():
        run = office.read(content)
        assert run.state == State.FAILED and re.search(sentence, run.problem), (what, run.problem)
        assert left(run) == set() and said(run)[0] == "import.failed"
    assert "pagina web" in office.page(ImportRun.objects.earliest("pk"))


def test_what_a_file_is_shows_its_content_not_its_name(umbria: Ordine) -> None:
    office = Office(umbria)
    assert office.read(xlsx(), "albo.csv").state == State.READY
    assert office.read([line(1)], "../../albo\x01.XLSX").file_name == "albo.XLSX"
    assert office.read([line(1)], "a" * 200 + ".csv").file_name == "a" * 146 + ".csv"
