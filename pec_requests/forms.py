"""Forms of the member's pages."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from members import emails
from members.forms import ProofForm
from pec_requests import recovery
from pec_requests.models import PecRequest
from pec_requests.recovery_in_force import RecoveryRefused


class AcceptForm(forms.Form):
    """The member's yes to the conditions."""

    conditions = forms.BooleanField(
        label=gettext_lazy("Ho letto le condizioni e so che l'indirizzo diventa il mio domicilio digitale"),
        error_messages={
            "required": gettext_lazy("Per accettare la casella occorre spuntare la casella delle condizioni.")
        },
    )


class RecoveryEmailForm(ProofForm):
    """The new recovery e-mail; for an address at work, a second yes."""

    email = forms.EmailField(
        label=gettext_lazy("Nuova email di recupero"),
        max_length=80,
        help_text=gettext_lazy("Un indirizzo ordinario, non una PEC, che leggi solo tu. Meglio non quello del lavoro."),
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
        error_messages={"invalid": gettext_lazy("Non è un indirizzo e-mail valido.")},
    )
    anyway = forms.BooleanField(label=gettext_lazy("Usa comunque questo indirizzo"), required=False)

    def __init__(self, *args: Any, pec: PecRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._pec = pec
        if not emails.is_employers(self["email"].value() or ""):
            del self.fields["anyway"]

    def clean_email(self) -> str:
        email: str = self.cleaned_data["email"]
        try:
            recovery.check_email(self._pec, email)
        except RecoveryRefused as refusal:
            raise forms.ValidationError(str(refusal)) from None
        return email

    def clean_anyway(self) -> bool:
        if not self.cleaned_data["anyway"]:
            raise forms.ValidationError(
                _(
                    "Sembra un indirizzo di lavoro: spesso non riceve il link, e si perde cambiando lavoro. Meglio uno "
                    "personale; se non ne hai, spunta questa casella."
                )
            )
        return True
