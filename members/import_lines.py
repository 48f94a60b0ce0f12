"""One line of a register's file: read, tidied, and judged as far as the line alone and the list of albi allow."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from members import tax_codes
from members.import_columns import key, match
from members.import_rules import Rejection
from members.models import Albo, Enrolment, Member
from members.names import fold
from members.spreadsheets import Cell, Table

_TEXTS = (
    "surname",
    "name",
    "birth_place",
    "file_number",
    "personal_email",
    "mobile",
    "own_pec",
    "address",
    "postcode",
    "town",
)
_PROVINCES = ("birth_province", "province")
_LENGTHS = {
    **{f.name: f.max_length for f in Member._meta.concrete_fields},
    "number": Enrolment._meta.get_field("number").max_length,
}
_SEXES = {"m": "M", "maschio": "M", "maschile": "M", "f": "F", "femmina": "F", "femminile": "F"}
_DAY_FIRST = re.compile(r"(\d{1,2})([/.-])(\d{1,2})\2(\d{4})", re.ASCII)
_YEAR_FIRST = re.compile(r"(\d{4})([/.-])(\d{1,2})\2(\d{1,2})", re.ASCII)
_MIDNIGHT = re.compile(r"[ T]0{1,2}[:.]00([:.]00(\.0+)?)?$", re.ASCII)
# Controls, and marks that show nothing and come along when text is copied from a page or a PDF.
_INVISIBLE = {ord(c): " " for c in map(chr, [*range(32), *range(127, 160)])} | dict.fromkeys(
    [0xAD, 0xFEFF, *range(0x200B, 0x2010), *range(0x202A, 0x202F), 0x2060]
)
_YEARS = range(1900, 2101)


@dataclass(slots=True)
class Line:
    """What one line says. ``code`` is why it is rejected, empty where nothing is wrong with it so far.

    ``person`` and ``enrolment`` hold fields of ``Member`` and ``Enrolment``, only those for which the line has a value:
    an empty cell says nothing. ``closed_albo`` marks the cancellation of an enrolment in an albo that is closed, which
    stands only if that enrolment is on record.
    """

    number: int
    cells: list[Cell]
    code: str = ""
    tax_code: str = ""
    albo_id: int = 0
    person: dict[str, Any] = field(default_factory=dict)
    enrolment: dict[str, Any] = field(default_factory=dict)
    closed_albo: bool = False

    def says_the_same_as(self, other: Line) -> bool:
        """Whether two lines, of one person and albo, have the same content."""
        return self.person == other.person and self.enrolment == other.enrolment


class _Refused(Exception):
    pass


def read_lines(table: Table, *, today: date) -> Iterator[Line]:
    """Every line of the table, in its order. One query, for the albi."""
    reader = _Reader(match(table.headers), len(table.headers), today)
    for number, cells in table.rows:
        yield reader.read(number, cells)


def clean(cell: Cell) -> str:
    """Text without controls, its blanks single, its accents in one piece; dates as day/month/year."""
    if isinstance(cell, date):
        return cell.strftime("%d/%m/%Y")
    if not cell.isascii():
        cell = unicodedata.normalize("NFC", cell)
    return " ".join(cell.translate(_INVISIBLE).split())


def read_date(cell: Cell) -> date | None:
    """A date written with the day or the year first, four digits of year, or a spreadsheet's own; None when empty.

    ``ValueError`` when it does not exist, cannot be read, or is of no living person's time.
    """
    if isinstance(cell, date):
        found = cell
    else:
        text = _MIDNIGHT.sub("", clean(cell))
        if not text:
            return None
        if day_first := _DAY_FIRST.fullmatch(text):
            found = date(int(day_first[4]), int(day_first[3]), int(day_first[1]))
        elif year_first := _YEAR_FIRST.fullmatch(text):
            found = date(int(year_first[1]), int(year_first[3]), int(year_first[4]))
        else:
            raise ValueError("not a date")
    if found.year not in _YEARS:
        raise ValueError("not a date of this time")
    return found


class _Reader:
    """The columns of one file and the albi as they are now."""

    def __init__(self, columns: Mapping[str, int], width: int, today: date) -> None:
        self._columns = columns
        self._width = width
        self._albi = {key(albo.name): (albo.pk, _is_open(albo, today)) for albo in Albo.objects.all()}

    def read(self, number: int, cells: list[Cell]) -> Line:
        line = Line(number, cells)
        try:
            self._identify(line)
            self._enrol(line)
            self._describe(line)
        except _Refused as refusal:
            line.code = str(refusal)
        return line

    def _cell(self, line: Line, name: str) -> Cell:
        position = self._columns.get(name, self._width)
        return line.cells[position] if position < min(self._width, len(line.cells)) else ""

    def _text(self, line: Line, name: str) -> str:
        return clean(self._cell(line, name))

    def _identify(self, line: Line) -> None:
        line.tax_code = tax_codes.normalise(self._text(line, "tax_code"))
        if not line.tax_code:
            raise _Refused(Rejection.CF_MISSING)
        if not tax_codes.is_valid(line.tax_code):
            raise _Refused(Rejection.CF_INVALID)
        if not (self._text(line, "surname") and self._text(line, "name")):
            raise _Refused(Rejection.NAME_MISSING)

    def _enrol(self, line: Line) -> None:
        try:
            born, enrolled, cancelled = (
                read_date(self._cell(line, name)) for name in ("birth_date", "enrolled_on", "cancelled_on")
            )
        except ValueError:
            raise _Refused(Rejection.DATE_INVALID) from None
        status = self._status(line)
        line.albo_id, is_open = self._albi.get(key(self._text(line, "albo")), (0, False))
        if not line.albo_id:
            raise _Refused(Rejection.ALBO_UNKNOWN)
        line.closed_albo = not is_open
        if line.closed_albo and status != Enrolment.Status.CANCELLATO:
            raise _Refused(Rejection.ALBO_CLOSED)
        if status is None:
            raise _Refused(Rejection.STATUS_UNKNOWN)
        if born:
            line.person["birth_date"] = born
        if enrolled:
            line.enrolment["enrolled_on"] = enrolled
        if status:
            line.enrolment["status"] = status
        # Whoever is enrolled again is no longer cancelled.
        if cancelled or status in (Enrolment.Status.ISCRITTO, Enrolment.Status.SOSPESO):
            line.enrolment["cancelled_on"] = cancelled

    def _status(self, line: Line) -> str | None:
        """One of the three; empty where the file has no such column; None where the cell holds anything else."""
        if "status" not in self._columns:
            return ""
        text = self._text(line, "status").upper()
        return text if text in Enrolment.Status.values else None

    def _describe(self, line: Line) -> None:
        if any(clean(cell) for cell in line.cells[self._width :]):
            raise _Refused(Rejection.CELLS_MISPLACED)
        line.person |= {name: text for name in _TEXTS if (text := self._text(line, name))}
        if sex := _SEXES.get(fold(self._text(line, "sex"))):
            line.person["sex"] = sex
        for name in _PROVINCES:
            if province := _province(self._text(line, name)):
                line.person[name] = province
        if number := self._text(line, "number"):
            line.enrolment["number"] = number
        for name, value in (line.person | line.enrolment).items():
            if isinstance(value, str) and len(value) > (_LENGTHS.get(name) or len(value)):
                raise _Refused(Rejection.VALUE_TOO_LONG)


def _is_open(albo: Albo, today: date) -> bool:
    return (albo.valid_from is None or albo.valid_from <= today) and (albo.valid_to is None or today <= albo.valid_to)


def _province(text: str) -> str:
    """The two letters, also out of ``(AN)``; empty for anything longer, which is not a sign of a province."""
    letters = text.strip("() ").upper()
    return letters if len(letters) == 2 and letters.isalpha() else ""
