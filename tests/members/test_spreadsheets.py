"""Reading tables: every way in which an Ordine's program may write one, and every thing that is none."""

from __future__ import annotations

import contextlib
import io
import re
import tracemalloc
import zipfile
from datetime import date, datetime
from pathlib import Path

import pytest
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st

from members import csv_files, xlsx_files
from members.import_columns import match
from members.import_lines import clean, read_date
from members.spreadsheets import Cell, UnreadableFile, read_table

TEXT = 'Cognome;Nome;Città\r\nMüller;Zoë;"Forlì; centro"\r\n'


def read(data: bytes) -> tuple[str, list[str], list[tuple[int, list[Cell]]]]:
    with read_table(io.BytesIO(data)) as table:
        return table.delimiter, table.headers, list(table.rows)


def workbook(rows: list[list[object]], *, hidden_first: bool = False) -> bytes:
    file = io.BytesIO()
    book = xlsxwriter.Workbook(file, {"default_date_format": "dd/mm/yyyy"})
    if hidden_first:
        book.add_worksheet("vuoto")
    sheet = book.add_worksheet("albo")
    for number, row in enumerate(rows):
        sheet.write_row(number, 0, row)
    book.close()
    return file.getvalue()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("delimiter", [";", ",", "\t"])
def test_encodings_and_delimiters(encoding: str, delimiter: str) -> None:
    data = TEXT.replace("; centro", "@").replace(";", delimiter).replace("@", "; centro")
    assert read(data.encode(encoding)) == (
        delimiter,
        ["Cognome", "Nome", "Città"],
        [(2, ["Müller", "Zoë", "Forlì; centro"])],
    )


def test_the_whole_file_decides_the_encoding() -> None:
    plain = "Cognome;Nome\n" + f"Rossi;{'Mario ' * 500}\n" * 1_000
    assert read((plain + "Müller;Zoë\n").encode("cp1252"))[2][-1] == (1_002, ["Müller", "Zoë"])
    assert read((plain + "Müller;Zoë\n").encode())[2][-1] == (1_002, ["Müller", "Zoë"])


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_are_those_of_the_file(end: str) -> None:
    data = end.join(["", "a;b", '1;"due', 'righe"', "", ";", "3;4", "", "5;6"]).encode()
    assert [(number, cells[0]) for number, cells in read(data)[2]] == [(3, "1"), (7, "3"), (9, "5")]


def test_the_separator_that_excel_declares() -> None:
    assert read(b"sep=,\na,b;c\n1,2;3\n") == (",", ["a", "b;c"], [(3, ["1", "2;3"])])


def test_quotes_commas_and_headers_with_other_delimiters() -> None:
    data = b'"Cognome, nome";"Albo; elenco";Note\n"Rossi ""il Rosso""";a,b,c,d,e;x\n'
    assert read(data)[0] == ";"
    assert read(data)[2] == [(2, ['Rossi "il Rosso"', "a,b,c,d,e", "x"])]


def test_cells_made_harmless_for_a_spreadsheet_are_read_as_they_were() -> None:
    assert read(b"a;b;c\n'+39333;'=1\\|2;D'Angelo\n")[2] == [(2, ["+39333", "=1|2", "D'Angelo"])]


def test_xlsx() -> None:
    data = workbook(
        [
            ["Cognome", "N.", "Nato il", "Ora"],
            [],
            ["Müller", 98, date(1980, 1, 2), 1.5],
            ["Fò", "007", datetime(2020, 1, 2), 2**60],
        ],
        hidden_first=True,
    )
    assert read(data) == (
        ";",
        ["Cognome", "N.", "Nato il", "Ora"],
        [(3, ["Müller", "98", date(1980, 1, 2), "1.5"]), (4, ["Fò", "007", date(2020, 1, 2), str(2**60)])],
    )


def archive(**parts: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, data in parts.items():
            zipped.writestr(name, data)
    return file.getvalue()


BAD = {
    "empty": b"",
    "blank": b"\n \n;;;\n",
    "mark only": b"\xef\xbb\xbf",
    "nul": b"a;b\n1;\0\n",
    "binary": bytes(range(256)) * 10,
    "image": b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR",
    "pdf": b"%PDF-1.7\n%\xe2\xe3",
    "old excel": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600,
    "page": b"\n<!DOCTYPE html><html><table>",
    "half a utf-16": "a;b".encode("utf-16") + b"x",
    "utf-16 with nul": "a;b\n\0".encode("utf-16"),
    "bad utf-8 behind a mark": b"\xef\xbb\xbfa;b\n\xff;1",
    "neither utf-8 nor cp1252": b"a;b\n\x81\x8d;1",
    "open quote": b'a;b\n1;"2\n3;4\n5;6\n',
    "open quote in the headers": b'a;"b\n1;2\n',
    "long field": b'a;b\n1;"' + b"x" * 200_000 + b'"\n',
    "long line": b"a;b\n" + b"x" * (2 * 2**20),
    "columns": b"a;b\n" + b";" * 1_000_000 + b"\n",
    "endless record": b"a;b\n" + b'"x\n";' * 2_000_000,
    "no zip": b"PK\x03\x04" + b"junk" * 100,
    "cut xlsx": workbook([["a"], ["b"]])[:-100],
    "zip of something else": archive(word=b"hello"),
    "empty sheet": workbook([]),
    "bomb": archive(**{"xl/worksheets/sheet1.xml": b"\0" * (21 * 2**20)}),
    "far cell": archive(
        **{"xl/worksheets/sheet1.xml": b'<row r="1"><c r="A1"/></row><row><c x=">" r="XFD1048576"/></row>'}
    ),
    "cells without references": archive(
        **{"xl/worksheets/sheet1.xml": b"<row>" + b"<c/>" * 5000 + b"</row>" + b"<row><c/></row>" * 5000}
    ),
}


def test_a_sheet_fetches_nothing_and_grows_no_larger_than_it_is(tmp_path: Path) -> None:
    secret = tmp_path / "segreto"
    secret.write_text("ROSSI")
    entities = f'<!ENTITY a SYSTEM "file://{secret}"><!ENTITY b "{"x" * 50}"><!ENTITY c "{"&b;" * 50}">'
    whole = workbook([["a", "b"], ["1", "2"]])
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(whole)) as source, zipfile.ZipFile(file, "w") as zipped:
        for entry in source.namelist():
            text = source.read(entry).decode()
            if entry == "xl/worksheets/sheet1.xml":
                text = text.replace("<worksheet", f"<!DOCTYPE worksheet [{entities}]><worksheet", 1)
                text = re.sub(r'<c r="A2".*?</c>', '<c r="A2" t="inlineStr"><is><t>&a;&c;</t></is></c>', text)
                assert "&a;&c;" in text
            zipped.writestr(entry, text)
    try:
        told = str(read(file.getvalue()))
    except UnreadableFile:
        told = ""
    assert "ROSSI" not in told and "xxxx" not in told


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_table_gets_a_sentence(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xlsx_files, "_MAX_UNPACKED", 20 * 2**20)
    with pytest.raises(UnreadableFile, match=r"^[A-Z].*\.$"):
        read(BAD[name])


def test_a_size_that_lies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xlsx_files, "_MAX_UNPACKED", 1000)
    data = archive(part=b"x" * 100_000)
    with pytest.raises(UnreadableFile, match="troppo grande"):
        read(data.replace((100_000).to_bytes(4, "little"), (10).to_bytes(4, "little")))


def test_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_files, "MAX_BYTES", 1000)
    with pytest.raises(UnreadableFile, match="troppo grande"):
        read(b"a;b\n" * 1000)
    monkeypatch.setattr(xlsx_files, "MAX_BYTES", 1000)
    with pytest.raises(UnreadableFile, match="troppo grande"):
        read(workbook([["a"]]))


def test_rows_without_end_are_refused_before_all_of_them_are_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xlsx_files, "_CHUNK", 1000)
    monkeypatch.setattr(xlsx_files, "MAX_ROWS", 2000)
    with pytest.raises(UnreadableFile, match="troppo grande"):
        read(archive(**{"xl/worksheets/sheet1.xml": b"<row>" * 100_000}))


@pytest.mark.parametrize("chunk", range(60, 100))
def test_the_extent_of_a_sheet_is_that_whatever_it_is_cut_into(chunk: int) -> None:
    row = b'<row r="%d"><c r="A%d"/><c r="C%d" t="n"><v>1</v></c></row>'
    sheet = b"".join(row % (n, n, n) for n in range(1, 50)) + b'<c  %s r="AB77"/>' % (b"x" * 5000)
    extent = xlsx_files._Extent()
    for start in range(0, len(sheet), chunk):
        extent.add(sheet[start : start + chunk])
    assert (extent.rows, extent.cells) == (49, 28 * 77)


@pytest.mark.parametrize("path", ["niente.csv", ".", "\0", "/dev/null"])
def test_paths_that_lead_nowhere(path: str, tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile), read_table(tmp_path / path):
        pass


def test_rows_are_not_kept(tmp_path: Path) -> None:
    path = tmp_path / "grande.csv"
    path.write_text("Cognome;Nome\n" + f"Rossi;{'Mario ' * 500}\n" * 4_000)
    tracemalloc.start()
    with read_table(path) as table:
        assert sum(1 for _ in table.rows) == 4_000
    assert tracemalloc.get_traced_memory()[1] < 4 * 2**20
    tracemalloc.stop()


@settings(deadline=None)
@given(st.binary(max_size=300) | st.text().map(str.encode) | st.text(";,\"\n\r\tab'").map(str.encode))
def test_any_bytes_are_a_table_or_a_sentence(data: bytes) -> None:
    try:
        _delimiter, _headers, rows = read(data)
    except UnreadableFile:
        pass
    else:
        assert all(isinstance(cell, str) for _number, cells in rows for cell in cells)


WHOLE = workbook([["a", "b"], [1, date(2020, 1, 1)]])


@settings(deadline=None)
@given(st.integers(0, 2000), st.binary(min_size=1, max_size=4))
def test_any_damage_to_a_workbook_is_a_table_or_a_sentence(position: int, damage: bytes) -> None:
    data = bytearray(WHOLE)
    data[position : position + len(damage)] = damage
    with contextlib.suppress(UnreadableFile):
        read(bytes(data))


def test_headers_without_regard_to_case_accents_and_punctuation() -> None:
    found = match(["E-MAIL", "cod. fiscale", "COGNOME ", "Nóme", "Professione", "N° iscr.", "Note", "Nato/a il"])
    assert found == {
        "personal_email": 0,
        "tax_code": 1,
        "surname": 2,
        "name": 3,
        "albo": 4,
        "number": 5,
        "birth_date": 7,
    }


def test_a_header_proper_wins_over_other_ways_of_writing_it() -> None:
    assert match(["Professione", "CF", "Albo", "Codice fiscale", "Cognome", "Nome"])["albo"] == 2


@pytest.mark.parametrize(
    ("headers", "sentence"),
    [
        (["Cognome", "Nome", "Codice fiscale"], "«Albo»"),
        (["a"], "«Codice fiscale», «Cognome», «Nome», «Albo»"),
        (["Cognome", "Nome", "Codice fiscale", "Albo", "CODICE FISCALE"], "due volte"),
    ],
)
def test_headers_that_do_not_do(headers: list[str], sentence: str) -> None:
    with pytest.raises(UnreadableFile, match=sentence):
        match(headers)


@pytest.mark.parametrize(
    "cell",
    [
        "02/03/2020",
        "2/3/2020",
        "02-03-2020",
        "02.03.2020",
        "2020-03-02",
        " 02/03/2020 ",
        "2020-03-02T00:00:00",
        "02/03/2020 0:00",
        date(2020, 3, 2),
    ],
)
def test_dates(cell: Cell) -> None:
    assert read_date(cell) == date(2020, 3, 2)


def test_no_date_is_none() -> None:
    assert read_date(" ") is None


@pytest.mark.parametrize(
    "cell",
    [
        "31/02/1980",
        "1980-13-01",
        "99/99/9999",
        "02/03/20",
        "20200302",
        "ieri",
        "01/01/0198",
        "02/03-2020",
        "43831",
        "١/1/2020",
        "02/03/2020 12:30",
        date(1899, 12, 31),
    ],
)
def test_what_is_no_date(cell: Cell) -> None:
    with pytest.raises(ValueError):
        read_date(cell)


def test_text_is_tidied() -> None:
    assert clean(" Dal\xa0Pozzo \t Sforza\n\u200b\x00") == "Dal Pozzo Sforza"
    assert clean("Niccolo\u0300") == "Niccolò"
