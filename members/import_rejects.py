"""The file of the rejected lines: their own columns and the reason, ready to be corrected and imported again."""

from __future__ import annotations

from typing import TextIO

from defusedcsv import csv

from members.import_columns import REASON, key
from members.import_result import ImportResult
from members.import_rules import Rejection


def write_rejects(result: ImportResult, file: TextIO) -> None:
    """Write CSV with the delimiter of the file that was read; a line that was rejected before gets its reason anew.

    ``file`` is opened with ``encoding="utf-8-sig", newline=""``, so that spreadsheets read its accents.
    """
    reason = str(REASON)
    kept = [position for position, header in enumerate(result.headers) if key(header) != key(reason)]
    writer = csv.writer(file, delimiter=result.delimiter)
    writer.writerow([*(result.headers[position] for position in kept), reason])
    for rejected in result.rejects:
        beyond = rejected.cells[len(result.headers) :]
        known = [_at(rejected.cells, position) for position in kept]
        writer.writerow([*known, Rejection(rejected.code).label, *beyond])


def _at(cells: list[str], position: int) -> str:
    return cells[position] if position < len(cells) else ""
