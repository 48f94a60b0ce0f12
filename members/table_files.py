"""Tables of any length as CSV or XLSX, made while they are being sent, and safe to open in a spreadsheet.

A cell is text, a date, or None. ``spreadsheets`` reads either back as it was.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from itertools import chain, islice

from defusedcsv import csv
from xlsxwriter import Workbook

Cell = str | date | None
Row = Sequence[Cell]

# Rows that are written together.
_BATCH = 500
# No sheet has more rows, its headings included; and its XML stays below what a zip holds without extensions.
SHEET_ROWS = 2**20
_SHEET_BYTES = 1_900_000_000
_CELL_LENGTH = 32_767
# What XML cannot say at all, and what it must say otherwise.
_UNSPEAKABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_ESCAPED = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})
# Spreadsheets count days so that 1 March 1900 is day 61; before it they do not agree on any.
_DAY_ZERO, _FIRST_DAY = date(1899, 12, 30).toordinal(), date(1900, 3, 1)
_COLUMN_WIDTH = 18


def csv_file(headers: Sequence[str], rows: Iterable[Row]) -> Iterator[bytes]:
    """CSV as the spreadsheets of this country open it: ``;``, dates dd/mm/yyyy, UTF-8 with its mark.

    What a spreadsheet would take for a formula has an apostrophe before it.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=";")
    yield b"\xef\xbb\xbf"
    for some in _batches(chain([headers], rows)):
        writer.writerows([_as_text(cell) for cell in row] for row in some)
        yield text.getvalue().encode("utf-8", "replace")
        text.seek(0)
        text.truncate()


def xlsx_file(name: str, headers: Sequence[str], rows: Iterable[Row]) -> Iterator[bytes]:
    """A workbook of one sheet called ``name``, and of more where one is full. Text is text, never a formula."""
    frame = _Frame(name, headers)
    pipe = _Pipe()
    batches = _batches(rows)
    batch = next(batches, [])
    sheets = 0
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        while batch or not sheets:
            sheets += 1
            with archive.open(_part(sheets), "w") as part:
                size = part.write(frame.begins[min(sheets, 2)])
                number = 1
                while batch and number + len(batch) <= SHEET_ROWS and size < _SHEET_BYTES:
                    size += part.write("".join([frame.row(number + n, row) for n, row in enumerate(batch, 1)]).encode())
                    number += len(batch)
                    yield from pipe.taken()
                    batch = next(batches, [])
                part.write(frame.end)
        for entry, content in _model(name, headers, sheets).items():
            if entry not in map(_part, range(1, sheets + 1)):
                archive.writestr(entry, content)
    yield from pipe.taken()


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    iterator = iter(rows)
    while some := list(islice(iterator, _BATCH)):
        yield some


def _as_text(cell: Cell) -> str:
    if isinstance(cell, date):
        return f"{cell.day:02}/{cell.month:02}/{cell.year:04}"
    return cell or ""


def _part(sheet: int) -> str:
    return f"xl/worksheets/sheet{sheet}.xml"


def _model(name: str, headers: Sequence[str], sheets: int) -> dict[str, bytes]:
    """The parts of a workbook whose sheets have their headings and, below, one date."""
    file = io.BytesIO()
    with Workbook(file, {"constant_memory": True}) as workbook:
        heading, day = workbook.add_format({"bold": True}), workbook.add_format({"num_format": "dd/mm/yyyy"})
        for number in range(1, sheets + 1):
            sheet = workbook.add_worksheet(name if number == 1 else f"{name} {number}")
            sheet.freeze_panes(1, 0)
            sheet.set_column(0, len(headers) - 1, _COLUMN_WIDTH)
            for column, header in enumerate(headers):
                sheet.write_string(0, column, header, heading)
            sheet.write_datetime(1, 0, _FIRST_DAY, day)
    with zipfile.ZipFile(file) as archive:
        return {entry: archive.read(entry) for entry in archive.namelist()}


class _Frame:
    """What stands around the rows of a first and of a further sheet, as the library writes it."""

    def __init__(self, name: str, headers: Sequence[str]) -> None:
        model = _model(name, headers, 2)
        self.begins: dict[int, bytes] = {}
        for sheet in (1, 2):
            begin, rest = model[_part(sheet)].split(b'<row r="2">')
            sample, self.end = rest.split(b"</row>")
            # How far a sheet reaches nobody knows when it begins, and nobody must say.
            self.begins[sheet] = re.sub(rb"<dimension [^>]*/>", b"", begin)
        style = re.search(rb' s="(\d+)"', sample)
        assert style is not None  # noqa: S101  (a date has one)
        self._date = f'<c s="{int(style[1])}"><v>%d</v></c>'

    def row(self, number: int, cells: Row) -> str:
        """A row of the sheet, from 1, as XML."""
        return f'<row r="{number}">{"".join([self._cell(cell) for cell in cells])}</row>'

    def _cell(self, cell: Cell) -> str:
        if not cell:
            return "<c/>"
        if isinstance(cell, date):
            if cell >= _FIRST_DAY:
                return self._date % (cell.toordinal() - _DAY_ZERO)
            cell = _as_text(cell)
        text = _UNSPEAKABLE.sub("", cell[:_CELL_LENGTH]).translate(_ESCAPED)
        return f'<c t="inlineStr"><is><t xml:space="preserve">{text}</t></is></c>'


class _Pipe:
    """A file that is only ever written to, and what was written since somebody last took it."""

    def __init__(self) -> None:
        self._written = bytearray()

    def write(self, data: bytes) -> int:
        self._written += data
        return len(data)

    def flush(self) -> None:
        """Nothing is kept from whoever takes."""

    def close(self) -> None:
        """Nor is there anything to close."""

    def taken(self) -> Iterator[bytes]:
        if self._written:
            data = bytes(self._written)
            self._written.clear()
            yield data
