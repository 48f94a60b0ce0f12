"""Importing an Ordine's register from a file: all of it, in one transaction, or nothing.

Every line is judged while it is read and goes straight into a table of the transaction. There, in SQL, the lines are
compared with what is on record; the rows they would touch are locked and compared once more, so that nothing changed
meanwhile is overwritten; what differs is written. In memory there is never more than a handful of lines.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, TypeVar

from django.db import DatabaseError, IntegrityError, OperationalError, connection, transaction
from django.db.models import Model
from django.utils import timezone
from django.utils.translation import gettext as _
from psycopg.errors import DeadlockDetected

from audit import log
from audit.actors import Actor
from members.import_columns import Columns
from members.import_comparing import DETAILS, OUTCOMES, compare, compare_again
from members.import_lines import clean, read_lines
from members.import_result import ImportResult
from members.import_rules import Outcome
from members.import_staging import stage
from members.import_writing import lock_touched, write
from members.models import Ordine
from members.spreadsheets import Table, UnreadableFile, read_table

MAX_LINES = 1_000_000
# Any fixed number: with the Ordine's primary key it names the lock of its imports.
_IMPORT_LOCK = 7_316_002
_ATTEMPTS = 3
# Sorts and joins of the whole file, in one session; and no compiling, which pays only for what runs much longer. A
# statement whose process has died must not go on for minutes, with its locks.
_SETTINGS = """
SET LOCAL work_mem = '64MB'; SET LOCAL jit = off; SET LOCAL client_connection_check_interval = '5s'
"""
_Line = TypeVar("_Line")


class ImportBusy(Exception):
    """Another import of the same Ordine is running, or the register changed under this one. Its text is a sentence."""


class Follower:
    """Whoever looks on while an import is under way; this one does not care."""

    # What the entry of the log is about; None: the Ordine.
    subject: Model | None = None

    def phase(self, name: str) -> None:
        """A part of the work begins that takes its time."""

    def judged(self, result: ImportResult, details: str) -> None:
        """Every line has its outcome, in the tables of the open transaction, where ``details`` is a query for them.
        What this raises undoes everything.
        """


NOBODY = Follower()


@dataclass(frozen=True)
class Work:
    """What the importing of one kind of file consists of. See this module, and ``import_pecs``."""

    action: str
    lines: Iterator[Any]
    stage: Callable[[Iterator[Any]], int]
    # What would be done, without doing it; and all of it. Both return how many people the file is about.
    compare: Callable[[Ordine], int]
    carry_out: Callable[[Ordine, Actor, Follower], int]
    outcomes: str
    details: str


def import_albo(
    source: str | os.PathLike[str] | BinaryIO, *, ordine: Ordine, actor: Actor, dry_run: bool = False
) -> ImportResult:
    """Import a register into an Ordine. Raises ``UnreadableFile`` or ``ImportBusy``, and then nothing has changed."""
    with read_table(source) as table:
        return import_register(table, ordine=ordine, actor=actor, dry_run=dry_run)


def import_register(
    table: Table,
    *,
    ordine: Ordine,
    actor: Actor,
    dry_run: bool = False,
    columns: Columns | None = None,
    follower: Follower = NOBODY,
) -> ImportResult:
    """The same from an open table, whose columns may be known otherwise than by its headers."""
    work = Work(
        action="albo.imported",
        lines=read_lines(table, today=timezone.localdate(), columns=columns),
        stage=stage,
        compare=compare,
        carry_out=_carry_out,
        outcomes=OUTCOMES,
        details=DETAILS,
    )
    return import_table(table, work, ordine=ordine, actor=actor, dry_run=dry_run, follower=follower)


def import_table(
    table: Table, work: Work, *, ordine: Ordine, actor: Actor, dry_run: bool, follower: Follower
) -> ImportResult:
    """All of a table, in one transaction, or nothing."""
    result = ImportResult(table.name, table.headers, table.delimiter, dry_run)
    with transaction.atomic():
        if not dry_run:
            _lock(ordine)
        with connection.cursor() as cursor:
            cursor.execute(_SETTINGS)
        result.rows = work.stage(_bounded(work.lines))
        follower.phase(_("Confronto con l'albo"))
        result.members = work.compare(ordine) if dry_run else work.carry_out(ordine, actor, follower)
        follower.phase(_("Conteggio delle righe"))
        _tell(result, work.outcomes)
        _hand_back(result, table)
        follower.judged(result, work.details)
        if dry_run:
            transaction.set_rollback(True)
        else:
            subject = follower.subject or ordine
            log.record(work.action, actor, subject, ordine=ordine.code, file=result.file, **result.counts)
    return result


def _lock(ordine: Ordine) -> None:
    """One import of an Ordine at a time; released by the end of the transaction, also when the process is killed."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s, %s::integer)", [_IMPORT_LOCK, ordine.pk])
        if not cursor.fetchone()[0]:
            raise ImportBusy(_("È già in corso un'importazione per questo Ordine: riprovare quando è finita."))


def _bounded(lines: Iterator[_Line]) -> Iterator[_Line]:
    for count, line in enumerate(lines, 1):
        if count > MAX_LINES:
            raise UnreadableFile(_("Il file ha più di %(lines)d righe: va diviso.") % {"lines": MAX_LINES})
        yield line


def _carry_out(ordine: Ordine, actor: Actor, follower: Follower) -> int:
    """Compare, lock, compare again, write. Once more when somebody else inserted the same person meanwhile, or when the
    triggers met in a circle somebody who locks what they write. Returns how many people the import is about.
    """
    for _attempt in range(_ATTEMPTS):
        try:
            with transaction.atomic():
                people = compare(ordine)
                if lock_touched():
                    people = compare_again(ordine)
                follower.phase(_("Scrittura nell'albo"))
                write(ordine, actor)
                return people
        except IntegrityError as error:
            clash: DatabaseError = error
        except OperationalError as error:
            if not isinstance(error.__cause__, DeadlockDetected):
                raise
            clash = error
    raise ImportBusy(_("I dati dell'albo stanno cambiando: riprovare l'importazione tra poco.")) from clash


def _tell(result: ImportResult, outcomes: str) -> None:
    """Count the lines, and keep those of interest."""
    counted: Counter[str] = Counter()
    with connection.cursor() as cursor, cursor.copy(f"COPY ({outcomes}) TO STDOUT") as copy:
        copy.set_types(["int4", "text", "text", "text"])
        for line, outcome, code, warnings in copy.rows():
            result.lines.add(line, outcome, code or "", warnings)
            counted[outcome] += 1
            result.warnings += len(warnings.split(",")) if warnings else 0
    result.updated, result.unchanged = counted[Outcome.UPDATED], counted[Outcome.UNCHANGED]
    result.rejected = counted[Outcome.REJECTED]
    result.created = result.rows - result.updated - result.unchanged - result.rejected


def _hand_back(result: ImportResult, table: Table) -> None:
    """Find the rejected lines in the file once more: while it was read, nobody knew all of them."""
    if not result.rejected:
        return
    rejected = (line for line in result.lines if line.code)
    wanted = next(rejected, None)
    for number, cells in table.again():
        if wanted and number == wanted.line:
            result.rejects.add(number, [cell if isinstance(cell, str) else clean(cell) for cell in cells], wanted.code)
            wanted = next(rejected, None)
