"""Which column of a file holds what: headers matched without regard to case, accents and punctuation."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from members.names import fold
from members.table_errors import UnreadableFile

# The position of each field in the lines of a file.
Columns = Mapping[str, int]
# The header of the column in which a file of rejects has the reasons.
REASON = gettext_lazy("Motivo")
# For each field its header, then other ways of writing it. Where a file has several of them, the first in this list is
# read and the others are columns like any unknown one.
HEADERS: dict[str, tuple[str, ...]] = {
    "tax_code": ("Codice fiscale", "Cod. fiscale", "Cod. fisc.", "C. fiscale", "CF", "Codice fiscale iscritto"),
    "surname": ("Cognome",),
    "name": ("Nome",),
    "sex": ("Sesso", "Genere", "M/F"),
    "birth_date": ("Data di nascita", "Data nascita", "Nato il", "Nata il", "Nato/a il", "Dt. nascita"),
    "birth_place": (
        "Comune di nascita",
        "Comune nascita",
        "Luogo di nascita",
        "Luogo nascita",
        "Nato a",
        "Nata a",
        "Nato/a a",
    ),
    "birth_province": ("Provincia di nascita", "Provincia nascita", "Prov. di nascita", "Prov. nascita"),
    "file_number": ("Matricola", "N. matricola", "Numero matricola", "Numero di matricola"),
    "albo": (
        "Albo",
        "Professione",
        "Albo professionale",
        "Albo di iscrizione",
        "Denominazione albo",
        "Profilo professionale",
    ),
    "number": (
        "Numero iscrizione",
        "Numero di iscrizione",
        "N. iscrizione",
        "Nr. iscrizione",
        "Num. iscrizione",
        "N. di iscrizione",
        "Numero d'iscrizione",
        "N. d'iscrizione",
        "Numero iscr.",
        "N. iscr.",
        "Num. iscr.",
        "Numero albo",
        "N. albo",
    ),
    "enrolled_on": (
        "Data iscrizione",
        "Data di iscrizione",
        "Data d'iscrizione",
        "Data iscr.",
        "Dt. iscrizione",
        "Iscritto il",
        "Iscritto dal",
    ),
    "status": ("Stato", "Stato iscrizione", "Stato dell'iscrizione", "Stato iscritto"),
    "cancelled_on": ("Data cancellazione", "Data di cancellazione", "Data canc.", "Dt. cancellazione", "Cancellato il"),
    "personal_email": (
        "Email",
        "E-mail personale",
        "Indirizzo e-mail",
        "Posta elettronica",
        "Indirizzo di posta elettronica",
        "Mail",
        "Indirizzo mail",
        "E-mail ordinaria",
    ),
    "mobile": (
        "Cellulare",
        "Tel. cellulare",
        "Telefono cellulare",
        "N. cellulare",
        "Numero cellulare",
        "Numero di cellulare",
        "Cell.",
        "Telefono mobile",
        "Mobile",
    ),
    "own_pec": (
        "PEC",
        "Indirizzo PEC",
        "E-mail PEC",
        "Posta elettronica certificata",
        "Posta certificata",
        "Domicilio digitale",
    ),
    "address": ("Indirizzo", "Indirizzo di residenza", "Indirizzo residenza", "Residenza", "Via"),
    "postcode": ("CAP", "CAP di residenza", "CAP residenza", "Codice postale"),
    "town": ("Comune", "Comune di residenza", "Comune residenza", "Città", "Città di residenza", "Località"),
    "province": (
        "Provincia",
        "Provincia di residenza",
        "Provincia residenza",
        "Prov.",
        "Prov. di residenza",
        "Prov. residenza",
    ),
}
# Without these a line says nothing of anybody. Where another column is absent, what is on record stays as it is, and
# whoever is new has it empty; without the status, whoever is new is ISCRITTO.
REQUIRED = ("tax_code", "surname", "name", "albo")


def key(text: str) -> str:
    """What is left of a header, or of an albo's name, when case, accents, punctuation and blanks do not count."""
    return fold(text.replace("°", "").replace("º", "")).replace(" ", "")


_KEYS = {field: tuple(key(header) for header in headers) for field, headers in HEADERS.items()}


def match(headers: Sequence[str]) -> Columns:
    """The position of each field that the headers name. ``UnreadableFile``: one is there twice, a needed one is not."""
    columns: dict[str, int] = {}
    for field, found in _found(headers):
        if len(found) > 1:
            raise UnreadableFile(_("La colonna «%(name)s» compare due volte.") % {"name": HEADERS[field][0]})
        columns[field] = found[0]
    if missing := _missing(columns):
        raise UnreadableFile(_("Nella prima riga mancano le intestazioni: %(names)s.") % {"names": missing})
    return columns


def guess(headers: Sequence[str]) -> Columns:
    """The fields that the headers name beyond doubt: what ``match`` finds, whatever is missing or there twice."""
    return {field: found[0] for field, found in _found(headers) if len(found) == 1}


def _found(headers: Sequence[str]) -> Iterator[tuple[str, list[int]]]:
    positions: dict[str, list[int]] = {}
    for position, header in enumerate(headers):
        positions.setdefault(key(header), []).append(position)
    for field, keys in _KEYS.items():
        if found := next((positions[name] for name in keys if name in positions), []):
            yield field, found


def _missing(columns: Columns) -> str:
    return ", ".join(f"«{HEADERS[field][0]}»" for field in REQUIRED if field not in columns)


# --- Columns that somebody chose ----------------------------------------------------------------------------------


def names(headers: Sequence[str]) -> list[str]:
    """A name for each column, by which it is found again wherever it stands: what is left of its header, numbered where
    several have the same, or none.
    """
    seen: Counter[str] = Counter()
    result = []
    for header in headers:
        name = key(header)
        seen[name] += 1
        result.append(f"{name}#{seen[name]}" if seen[name] > 1 or not name else name)
    return result


def digest(headers: Sequence[str]) -> str:
    """Of the set of headers. The reason that a file of rejects has besides does not make it another."""
    own = sorted(set(names(headers)) - {key(str(REASON))})
    return hashlib.sha256("\n".join(own).encode()).hexdigest()


def check(mapping: Mapping[str, str]) -> None:
    """``UnreadableFile`` where a choice (field → name of a column) lacks a needed field, or takes a column twice."""
    if missing := _missing(dict.fromkeys(mapping, 0)):
        raise UnreadableFile(_("Indicare la colonna di: %(names)s.") % {"names": missing})
    for column, times in Counter(mapping.values()).items():
        if times > 1:
            fields = ", ".join(f"«{HEADERS[field][0]}»" for field in mapping if mapping[field] == column)
            raise UnreadableFile(_("La stessa colonna è indicata per più campi: %(names)s.") % {"names": fields})


def place(mapping: Mapping[str, str], headers: Sequence[str]) -> Columns:
    """Where the columns of a choice are in a file. ``UnreadableFile`` where a needed one is not there."""
    positions = {name: position for position, name in enumerate(names(headers))}
    columns = {field: positions[name] for field, name in mapping.items() if name in positions}
    check({field: mapping[field] for field in columns})
    return columns
