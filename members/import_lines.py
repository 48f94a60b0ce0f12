"""One line of a register's file: read, tidied, and judged as far as the line alone and the list of albi allow."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from datetime import date
from functools import lru_cache
from operator import itemgetter

from members import emails, tax_codes
from members.import_columns import HEADERS, Columns, key, match
from members.import_rules import Rejection
from members.models import Albo, Enrolment, Member
from members.names import fold, search_key
from members.spreadsheets import Cell, Table

# What one line says, by name, as text: fields of ``Member`` and ``Enrolment``, dates as YYYY-MM-DD, and what is derived
# from the line alone. Empty where it says nothing: an empty cell erases nothing.
Said = dict[str, str]

_PROVINCES = ("birth_province", "province")
_DATES = ("birth_date", "enrolled_on", "cancelled_on")
_CODED = ("tax_code", "albo", "sex", "status")
_LENGTHS = [
    (field.name, field.max_length)
    for field in (*Member._meta.concrete_fields, *Enrolment._meta.concrete_fields)
    if field.name in HEADERS and field.name not in (*_CODED, *_PROVINCES) and field.max_length
]
_SEXES = {"m": "M", "maschio": "M", "maschile": "M", "f": "F", "femmina": "F", "femminile": "F"}
_DAY_FIRST = re.compile(r"(\d{1,2})([/.-])(\d{1,2})\2(\d{4})", re.ASCII)
_YEAR_FIRST = re.compile(r"(\d{4})([/.-])(\d{1,2})\2(\d{1,2})", re.ASCII)
_MIDNIGHT = re.compile(r"[ T]0{1,2}[:.]00([:.]00(\.0+)?)?$", re.ASCII)
# Controls, and marks that show nothing and come along when text is copied from a page or a PDF.
_INVISIBLE = {ord(c): " " for c in map(chr, [*range(32), *range(127, 160)])} | dict.fromkeys(
    [0xAD, 0xFEFF, *range(0x200B, 0x2010), *range(0x202A, 0x202F), 0x2060]
)
_STATUSES = frozenset(Enrolment.Status.values)
_ENROLLED = (Enrolment.Status.ISCRITTO.value, Enrolment.Status.SOSPESO.value)
_YEARS = range(1900, 2101)
# Longer than any date, sex or albo: what is remembered of cells has its bound also in length.
_SHORT = 200


class _Refused(Exception):
    pass


def read_lines(table: Table, *, today: date, columns: Columns | None = None) -> Iterator[tuple[int, str, Said]]:
    """Of every line of the table, in its order: its number, its ``Rejection`` or an empty text, and what it says.

    One query, for the albi, which is made here and not when the first line is asked for: by then the connection may be
    taken by a COPY. Nothing is kept from one line to the next but short texts that files repeat. ``columns``: where
    the headers do not say it.
    """
    reader = _Reader(match(table.headers) if columns is None else columns, len(table.headers), today)
    return (reader.judge(number, cells) for number, cells in table.rows)


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

    def __init__(self, columns: Columns, width: int, today: date) -> None:
        self._width = width
        self._has_status = "status" in columns
        # One place beyond the last column there is always an empty text, for the columns that the file has not.
        self._pick = itemgetter(*(columns.get(name, width) for name in HEADERS))
        self._albi = {key(albo.name): (str(albo.pk), _is_open(albo, today)) for albo in Albo.objects.all()}
        self._albo = lru_cache(maxsize=512)(self._find_albo)

    def judge(self, number: int, cells: list[Cell]) -> tuple[int, str, Said]:
        try:
            return number, "", self._read(cells)
        except _Refused as refusal:
            return number, str(refusal), {}

    def _read(self, cells: list[Cell]) -> Said:
        texts = _clean_row(cells)
        beyond = texts[self._width :]
        del texts[self._width :]
        texts += [""] * (self._width + 1 - len(texts))
        said: Said = dict(zip(HEADERS, self._pick(texts), strict=True))
        _identify(said)
        self._enrol(said)
        if any(beyond):
            raise _Refused(Rejection.CELLS_MISPLACED)
        _describe(said)
        _derive(said)
        return said

    def _enrol(self, said: Said) -> None:
        try:
            for name in _DATES:
                if said[name]:
                    said[name] = _as_iso(said[name])
        except ValueError:
            raise _Refused(Rejection.DATE_INVALID) from None
        find = self._albo if len(said["albo"]) < _SHORT else self._find_albo
        said["albo_id"], is_open = find(said["albo"])
        status = said["status"] = said["status"].upper()
        if not said["albo_id"]:
            raise _Refused(Rejection.ALBO_UNKNOWN)
        # The cancellation of an enrolment in an albo that is closed stands if that enrolment is on record.
        said["closed_albo"] = "f" if is_open else "t"
        if not is_open and status != "CANCELLATO":
            raise _Refused(Rejection.ALBO_CLOSED)
        if self._has_status and status not in _STATUSES:
            raise _Refused(Rejection.STATUS_UNKNOWN)
        # Whoever is enrolled again is no longer cancelled.
        said["says_cancelled"] = "t" if said["cancelled_on"] or status in _ENROLLED else "f"

    def _find_albo(self, text: str) -> tuple[str, bool]:
        return self._albi.get(key(text), ("", False))


def _clean_row(cells: list[Cell]) -> list[str]:
    """``clean`` of every cell. One look at all their text shows that most rows are clean as they are."""
    try:
        row = f"|{'|'.join(cells)}|"  # type: ignore[arg-type]  # which is what the except is for
    except TypeError:
        return [clean(cell) for cell in cells]
    tidy = row.isprintable() and "  " not in row and "| " not in row and " |" not in row
    if tidy and (row.isascii() or unicodedata.is_normalized("NFC", row)):
        return list(cells)  # type: ignore[arg-type]  # all text, or joining them had failed
    return [clean(cell) for cell in cells]


def _identify(said: Said) -> None:
    code = said["tax_code"] = tax_codes.normalise(said["tax_code"])
    if not code:
        raise _Refused(Rejection.CF_MISSING)
    if not tax_codes.is_valid(code):
        raise _Refused(Rejection.CF_INVALID)
    if not (said["surname"] and said["name"]):
        raise _Refused(Rejection.NAME_MISSING)


def _describe(said: Said) -> None:
    for name, length in _LENGTHS:
        if len(said[name]) > length:
            raise _Refused(Rejection.VALUE_TOO_LONG)
    sex = said["sex"]
    said["sex"] = _sex(sex) if len(sex) < _SHORT else ""
    for name in _PROVINCES:
        said[name] = _province(said[name])


def _derive(said: Said) -> None:
    """What follows from the line alone, so that the database need only compare."""
    code, surname, name, email = said["tax_code"], said["surname"], said["name"], said["personal_email"]
    said["search_key"] = search_key(surname, name)
    said["name_agrees"] = "t" if tax_codes.agrees_with_name(code, surname, name) else "f"
    said["code_born"], said["code_sex"] = tax_codes.born_and_sex(code)
    said["email_problem"] = emails.problem(email).value if email else ""
    said["email_key"], said["pec_key"] = email.casefold(), said["own_pec"].casefold()


def _as_iso(text: str) -> str:
    return _remembered_date(text) if len(text) < _SHORT else _iso(text)


def _iso(text: str) -> str:
    found = read_date(text)
    return found.isoformat() if found else ""


_remembered_date = lru_cache(maxsize=32_768)(_iso)


@lru_cache(maxsize=512)
def _sex(text: str) -> str:
    return _SEXES.get(fold(text), "")


def _is_open(albo: Albo, today: date) -> bool:
    return (albo.valid_from is None or albo.valid_from <= today) and (albo.valid_to is None or today <= albo.valid_to)


def _province(text: str) -> str:
    """The two letters, also out of ``(AN)``; empty for anything longer, which is not a sign of a province."""
    letters = text.strip("() ").upper()
    return letters if len(letters) == 2 and letters.isalpha() else ""
