"""Invented people and the lines of register that speak of them, for the tests of the import."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from stdnum.it import codicefiscale

from members.models import Ordine

HEADERS = [
    "Matricola",
    "Cognome",
    "Nome",
    "Sesso",
    "Data di nascita",
    "Comune di nascita",
    "Provincia di nascita",
    "Codice fiscale",
    "Albo",
    "Numero iscrizione",
    "Data iscrizione",
    "Stato",
    "Data cancellazione",
    "Email",
    "Cellulare",
    "PEC",
    "Indirizzo",
    "CAP",
    "Comune",
    "Provincia",
]


def ordine(code: str = "umbria") -> Ordine:
    return Ordine.objects.create(code=code, name=f"Ordine di {code}", short_name=code)


def tax_code(number: int, *, letters: str = "RSSMRA", born: date = date(1980, 1, 1), sex: str = "M") -> str:
    """A valid code: ``number`` gives the birth place, as ``number % 1000`` below one of twelve letters."""
    day = born.day + (40 if sex == "F" else 0)
    plain = f"{letters}{born.year % 100:02}{'ABCDEHLMPRST'[born.month - 1]}{day:02}"
    plain += f"{'ABCDEFGHILMZ'[number // 1000]}{number % 1000:03}"
    return plain + codicefiscale.calc_check_digit(plain)


def line(number: int, **changes: str) -> dict[str, str]:
    """The line of an enrolled Mario Rossi; ``changes`` by header, with ``_`` for blanks."""
    values = {
        "Matricola": f"{number:06}",
        "Cognome": "Rossi",
        "Nome": "Mario",
        "Sesso": "M",
        "Data di nascita": "01/01/1980",
        "Comune di nascita": "Forlì",
        "Provincia di nascita": "FC",
        "Codice fiscale": tax_code(number),
        "Albo": "Logopedista",
        "Numero iscrizione": str(number),
        "Data iscrizione": "02/03/2020",
        "Stato": "ISCRITTO",
        "Data cancellazione": "",
        "Email": f"mario{number}@example.it",
        "Cellulare": f"333{number:07}",
        "PEC": "",
        "Indirizzo": f"Via Roma, {number}",
        "CAP": "60100",
        "Comune": "Ancona",
        "Provincia": "AN",
    }
    return values | {name.replace("_", " "): value for name, value in changes.items()}


def as_csv(
    lines: list[dict[str, str]], *, encoding: str = "utf-8", delimiter: str = ";", headers: list[str] | None = None
) -> io.BytesIO:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, headers or HEADERS, delimiter=delimiter, restval="", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(lines)
    return io.BytesIO(text.getvalue().encode(encoding))


@dataclass
class Register:
    """Lines whose outcome is known because they were made for it. Numbers count the headers, as line 1."""

    lines: list[dict[str, str]] = field(default_factory=list)
    expected: list[dict[str, Any]] = field(default_factory=list)

    def add(self, values: dict[str, str], outcome: str = "created", code: str = "", *warnings: str) -> None:
        self.lines.append(values)
        if (outcome, warnings) != ("created", ()):
            number = len(self.lines) + 1
            self.expected.append({"line": number, "outcome": outcome, "code": code, "warnings": list(warnings)})
