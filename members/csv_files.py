"""Reading CSV as the world writes it: four encodings, three delimiters, line ends of any kind, in bounded memory."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from typing import BinaryIO, TextIO

from django.utils.translation import gettext as _

from members.table_errors import Cell, UnreadableFile

MAX_BYTES = 500 * 2**20
_MAX_LINE = 2**20  # characters
_MAX_RECORD = 2**22  # characters, over all the lines of one record
_CHUNK = 2**20
_DELIMITERS = (";", ",", "\t")
# What Excel writes above the headers so that it knows the delimiter.
_SEPARATOR_LINE = re.compile(r'\s*"?sep=([;,\t])"?\s*', re.IGNORECASE)
# A line that no readable file contains: put after the last one, it shows whether a quote was left open.
_END = "\0"
_DEFUSED = re.compile(r"'[@+\-=|%]")


def records(file: BinaryIO) -> tuple[str, Generator[tuple[int, list[Cell]], None, None]]:
    """The delimiter, and every record with the number (from 1) of the line of the file on which it starts."""
    encoding = _encoding(file)
    delimiter = _delimiter(file, encoding)
    return delimiter, _records(file, encoding, delimiter)


def _encoding(file: BinaryIO) -> str:
    """Decided on the whole file, never on a sample: UTF-16 or UTF-8 by their marks, else UTF-8, else Windows-1252."""
    file.seek(0)
    start = file.read(4)
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        names = ["utf-16"]
    elif start.startswith(codecs.BOM_UTF8):
        names = ["utf-8-sig"]
    else:
        names = ["utf-8", "cp1252"]
    decoders = {name: codecs.getincrementaldecoder(name)() for name in names}
    file.seek(0)
    size = 0
    while True:
        chunk = file.read(_CHUNK)
        size += len(chunk)
        if size > MAX_BYTES:
            raise UnreadableFile(_("Il file è troppo grande: al massimo %(size)d MB.") % {"size": MAX_BYTES // 2**20})
        for name in list(decoders):
            if not _decodes(decoders[name], chunk):
                del decoders[name]
        if not decoders:
            raise UnreadableFile(_("Il file contiene caratteri illeggibili: va salvato in CSV UTF-8, o in XLSX."))
        if not chunk:
            return next(name for name in names if name in decoders)


def _decodes(decoder: codecs.IncrementalDecoder, chunk: bytes) -> bool:
    try:
        text = decoder.decode(chunk, final=not chunk)
    except UnicodeDecodeError:
        return False
    if "\0" in text:
        raise UnreadableFile(_("Il file non è un testo: va salvato come CSV, o come XLSX."))
    return True


def _delimiter(file: BinaryIO, encoding: str) -> str:
    """The one a ``sep=`` line names, else the one that makes most of the first line that is not empty."""
    with _text(file, encoding) as text:
        named = _SEPARATOR_LINE.fullmatch(text.readline(16))
    if named:
        return named[1]

    def columns(delimiter: str) -> int:
        with closing(_records(file, encoding, delimiter)) as records:
            return len(list(filter(None, next((cells for _line, cells in records if any(cells)), []))))

    return max(_DELIMITERS, key=columns)


def _records(file: BinaryIO, encoding: str, delimiter: str) -> Generator[tuple[int, list[Cell]], None, None]:
    with _text(file, encoding) as text:
        lines = _Lines(text)
        reader = csv.reader(lines, delimiter=delimiter)
        while True:
            start = lines.begin_record()
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                raise UnreadableFile(_("La riga %(line)d non si può leggere.") % {"line": start}) from error
            if cells == [_END]:
                return
            if cells and cells[-1].endswith(_END):
                raise UnreadableFile(_("Riga %(line)d: le virgolette aperte non vengono mai chiuse.") % {"line": start})
            if start > 1 or not _SEPARATOR_LINE.fullmatch(delimiter.join(cells)):
                yield start, [*map(_as_written, cells)] if "'" in "".join(cells) else [*cells]


def _as_written(cell: str) -> str:
    """Without the apostrophe that our own files put before what a spreadsheet would take for a formula."""
    return cell[1:].replace("\\|", "|") if _DEFUSED.match(cell) else cell


@contextmanager
def _text(file: BinaryIO, encoding: str) -> Iterator[TextIO]:
    """The file as text from its beginning, left open at the end: it belongs to the caller."""
    file.seek(0)
    wrapper = io.TextIOWrapper(file, encoding=encoding, newline="")
    try:
        yield wrapper
    finally:
        if not file.closed:
            wrapper.detach()


class _Lines:
    """The lines of a text for ``csv.reader``, counted, then ``_END``; no line or record of unbounded length."""

    def __init__(self, text: TextIO) -> None:
        self._text = text
        self._number = 0
        self._record_length = 0
        self._ended = False

    def begin_record(self) -> int:
        """Say that a record is over; the number of the line the next one starts on."""
        self._record_length = 0
        return self._number + 1

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        if self._ended:
            raise StopIteration
        line = self._text.readline(_MAX_LINE)
        self._number += 1
        self._record_length += len(line)
        if (len(line) == _MAX_LINE and not line.endswith("\n")) or self._record_length > _MAX_RECORD:
            raise UnreadableFile(_("La riga %(line)d è troppo lunga.") % {"line": self._number})
        if not line:
            self._ended = True
            return _END
        return line
