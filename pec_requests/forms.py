"""Forms of the member's pages."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from members import emails, proof
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


class RecoveryEmailForm(forms.Form):
    """The new recovery e-mail; the proof of who asks, unless just given; for an address at work, a second yes."""

    email = forms.EmailField(
        label=gettext_lazy("Nuova email di recupero"),
        max_length=80,
        help_text=gettext_lazy("Un indirizzo ordinario, non una PEC, che leggi solo tu. Meglio non quello del lavoro."),
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
        error_messages={"invalid": gettext_lazy("Non è un indirizzo e-mail valido.")},
    )
    anyway = forms.BooleanField(label=gettext_lazy("Usa comunque questo indirizzo"), required=False)
    password = forms.CharField(
        label=gettext_lazy("Password del portale"),
        help_text=gettext_lazy("La chiediamo di nuovo per la tua sicurezza."),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )

    def __init__(self, *args: Any, pec: PecRequest, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._pec, self._request = pec, request
        if not emails.is_employers(self["email"].value() or ""):
            del self.fields["anyway"]
        if proof.has_just_proved(request):
            del self.fields["password"]

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

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        if not proof.by_password(self._request, password):
            raise forms.ValidationError(_("La password non è corretta."))
        return password

    def clean(self) -> None:
        """Whoever has to correct something else need not type the password again."""
        if proof.has_just_proved(self._request):
            self.fields.pop("password", None)
