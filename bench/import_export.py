"""The counter-example: the same register through django-import-export, by preview and confirmation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tablib
from import_export.fields import Field
from import_export.resources import ModelResource
from import_export.widgets import DateWidget, ForeignKeyWidget

from members import tax_codes
from members.models import Albo, Enrolment, Member, Ordine

_ITALIAN = DateWidget("%d/%m/%Y")
_COLUMNS = {
    "surname": "Cognome",
    "name": "Nome",
    "sex": "Sesso",
    "birth_place": "Comune di nascita",
    "birth_province": "Provincia di nascita",
    "file_number": "Matricola",
    "personal_email": "Email",
    "mobile": "Cellulare",
    "own_pec": "PEC",
    "address": "Indirizzo",
    "postcode": "CAP",
    "town": "Comune",
    "province": "Provincia",
}


class EnrolmentResource(ModelResource):
    """A line is an enrolment; the member it belongs to is made before the row is, as the library's manual shows."""

    member = Field("member", "Codice fiscale", ForeignKeyWidget(Member, "tax_code"))
    albo = Field("albo", "Albo", ForeignKeyWidget(Albo, "name"))
    number = Field("number", "Numero iscrizione")
    enrolled_on = Field("enrolled_on", "Data iscrizione", _ITALIAN)
    status = Field("status", "Stato")

    class Meta:
        model = Enrolment
        fields = ("member", "albo", "number", "enrolled_on", "status")
        import_id_fields = ("member", "albo")
        skip_unchanged = True
        clean_model_instances = True
        use_bulk = True
        batch_size = 1000

    def __init__(self, ordine: Ordine) -> None:
        super().__init__()
        self._ordine = ordine

    def before_import_row(self, row: dict[str, Any], **kwargs: Any) -> None:
        if not tax_codes.is_valid(row["Codice fiscale"]):
            raise ValueError("Codice fiscale")
        values = {field: row[column] for field, column in _COLUMNS.items()}
        values["birth_date"] = _ITALIAN.clean(row["Data di nascita"])
        Member.objects.update_or_create(tax_code=row["Codice fiscale"], defaults={**values, "ordine": self._ordine})


def preview_and_confirm(path: Path, ordine: Ordine) -> None:
    """What the library's admin does with a file: read it and import it to show what would change, then again."""
    for dry_run in (True, False):
        data = tablib.Dataset().load(path.read_text(), format="csv", delimiter=";")
        result = EnrolmentResource(ordine).import_data(data, dry_run=dry_run, use_transactions=True)
        assert not result.has_errors() and not result.has_validation_errors(), result.row_errors()[:1]
