"""Files of any length, written while they are sent, that spreadsheets and our own import read back."""

from __future__ import annotations

import io
import tracemalloc
import zipfile
from collections.abc import Iterator
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook

from members import table_files
from members.spreadsheets import read_table
from members.table_files import Row, csv_file, xlsx_file

HEADERS = ["Cognome", "Nato il", "Nota"]
ROWS: list[Row] = [
    ["D'Angelo", date(1970, 1, 2), '=HYPERLINK("http://x")'],
    ['<Rossi> & "figli"', date(1850, 3, 1), "due\nrighe"],
    ["Łukasz", None, "-2+3"],
    ["", date(2024, 2, 29), None],
]
FILES = {"csv": csv_file, "xlsx": lambda headers, rows: xlsx_file("Iscritti", headers, rows)}


def cells_of(content: bytes) -> list[list[object]]:
    with read_table(io.BytesIO(content)) as table:
        return [cells for _line, cells in table.again()]


@pytest.mark.parametrize("kind", FILES)
def test_what_was_written_is_read_back(kind: str) -> None:
    read = cells_of(b"".join(FILES[kind](HEADERS, ROWS)))
    day = (lambda d: d) if kind == "xlsx" else (lambda d: f"{d:%d/%m/%Y}")
    assert read == [
        ["D'Angelo", day(date(1970, 1, 2)), '=HYPERLINK("http://x")'],
        ['<Rossi> & "figli"', "01/03/1850", "due\nrighe"],
        ["Łukasz", "", "-2+3"],
        ["", day(date(2024, 2, 29)), ""],
    ]


def test_nothing_is_a_formula() -> None:
    assert b"'=HYPERLINK" in b"".join(csv_file(HEADERS, ROWS))
    with zipfile.ZipFile(io.BytesIO(b"".join(xlsx_file("Iscritti", HEADERS, ROWS)))) as archive:
        assert archive.testzip() is None
        assert b"<f>" not in archive.read("xl/worksheets/sheet1.xml")


@settings(deadline=None, max_examples=60)
@given(st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=20))
def test_any_text_survives_what_a_sheet_can_say(text: str) -> None:
    content = b"".join(xlsx_file("Iscritti", ["Nota", "Fine"], [[text, "."]]))
    said = "".join(c for c in text if c in "\t\n" or (c >= " " and c not in "\ufffe\uffff"))
    read = CalamineWorkbook.from_filelike(io.BytesIO(content)).get_sheet_by_index(0).to_python()
    assert read == [["Nota", "Fine"], [said, "."]]


def test_a_full_sheet_goes_on_in_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_files, "SHEET_ROWS", 1001)
    content = b"".join(xlsx_file("Iscritti", ["N."], ([str(n)] for n in range(2100))))
    workbook = CalamineWorkbook.from_filelike(io.BytesIO(content))
    assert workbook.sheet_names == ["Iscritti", "Iscritti 2", "Iscritti 3"]
    sheets = [workbook.get_sheet_by_name(name).to_python() for name in workbook.sheet_names]
    assert [len(sheet) for sheet in sheets] == [1001, 1001, 101]
    assert all(sheet[0] == ["N."] for sheet in sheets)
    assert [row[0] for sheet in sheets for row in sheet[1:]] == [str(n) for n in range(2100)]


@pytest.mark.parametrize("kind", FILES)
def test_an_empty_list_is_a_file_with_headings(kind: str) -> None:
    assert b"".join(FILES[kind](HEADERS, []))
    with read_table(io.BytesIO(b"".join(FILES[kind](HEADERS, [])))) as table:
        assert table.headers == HEADERS


@pytest.mark.parametrize("kind", FILES)
def test_it_is_sent_while_it_is_read(kind: str) -> None:
    taken = 0

    def rows() -> Iterator[Row]:
        nonlocal taken
        for taken in range(30_000):
            yield [f"riga {taken}", None, "x" * 50]

    content = FILES[kind](HEADERS, rows())
    assert next(content) and taken < 1000
    tracemalloc.start()
    size = sum(map(len, content))
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken == 29_999 and size > 100_000 and peak < 4 * 2**20
