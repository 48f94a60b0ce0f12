"""What a worker does for the imports of the office: it reads files, so that somebody may confirm, and imports them.

While it is at work, a thread says so on the run's row, again and again, and looks whether the run is still its own. If
not (somebody cancelled, or a sweep thought the worker dead) what the worker is doing is stopped wherever it is, in the
database too. Whether an import stands is decided in its own transaction, under the lock of that row.
"""

from __future__ import annotations

import io
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, BinaryIO, cast

import psycopg
import structlog
from django.db import Error, connection, transaction
from django.db.models.functions import Now
from django.utils.translation import gettext as _
from django_scopes import scopes_disabled

from audit.actors import Actor
from members import import_columns, import_pecs, progress, uploads
from members.import_columns import Columns
from members.import_lines import clean
from members.import_preview import Preview
from members.import_rejects import write_rejects
from members.import_result import Concerned, ImportResult
from members.import_runs import REJECTS, RUNNING, State, every_run, fail, locked, move
from members.importing import Follower, ImportBusy, import_register
from members.models import ColumnMapping, ImportRun
from members.progress import Progress
from members.spreadsheets import Table, UnreadableFile, read_table

logger = structlog.get_logger(__name__)

Kind = ImportRun.Kind
_BEAT_SECONDS = 0.5
_BUFFER = 2**18
# Of headers and examples as somebody sees them who says which column is which.
_SHORT = 80


class NotOurs(Exception):
    """The run is no longer this worker's: whatever it has done must not stand."""


def carry_out() -> None:
    """Whatever waits, one after the other."""
    with scopes_disabled():
        while run := _claim():
            _work(run)


def progress_of(run: ImportRun) -> str:
    """The name under which its progress is told."""
    return f"import-{run.pk}"


def _claim() -> ImportRun | None:
    with transaction.atomic():
        waiting = ImportRun.objects.filter(state__in=(State.UPLOADED, State.CONFIRMED)).order_by("pk")
        run = waiting.select_related("ordine").select_for_update(of=("self",), skip_locked=True).first()
        if run:
            turn = State.READING if run.state == State.UPLOADED else State.IMPORTING
            move(run, turn, claim=uuid.uuid4(), alive_at=Now())
        return run


def _work(run: ImportRun) -> None:
    try:
        progress.tell(progress_of(run), Progress(_("Lettura del file")))
        with _Watch(run) as watch:
            if run.state == State.READING:
                to, values = _read(run, watch)
            else:
                _import(run, watch)
        if run.state == State.READING:
            _settle(run, to, **values)
    except Exception as error:  # whatever it is, the run must not be left as if somebody were at it
        _give_up(run, error)


def _give_up(run: ImportRun, error: Exception) -> None:
    if connection.connection is not None and not connection.is_usable():
        connection.close()
    try:
        if isinstance(error, ImportBusy):
            _settle(run, State.READY, problem=str(error))
        elif isinstance(error, UnreadableFile):
            _settle(run, State.FAILED, problem=str(error))
        else:
            _settle(run, State.FAILED, problem=_("C'è stato un errore imprevisto: nulla è stato importato. Riprovare."))
            logger.error("import_failed", run=run.pk, exc_info=error)
    except NotOurs:
        # It may have been committed, and only the answer was lost.
        stands = ImportRun.objects.filter(pk=run.pk, state=State.DONE).exists()
        uploads.discard(run.folder, but=REJECTS if stands else "")
        logger.info("import_stopped", run=run.pk)


def _settle(run: ImportRun, to: State, **values: Any) -> None:
    """Write what came of it, if the run is still ours."""
    with transaction.atomic():
        now = locked(run.pk)
        if now.claim != run.claim or now.state not in RUNNING:
            raise NotOurs
        if to == State.FAILED:
            fail(now, **values)
        else:
            move(now, to, claim=None, alive_at=None, **values)


# --- The two turns ----------------------------------------------------------------------------------------------------


def _read(run: ImportRun, watch: _Watch) -> tuple[State, dict[str, Any]]:
    """What the file would do, for somebody to see; or, where nobody knows its columns, what columns it has."""
    with _table(run, watch) as table:
        kind, table = _recognise(table)
        values: dict[str, Any] = {"kind": kind}
        columns: Columns = import_pecs.COLUMNS
        if kind == Kind.ALBO:
            first, table = table.peek()
            names = import_columns.names(table.headers)
            examples = [clean(cell)[:_SHORT] for cell in first[: len(names)]]
            examples += [""] * (len(names) - len(examples))
            headers = [clean(header)[:_SHORT] for header in table.headers]
            values["columns"] = list(zip(names, headers, examples, strict=True))
            try:
                columns = _columns(run, table)
            except UnreadableFile as problem:
                if len(list(filter(None, headers))) < len(import_columns.REQUIRED):
                    raise
                found = import_columns.guess(table.headers)
                return State.COLUMNS, {**values, "problem": str(problem), "mapping": _by_name(found, names)}
            values["mapping"] = _by_name(columns, names)
        folder = uploads.beside(run.folder, "")
        with Preview(folder) as preview:
            follower = _Reading(run, watch, preview, columns)
            result = _import_table(run, table, kind, columns, follower, dry_run=True)
        return State.READY, {**values, "counts": _counts(result, tabs=follower.tabs), "problem": ""}


def _import(run: ImportRun, watch: _Watch) -> None:
    """Settled in the transaction of the import: both stand, or neither."""
    with _table(run, watch) as table:
        kind, table = _recognise(table)
        columns = import_pecs.COLUMNS
        if kind == Kind.ALBO:
            columns = dict(import_columns.place(run.mapping, table.headers))
        result = _import_table(run, table, kind, columns, _Importing(run, watch), dry_run=False)
    uploads.discard(run.folder, but=REJECTS if result.rejected else "")


def _recognise(table: Table) -> tuple[Kind, Table]:
    is_pecs, table = import_pecs.recognise(table)
    return (Kind.PEC if is_pecs else Kind.ALBO), table


def _columns(run: ImportRun, table: Table) -> Columns:
    """As somebody chose for this file, or for one with these headers, or as the headers say."""
    if run.mapping:
        return import_columns.place(run.mapping, table.headers)
    digest = import_columns.digest(table.headers)
    remembered = ColumnMapping.objects.filter(ordine=run.ordine, headers=digest).first()
    if remembered:
        return import_columns.place(remembered.mapping, table.headers)
    return import_columns.match(table.headers)


def _by_name(columns: Columns, names: list[str]) -> dict[str, str]:
    return {field: names[position] for field, position in columns.items()}


def _import_table(
    run: ImportRun, table: Table, kind: Kind, columns: Columns, follower: Follower, *, dry_run: bool
) -> ImportResult:
    actor = Actor.process("importazioni") if dry_run else Actor(**run.confirmed_by)
    if kind == Kind.PEC:
        return import_pecs.import_pecs(table, ordine=run.ordine, actor=actor, dry_run=dry_run, follower=follower)
    return import_register(table, ordine=run.ordine, actor=actor, dry_run=dry_run, columns=columns, follower=follower)


def _counts(result: ImportResult, **more: Any) -> dict[str, Any]:
    concerned = Concerned.by(result.lines)
    reasons = [[reason, count, concerned.numbers(reason)] for reason, count in concerned.count.most_common()]
    return {**result.counts, "reasons": reasons, **more}


def _write_rejects(run: ImportRun, result: ImportResult) -> None:
    with uploads.beside(run.folder, REJECTS).open("w", encoding="utf-8-sig", newline="") as file:
        write_rejects(result, file)


# --- Looking on -------------------------------------------------------------------------------------------------------


@dataclass
class _Telling(Follower):
    run: ImportRun
    watch: _Watch

    def phase(self, name: str) -> None:
        self.watch.check()
        progress.tell(progress_of(self.run), Progress(name))


@dataclass
class _Reading(_Telling):
    preview: Preview
    columns: Columns
    tabs: dict[str, int] | None = None

    def judged(self, result: ImportResult, details: str) -> None:
        self.tabs = self.preview.write(result, details, self.columns)
        _write_rejects(self.run, result)


@dataclass
class _Importing(_Telling):
    def __post_init__(self) -> None:
        self.subject = self.run

    def judged(self, result: ImportResult, details: str) -> None:
        """The last word: afterwards there is only the commit."""
        _write_rejects(self.run, result)
        _settle(self.run, State.DONE, counts=_counts(result))


@contextmanager
def _table(run: ImportRun, watch: _Watch) -> Iterator[Table]:
    raw = _Followed(run, watch)
    with io.BufferedReader(raw, _BUFFER) as file, read_table(cast("BinaryIO", file)) as table:
        yield replace(table, name=run.file_name)


class _Followed(io.FileIO):
    """The file of a run, which notices when the run is over, and tells how far it has been read."""

    def __init__(self, run: ImportRun, watch: _Watch) -> None:
        super().__init__(uploads.source(run.folder))
        self._run, self._watch = run, watch
        # The first time, which is quick, is to find out how its text is written.
        self._read, self._size = -run.file_size, run.file_size
        self._told = 0.0

    def readinto(self, buffer: Any, /) -> int | None:
        self._watch.check()
        count = super().readinto(buffer)
        self._read += count or 0
        if time.monotonic() > self._told + _BEAT_SECONDS:
            self._told = time.monotonic()
            progress.tell(progress_of(self._run), Progress(_("Lettura del file"), max(0, self._read), self._size))
        return count


class _Watch:
    """While this is open, the run is said to be worked on; once it is somebody else's, ``check`` raises, and whatever
    statement this thread has in the database is cancelled there.
    """

    def __init__(self, run: ImportRun) -> None:
        self._run = run
        self._lost = False
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name=f"import-{run.pk}", daemon=True)

    def __enter__(self) -> _Watch:
        connection.ensure_connection()
        self._working: Any = connection.connection
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        self._thread.join()
        if self._lost:
            # A cancellation on its way would meet the next statement.
            connection.close()

    def check(self) -> None:
        if self._lost:
            raise NotOurs

    def _watch(self) -> None:
        try:
            while not self._over.wait(_BEAT_SECONDS):
                try:
                    self._beat()
                except (Error, psycopg.Error):  # the work itself will notice, if it lasts
                    logger.warning("import_beat_missed", run=self._run.pk, exc_info=True)
                    connection.close()
        finally:
            connection.close()

    def _beat(self) -> None:
        ours = every_run().filter(pk=self._run.pk, claim=self._run.claim, state__in=RUNNING)
        if not ours.update(alive_at=Now()):
            self._lost = True
            self._working.cancel_safe(timeout=5)
