"""A register of as many invented people as wanted, each with a valid codice fiscale that agrees with the rest."""

from __future__ import annotations

import csv
from datetime import date, timedelta
from itertools import product
from pathlib import Path

from stdnum.it import codicefiscale

from members import tax_codes

_ALBI = ("Logopedista", "Dietista", "Podologo", "Assistente sanitario", "Terapista occupazionale")
_NAMES = {
    "M": (
        "Mario",
        "Luca",
        "Paolo",
        "Sante",
        "Elia",
        "Bruno",
        "Ettore",
        "Fabio",
        "Ivano",
        "Oreste",
        "Tullio",
        "Niccolò",
    ),
    "F": ("Maria", "Lucia", "Paola", "Elena", "Bruna", "Flavia", "Irene", "Olga", "Teresa", "Renata", "Silvia", "Zoe"),
}
_SURNAMES = [
    "".join(parts).capitalize()
    for parts in product(
        (
            "ba",
            "be",
            "ca",
            "co",
            "di",
            "do",
            "fa",
            "ga",
            "gu",
            "la",
            "lo",
            "ma",
            "mo",
            "pe",
            "ra",
            "ro",
            "sa",
            "te",
            "ve",
        ),
        ("bel", "cor", "dan", "fil", "gar", "lom", "mar", "nol", "par", "ros", "sal", "tor"),
        ("betti", "dini", "elli", "ini", "oni", "otti", "ucci"),
    )
]
_DAYS = 18_250


def write(path: Path, number: int) -> Path:
    """A CSV file of that many lines, each about somebody else."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, _line(0), delimiter=";")
        writer.writeheader()
        writer.writerows(map(_line, range(number)))
    return path


def _line(n: int) -> dict[str, str]:
    # Steps without a common divisor, so that neighbours have little in common and no two codes are the same.
    sex = "MF"[n % 2]
    surname, name = _SURNAMES[n * 53 % len(_SURNAMES)], _NAMES[sex][n * 7 % len(_NAMES[sex])]
    born = date(1950, 1, 1) + timedelta(days=n * 37 % _DAYS)
    return {
        "Matricola": f"{n:06}",
        "Cognome": surname,
        "Nome": name,
        "Sesso": sex,
        "Data di nascita": f"{born:%d/%m/%Y}",
        "Comune di nascita": "Ancona",
        "Provincia di nascita": "AN",
        "Codice fiscale": _tax_code(surname, name, born, sex, n // _DAYS),
        "Albo": _ALBI[n % len(_ALBI)],
        "Numero iscrizione": str(n),
        "Data iscrizione": f"{1 + n % 28:02}/{1 + n % 12:02}/{2000 + n % 20}",
        "Stato": "ISCRITTO",
        "Data cancellazione": "",
        "Email": f"{name[:4].lower()}.{surname.lower()}{n}@example.it",
        "Cellulare": f"333{n:07}",
        "PEC": "",
        "Indirizzo": f"Via Garibaldi, {n % 300}",
        "CAP": f"{60000 + n % 5000}",
        "Comune": "Ancona",
        "Provincia": "AN",
    }


def _tax_code(surname: str, name: str, born: date, sex: str, place: int) -> str:
    day = born.day + (40 if sex == "F" else 0)
    parts = next(iter(tax_codes._surname_parts(surname))) + next(iter(tax_codes._name_parts(name)))
    plain = f"{parts}{born:%y}{'ABCDEHLMPRST'[born.month - 1]}{day:02}A{place:03}"
    return plain + codicefiscale.calc_check_digit(plain)
