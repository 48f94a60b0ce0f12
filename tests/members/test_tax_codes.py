"""The codice fiscale: what is a code, what it says, with whom it agrees."""

from __future__ import annotations

import csv
import json
from datetime import date, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stdnum.it import codicefiscale

from members import tax_codes

DATA = Path(__file__).parent.parent / "data"
OMOCODIA = "LMNPQRSTUV"
POSITIONS = (6, 7, 9, 10, 12, 13, 14)
CODE = "RSSMRA80A01H501U"


def coded(plain: str) -> str:
    return plain + codicefiscale.calc_check_digit(plain)


def person(**changes: object) -> dict[str, object]:
    return {"surname": "Rossi", "name": "Mario", "birth_date": date(1980, 1, 1), "sex": "M", **changes}


def test_blanks_and_case_do_not_count() -> None:
    assert tax_codes.normalise(" rssmra 80a01\th501u\xa0") == CODE


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "RSSMRA",
        CODE[:-1],
        CODE + "A",
        CODE[:-1] + "V",
        CODE.lower(),
        "00743110157",
        "RSSMRA80A01H50-U",
        f"{CODE}\n",
        "RSSMRA-80A01H501U",
        coded("RSSMRA80A00H501"),
        coded("RSSMRA80A40H501"),
        coded("RSSMRA80B30H501"),
        coded("RSSMRA80A81H501"),
        "RSSMRA80A01H50١U",
        coded("RSSMRA80F01H501"),
    ],
)
def test_what_is_no_code(wrong: str) -> None:
    assert not tax_codes.is_valid(wrong)


@settings(deadline=None)
@given(st.text())
def test_no_text_makes_it_fail(text: str) -> None:
    code = tax_codes.normalise(text)
    tax_codes.is_valid(code)
    tax_codes.agrees(code, surname=text, name=text, birth_date=None, sex=text)


@settings(deadline=None)
@given(st.sets(st.sampled_from(POSITIONS)), st.dates(date(1930, 1, 1), date(2007, 12, 31)), st.sampled_from("MF"))
def test_omocodia_changes_nothing_of_what_a_code_says(letters: set[int], born: date, sex: str) -> None:
    day = born.day + (40 if sex == "F" else 0)
    characters = list(f"RSSMRA{born.year % 100:02}{'ABCDEHLMPRST'[born.month - 1]}{day:02}H501")
    plain = coded("".join(characters))
    for position in letters:
        characters[position] = OMOCODIA[int(characters[position])]
    code = coded("".join(characters))
    assert tax_codes.is_valid(code)
    assert tax_codes.without_omocodia(code) == plain
    assert tax_codes.birth_date(code, reference=date(2026, 1, 1)) == born
    assert tax_codes.sex(code) == sex
    assert tax_codes.agrees(code, surname="Rossi", name="Mario", birth_date=born, sex=sex)


@pytest.mark.parametrize(
    ("surname", "name", "letters"),
    [
        ("Müller", "Zoë", "MLLZOE"),
        ("Strauß", "Łukasz", "STRLSZ"),
        ("D'Angelo", "Niccolò", "DNGNCL"),
        ("Fò", "Al", "FOXLAX"),
        ("Dal Pozzo Sforza", "Maria Chiara", "DLPMCH"),
        ("Dell’Anno", "Gianfranco", "DLLGFR"),
        ("Aiello", "Mario", "LLAMRA"),
        ("Øe", "Bo", "OEXBOX"),
        ("Ünö", "Anna", "NUENNA"),
        ("Ünö", "Anna", "NUONNA"),
        ("Rosso-Neri", "Anna Maria", "RSSNMR"),
        ("Пушкин", "Ада", "PSHDAA"),
    ],
)
def test_names_as_the_code_writes_them(surname: str, name: str, letters: str) -> None:
    code = coded(f"{letters}80A01H501")
    assert tax_codes.agrees(code, surname=surname, name=name, birth_date=None, sex="")


@pytest.mark.parametrize(
    "other",
    [
        {"surname": "Bianchi"},
        {"name": "Maria Chiara"},
        {"birth_date": date(1980, 1, 2)},
        {"birth_date": date(1981, 1, 1)},
        {"birth_date": date(1980, 2, 1)},
        {"sex": "F"},
    ],
)
def test_one_thing_that_differs_is_enough(other: dict[str, object]) -> None:
    assert tax_codes.agrees(CODE, **person())  # type: ignore[arg-type]
    assert not tax_codes.agrees(CODE, **person(**other))  # type: ignore[arg-type]


def test_what_is_not_known_is_not_checked() -> None:
    assert tax_codes.agrees(CODE, surname="", name="", birth_date=None, sex="")
    assert not tax_codes.agrees("RSSMRA", surname="", name="", birth_date=None, sex="")


def test_the_century_is_the_last_one_that_is_over() -> None:
    code = coded("RSSMRA26D01H501")
    assert tax_codes.birth_date(code, reference=date(2026, 3, 31)) == date(1926, 4, 1)
    assert tax_codes.birth_date(code, reference=date(2026, 4, 1)) == date(2026, 4, 1)
    assert tax_codes.birth_date(coded("RSSMRA00B29H501")) == date(2000, 2, 29)
    with pytest.raises(ValueError, match="codice fiscale"):
        tax_codes.birth_date("RSSMRA")


def test_eighteen_on_the_birthday() -> None:
    assert not tax_codes.is_adult(date(2008, 5, 10), date(2026, 5, 9))
    assert tax_codes.is_adult(date(2008, 5, 10), date(2026, 5, 10))
    assert not tax_codes.is_adult(date(2008, 2, 29), date(2026, 2, 28))
    assert tax_codes.is_adult(CODE, date(2026, 1, 1))
    assert not tax_codes.is_adult(coded("RSSMRA10A01H501"), date(2026, 1, 1))


def test_every_line_of_the_register() -> None:
    exceptions = {e["line"]: e for e in json.loads((DATA / "albo_marche.expected.json").read_text())["exceptions"]}
    with (DATA / "albo_marche.csv").open(encoding="cp1252", newline="") as file:
        for number, row in enumerate(csv.DictReader(file, delimiter=";"), 2):
            expected = exceptions.get(number, {"code": "", "warnings": []})
            code = tax_codes.normalise(row["Codice fiscale"])
            assert tax_codes.is_valid(code) == (expected["code"] not in ("cf_missing", "cf_invalid")), number
            if expected["code"]:
                continue
            born = datetime.strptime(row["Data di nascita"], "%d/%m/%Y").date()
            agrees = tax_codes.agrees(code, surname=row["Cognome"], name=row["Nome"], birth_date=born, sex=row["Sesso"])
            assert agrees == ("cf_mismatch" not in expected["warnings"]), number
            if agrees:
                assert (tax_codes.birth_date(code), tax_codes.sex(code)) == (born, row["Sesso"]), number
