"""Importing a register: against a bare COPY of the same rows, against itself, against django-import-export."""

from __future__ import annotations

import io
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from django.db import connection, transaction

from audit.models import LogEntry
from bench import people, scene
from bench.report import Report
from members.importing import import_albo
from members.models import Enrolment, Member, Ordine

_TABLES = ("members_member", "members_enrolment", "audit_logentry")


def importing(report: Report) -> None:
    """100,000 new lines, with the log, against a bare COPY of all they write; then the same file again."""
    number = 100_000
    times: list[tuple[float, float, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        file = people.write(Path(folder) / "albo.csv", number)
        for _round in range(3):
            ordine = nobody()
            first = seconds(partial(_import, file, ordine, created=number))
            again = seconds(partial(_import, file, ordine, unchanged=number))
            times.append((first, again, _bare_copy(number)))
    first, again, bare = (statistics.median(column) for column in zip(*times, strict=True))
    report.fact("import of 100,000 lines: seconds new, again, bare COPY", f"{first:.1f} {again:.1f} {bare:.1f}")
    report.at_least("  new lines, speed against the bare COPY", bare / first, 0.33)
    report.at_most("  unchanged lines, time against new ones", again / first, 1)


def import_export(report: Report) -> None:
    """10,000 new lines, against django-import-export with its preview and confirmation."""
    from bench.import_export import preview_and_confirm

    number = 10_000
    with tempfile.TemporaryDirectory() as folder:
        file = people.write(Path(folder) / "albo.csv", number)
        ordine = nobody()
        theirs = seconds(partial(preview_and_confirm, file, ordine))
        assert Enrolment.objects.count() == Member.objects.count() == number
        ours = statistics.median(_once(file, number) for _round in range(3))
    report.fact("import of 10,000 lines: seconds, django-import-export and ours", f"{theirs:.1f} {ours:.2f}")
    report.at_least("  ours, against django-import-export", theirs / ours, 60)


def import_memory(report: Report) -> None:
    """A million lines, by a process of its own."""
    number = 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        file = people.write(Path(folder) / "albo.csv", number)
        ordine = nobody()
        for outcome in ("created", "unchanged"):
            began = time.monotonic()
            command = [sys.executable, "-m", "bench.importer", str(file), ordine.code]
            figures = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
            assert figures[outcome] == number
            report.fact(f"import of 1,000,000 lines, {outcome}: seconds", f"{time.monotonic() - began:.0f}")
            report.at_most("  memory of the process: MiB", figures["kib"] / 1024, 150)
    nobody()


def nobody() -> Ordine:
    scene.clear()
    forget_log()
    scene.tidy()
    ordine, _made = Ordine.objects.get_or_create(code="bench", defaults={"name": "Ordine", "short_name": "Ordine"})
    return ordine


def forget_log() -> None:
    """The log refuses to be emptied; here it must be as small before each round as before the first."""
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE audit_logentry, audit_seal")


def _import(file: Path, ordine: Ordine, **expected: int) -> None:
    result = import_albo(file, ordine=ordine, actor=scene.BENCH)
    assert result.warnings == 0 and {name: result.counts[name] for name in expected} == expected, result.counts


def _once(file: Path, number: int) -> float:
    ordine = nobody()
    return seconds(partial(_import, file, ordine, created=number))


def _bare_copy(number: int) -> float:
    """Seconds of COPY of what the import wrote, as a file, into the same tables, emptied."""
    texts = {table: copied(table) for table in _TABLES}
    nobody()
    return seconds(partial(copy_all, texts))


def copied(table: str) -> bytes:
    text, rows = io.BytesIO(), f"SELECT {_columns(table)} FROM {table} ORDER BY id"
    with connection.cursor() as cursor, cursor.copy(f"COPY ({rows}) TO STDOUT") as copy:
        text.writelines(copy)
    return text.getvalue()


def copy_all(texts: dict[str, bytes]) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        for table, text in texts.items():
            with cursor.copy(f"COPY {table} ({_columns(table)}) FROM STDIN") as copy:
                copy.write(text)


def _columns(table: str) -> str:
    """All of them, but when an entry of the log was written: that is the database's to say."""
    with connection.cursor() as cursor:
        found = [column.name for column in connection.introspection.get_table_description(cursor, table)]
    own = {"at", "transaction"} if table == LogEntry._meta.db_table else set()
    return ", ".join(connection.ops.quote_name(name) for name in found if name not in own)


def seconds(act: Callable[[], object]) -> float:
    began = time.monotonic()
    act()
    return time.monotonic() - began


MEASURES = [importing, import_export, import_memory]
