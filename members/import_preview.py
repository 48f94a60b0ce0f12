"""What an import would do, line by line, kept in files until somebody has decided.

For each tab there is a file of pages, each compressed by itself, and a file of the places at which they end. So a
million lines are written as they come out of the database, and any page of them is found at once.
"""

from __future__ import annotations

import json
import zlib
from array import array
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from django.db import connection, models
from django.utils.translation import gettext_lazy as _

from members.import_columns import Columns
from members.import_result import ImportResult
from members.import_rules import Outcome, Rejection, Warn
from members.models import Enrolment, Member

PER_PAGE = 50
# Of a cell of a rejected line: it may be as long as a record.
_SHORT = 100


class Tab(models.TextChoices):
    """What one can look at. The values are those of ``Outcome``, and lines that are accepted with a warning."""

    UPDATED = Outcome.UPDATED.value, _("Aggiornate")
    REJECTED = Outcome.REJECTED.value, _("Respinte")
    WARNED = "warned", _("Con avvisi")
    CREATED = Outcome.CREATED.value, _("Nuove")
    UNCHANGED = Outcome.UNCHANGED.value, _("Invariate")


@dataclass(frozen=True)
class Shown:
    """A line as the preview shows it. ``changes`` is field → [value on record, value of the file]."""

    line: int
    surname: str
    name: str
    tax_code: str
    albo: str | None
    number: str | None
    reasons: str
    changes: dict[str, list[str | None]]

    @property
    def why(self) -> list[str]:
        """Why it is rejected, or what it is warned of, in words."""
        words = dict([*Rejection.choices, *Warn.choices])
        return [str(words[reason]) for reason in self.reasons.split(",") if reason]

    @property
    def changed(self) -> list[tuple[str, str, str]]:
        """The name of each field, its value on record and its value in the file."""
        return [(_label(field), _value(field, old), _value(field, new)) for field, (old, new) in self.changes.items()]


def _label(field: str) -> str:
    model: type[models.Model] = Enrolment if field in _OF_ENROLMENT else Member
    return str(model._meta.get_field(field).verbose_name)  # type: ignore[union-attr]  # it is no relation


_OF_ENROLMENT = ("number", "enrolled_on", "status", "cancelled_on")
_DATES = ("birth_date", "enrolled_on", "cancelled_on")


def _value(field: str, value: str | None) -> str:
    return "/".join(reversed(value.split("-"))) if value and field in _DATES else value or ""


class Preview:
    """Writes the pages. A context manager: outside nothing is open."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open = ExitStack()
        self._tabs: dict[str, _Pages] = {}

    def __enter__(self) -> Preview:
        for tab in Tab.values:
            self._tabs[tab] = self._open.enter_context(_Pages(self._folder, tab))
        return self

    def __exit__(self, *error: Any) -> None:
        self._open.__exit__(*error)

    def write(self, result: ImportResult, details: str, columns: Columns) -> dict[str, int]:
        """All lines, from the open transaction and the rejected ones from the file; how many each tab has."""
        with connection.cursor() as cursor, cursor.copy(f"COPY ({details}) TO STDOUT") as copy:
            copy.set_types(["text", "bool", "text"])
            for outcome, is_warned, text in copy.rows():
                self._tabs[outcome].add(text)
                if is_warned:
                    self._tabs[Tab.WARNED].add(text)
        for rejected in result.rejects:
            said = [_cell(rejected.cells, columns.get(field)) for field in _REJECTED]
            self._tabs[Tab.REJECTED].add(json.dumps([rejected.line, *said, rejected.code, {}]))
        return {tab: pages.count for tab, pages in self._tabs.items()}


_REJECTED = ("surname", "name", "tax_code", "albo", "number")


def _cell(cells: list[str], position: int | None) -> str:
    return cells[position][:_SHORT] if position is not None and position < len(cells) else ""


class _Pages:
    def __init__(self, folder: Path, tab: str) -> None:
        self._pages, self._places = folder / f"{tab}.pages", folder / f"{tab}.places"
        self._lines: list[str] = []
        self._ends = array("Q")
        self.count = 0

    def __enter__(self) -> _Pages:
        self._file = self._pages.open("wb")
        return self

    def add(self, text: str) -> None:
        self._lines.append(text)
        self.count += 1
        if len(self._lines) == PER_PAGE:
            self._turn()

    def _turn(self) -> None:
        self._file.write(zlib.compress(f"[{','.join(self._lines)}]".encode(), 1))
        self._ends.append(self._file.tell())
        self._lines.clear()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None and self._lines:
            self._turn()
        self._file.close()
        if kind is None:
            self._places.write_bytes(self._ends.tobytes())


def read_page(folder: Path, tab: Tab, number: int) -> list[Shown]:
    """A page by its number, from 1. Nothing where there is no such page, or no preview any more."""
    try:
        with (folder / f"{tab}.places").open("rb") as places:
            begin = _place(places, number - 1) if number > 1 else 0
            end = _place(places, number)
        with (folder / f"{tab}.pages").open("rb") as pages:
            pages.seek(begin)
            lines = json.loads(zlib.decompress(pages.read(end - begin)))
    except (FileNotFoundError, IndexError):
        return []
    return [Shown(*line) for line in lines]


def _place(places: Any, number: int) -> int:
    places.seek((number - 1) * 8)
    return int(array("Q", places.read(8))[0])
