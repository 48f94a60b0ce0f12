"""What the office fills in for an import: the file, and which of its columns is which."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from members.csv_files import MAX_BYTES
from members.import_columns import HEADERS, REQUIRED
from members.models import ImportRun, Ordine


class UploadForm(forms.Form):
    """The file, and of which Ordine, where there is a choice."""

    ordine = forms.ModelChoiceField(Ordine.objects.none(), label=gettext_lazy("Ordine"))
    file = forms.FileField(
        label=gettext_lazy("File"),
        max_length=255,
        widget=forms.ClearableFileInput(attrs={"accept": ".csv,.txt,.xlsx", "data-max-bytes": MAX_BYTES}),
        error_messages={
            "required": gettext_lazy("Scegliere un file."),
            "empty": gettext_lazy("Il file è vuoto."),
            "max_length": gettext_lazy("Il nome del file è troppo lungo."),
        },
    )

    def __init__(self, *args: Any, ordini: QuerySet[Ordine], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._ordini = ordini
        field = self.fields["ordine"]
        assert isinstance(field, forms.ModelChoiceField)  # noqa: S101  (tells the type checker)
        field.queryset = ordini
        self.fields["file"].widget.attrs["data-too-big"] = _too_big()
        if len(ordini) == 1:
            del self.fields["ordine"]

    def add_too_big(self) -> None:
        """Of a file that was not read to its end nothing else is known."""
        self.full_clean()
        self.errors.clear()
        self.add_error("file", _too_big())

    @property
    def chosen(self) -> Ordine:
        """Of a valid form."""
        ordine: Ordine = self.cleaned_data.get("ordine") or self._ordini[0]
        return ordine


def _too_big() -> str:
    return _("Il file è troppo grande: al massimo %(size)d MB.") % {"size": MAX_BYTES // 2**20}


class ColumnsForm(forms.Form):
    """For each field of ours the column that holds it, or none."""

    def __init__(self, run: ImportRun, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [("", _("– nessuna –")), *_choices(run)]
        for field, headers in HEADERS.items():
            self.fields[field] = forms.ChoiceField(
                label=headers[0],
                choices=choices,
                required=field in REQUIRED,
                initial=run.mapping.get(field, ""),
                error_messages={"required": _("Indicare la colonna.")},
            )

    @property
    def mapping(self) -> dict[str, str]:
        """Field → name of the column, of a valid form."""
        return {field: name for field, name in self.cleaned_data.items() if name}


def _choices(run: ImportRun) -> Iterator[tuple[str, str]]:
    for number, (name, header, example) in enumerate(run.columns, 1):
        title = header or _("colonna %(number)d, senza intestazione") % {"number": number}
        yield name, f"{title} ({_('es.')} {example})" if example else title
