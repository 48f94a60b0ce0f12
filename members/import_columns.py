"""Which column of a file holds what: headers matched without regard to case, accents and punctuation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.utils.translation import gettext as _

from members.names import fold
from members.table_errors import UnreadableFile

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


def match(headers: Iterable[str]) -> Mapping[str, int]:
    """The position of each field that the headers name. ``UnreadableFile``: one is there twice, a needed one is not."""
    positions: dict[str, list[int]] = {}
    for position, header in enumerate(headers):
        positions.setdefault(key(header), []).append(position)
    columns: dict[str, int] = {}
    for field, keys in _KEYS.items():
        found = next((positions[name] for name in keys if name in positions), [])
        if len(found) > 1:
            raise UnreadableFile(_("La colonna «%(name)s» compare due volte.") % {"name": HEADERS[field][0]})
        if found:
            columns[field] = found[0]
    missing = [f"«{HEADERS[field][0]}»" for field in REQUIRED if field not in columns]
    if missing:
        raise UnreadableFile(_("Nella prima riga mancano le intestazioni: %(names)s.") % {"names": ", ".join(missing)})
    return columns
