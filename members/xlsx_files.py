"""Reading XLSX. What would unpack to more than we are ready to hold is refused before anything is built from it."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Generator
from datetime import date, datetime
from functools import partial
from itertools import chain
from typing import Any, BinaryIO

from django.utils.translation import gettext as _
from python_calamine import CalamineSheet, CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

from members.table_errors import Cell, UnreadableFile

MAX_BYTES = 60 * 2**20
# The library keeps a sheet as a full rectangle, some 32 bytes a cell, however few of its cells are filled.
MAX_CELLS = 4_000_000
MAX_ROWS = 2**20  # of a spreadsheet, with cells or without
_MAX_UNPACKED = 300 * 2**20
_MAX_PARTS = 2_000
_UNKNOWN = 2**62
_CHUNK = 2**20
# A tag up to so long is not cut in two between one chunk and the next; of a longer one the end is kept.
_TAG, _OVERLAP = 4096, 64
_REFERENCE = re.compile(rb"""\br\s*=\s*["']([A-Z]{0,4})(\d{1,9})["']""")
_ROW = re.compile(rb"<(?:\w+:)?row[\s/>]")
_CELL = re.compile(rb"<(?:\w+:)?c[\s/>]")


def rows(file: BinaryIO) -> Generator[tuple[int, list[Cell]], None, None]:
    """Every row of the first visible sheet that is not empty, with its number in the sheet (from 1)."""
    try:
        _refuse_bombs(file)
        file.seek(0)
        sheet = _sheet(CalamineWorkbook.from_filelike(file))
        iterator = iter(sheet.iter_rows()) if sheet is not None else iter(())
    except UnreadableFile:
        raise
    except BaseException as error:
        raise _unreadable(error) from error
    for number, cells in enumerate(iterator, 1):
        yield number, [_cell(value) for value in cells]


def _unreadable(error: BaseException) -> BaseException:
    """The library's own errors, and its panics (which are no ``Exception``), as a sentence; Ctrl-C stays what it is."""
    if isinstance(error, Exception) or type(error).__name__ == "PanicException":
        return UnreadableFile(_("Il file non è un XLSX leggibile: va aperto e salvato di nuovo, come XLSX o CSV."))
    return error


def _sheet(workbook: CalamineWorkbook) -> CalamineSheet | None:
    for index, metadata in enumerate(workbook.sheets_metadata):
        if metadata.typ == SheetTypeEnum.WorkSheet and metadata.visible == SheetVisibleEnum.Visible:
            sheet = workbook.get_sheet_by_index(index)
            if sheet.start is not None:
                return sheet
    return None


def _cell(value: Any) -> Cell:
    """Dates as dates; whole numbers without the ``.0`` that spreadsheets keep; anything else as text."""
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _refuse_bombs(file: BinaryIO) -> None:
    """Unpack every part, keeping nothing, and count: the sizes that the archive declares may lie."""
    file.seek(0, 2)
    too_big = UnreadableFile(_("Il foglio è troppo grande: va diviso, o salvato come CSV."))
    if file.tell() > MAX_BYTES:
        raise too_big
    with zipfile.ZipFile(file) as archive:
        parts = archive.infolist()
        if len(parts) > _MAX_PARTS:
            raise too_big
        left = _MAX_UNPACKED
        for part in parts:
            part.file_size = _UNKNOWN  # read on to the real end, whatever is declared
            left -= _measure(archive, part, left, too_big)


def _measure(archive: zipfile.ZipFile, part: zipfile.ZipInfo, limit: int, too_big: UnreadableFile) -> int:
    """Bytes in one part; ``too_big`` when beyond ``limit`` or when its rectangle of cells, if it has one, is."""
    size = 0
    extent = _Extent()
    with archive.open(part) as stream:
        # At the end, what closes a tag that was left unfinished.
        for chunk in chain(iter(partial(stream.read, _CHUNK), b""), [b">"]):
            size += len(chunk)
            extent.add(chunk)
            if size > limit or extent.cells > MAX_CELLS or extent.rows > MAX_ROWS:
                raise too_big
    return size


class _Extent:
    """How large the rectangle of a sheet's cells is, from its XML, whether or not cells say where they stand."""

    def __init__(self) -> None:
        self._width = self._height = self._run = self.rows = 0
        self._tail = b""

    @property
    def cells(self) -> int:
        return self._width * max(self._height, self.rows)

    def add(self, chunk: bytes) -> None:
        text = self._tail + chunk
        begun = text.rfind(b"<")
        if begun >= 0 and b">" in text[begun:]:
            self._tail = b""
        elif begun >= 0 and len(text) - begun <= _TAG:
            text, self._tail = text[:begun], text[begun:]
        else:
            self._tail = text[-_OVERLAP:]
        for letters, row in _REFERENCE.findall(text):
            self._width, self._height = max(self._width, _column(letters)), max(self._height, int(row))
        for index, cells in enumerate(_ROW.split(text)):
            if index:
                self.rows, self._run = self.rows + 1, 0
            self._run += len(_CELL.findall(cells))
            self._width = max(self._width, self._run)


def _column(letters: bytes) -> int:
    """``A`` → 1, ``AA`` → 27; no letters → 0."""
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number
