"""Reading a table out of whatever file a person has: CSV in its many forms, or XLSX."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from django.utils.translation import gettext as _

from members import csv_files, xlsx_files
from members.table_errors import MAX_COLUMNS, Cell, UnreadableFile

__all__ = ["Cell", "Table", "UnreadableFile", "read_table"]

_ZIP = b"PK\x03\x04"
_OLE = b"\xd0\xcf\x11\xe0"
_MARKUP = (b"<!doctype", b"<html", b"<head", b"<body", b"<table", b"<?xml", b"<meta", b"<script")


@dataclass(frozen=True)
class Table:
    """``rows`` gives (number, cells) once, while the file is open; empty rows are left out.

    The number is that of the line of the file, or of the row of the sheet, where the record starts; the headers are
    counted as well. Cells may be fewer or more than ``headers``. ``delimiter`` is ``;`` for a spreadsheet. ``head`` is
    the row of the headers as it stands in the file.
    """

    name: str
    headers: list[str]
    head: tuple[int, list[Cell]]
    rows: Iterator[tuple[int, list[Cell]]]
    delimiter: str
    file: BinaryIO
    headed: bool = True

    def without_header(self, headers: list[str]) -> Table:
        """Where what was taken for the headers is the first row. Before anything is read from ``rows``."""
        return replace(self, headers=headers, rows=chain([self.head], self.rows), headed=False)

    def peek(self) -> tuple[list[Cell], Table]:
        """The cells of the first row, none where there is no row, and the table to go on with instead of this."""
        first = next(self.rows, None)
        return (first[1], replace(self, rows=chain([first], self.rows))) if first else ([], self)

    def again(self) -> Iterator[tuple[int, list[Cell]]]:
        """The rows once more, from the first, when ``rows`` has come to its end."""
        _delimiter, records = _records(self.file)
        with closing(records):
            rows = _bounded(records)
            if self.headed:
                next(rows, None)
            yield from rows


@contextmanager
def read_table(source: str | os.PathLike[str] | BinaryIO) -> Iterator[Table]:
    """Open a file by its path, or take an open one that can seek. Here or later in ``rows``: ``UnreadableFile``."""
    with ExitStack() as stack:
        if isinstance(source, str | os.PathLike):
            file: BinaryIO = stack.enter_context(_open(Path(source)))
        else:
            file = source
        delimiter, records = _records(file)
        stack.callback(records.close)
        rows = _bounded(records)
        header = next(rows, None)
        if header is None:
            raise UnreadableFile(_("Il file è vuoto."))
        name = Path(str(getattr(file, "name", "") or "")).name
        yield Table(name, [str(cell).strip() for cell in header[1]], header, rows, delimiter, file)


def _open(path: Path) -> BinaryIO:
    try:
        if path.exists() and not path.is_file():
            raise UnreadableFile(_("«%(name)s» non è un file.") % {"name": path})
        return path.open("rb")
    except (OSError, ValueError) as error:
        raise UnreadableFile(_("Il file «%(name)s» non esiste o non si può aprire.") % {"name": path}) from error


def _records(file: BinaryIO) -> tuple[str, Generator[tuple[int, list[Cell]], None, None]]:
    file.seek(0)
    start = file.read(512)
    if start.startswith(_ZIP):
        return ";", xlsx_files.rows(file)
    if start.startswith(_OLE):
        raise UnreadableFile(_("Il file è un vecchio XLS, o è protetto da una password: va salvato come XLSX o CSV."))
    if start.startswith(b"%PDF"):
        raise UnreadableFile(_("Il file è un PDF: serve la tabella, in CSV o XLSX."))
    if start.removeprefix(b"\xef\xbb\xbf").lstrip().lower().startswith(_MARKUP):
        raise UnreadableFile(_("Il file è una pagina web, non una tabella: va salvato come CSV o XLSX."))
    return csv_files.records(file)


def _bounded(records: Iterator[tuple[int, list[Cell]]]) -> Iterator[tuple[int, list[Cell]]]:
    """Without the empty rows; ``UnreadableFile`` for one with more columns than a table of people can have."""
    for number, cells in records:
        if len(cells) > MAX_COLUMNS:
            raise UnreadableFile(_("La riga %(line)d ha troppe colonne.") % {"line": number})
        if any(cell.strip() if isinstance(cell, str) else cell for cell in cells):
            yield number, cells
