"""Forms of the member's pages."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from members.models import User
from pec_requests import recovery
from pec_requests.models import PecRequest


class AcceptForm(forms.Form):
    """The member's yes to the conditions."""

    conditions = forms.BooleanField(
        label=gettext_lazy("Ho letto le condizioni e so che l'indirizzo diventa il mio domicilio digitale"),
        error_messages={
            "required": gettext_lazy("Per accettare la casella occorre spuntare la casella delle condizioni.")
        },
    )


class RecoveryEmailForm(forms.Form):
    """The new recovery e-mail, and the portal's password again."""

    email = forms.EmailField(
        label=gettext_lazy("Nuova email di recupero"),
        max_length=80,
        help_text=gettext_lazy("Un indirizzo ordinario, non una PEC, che leggi solo tu. Meglio non quello del lavoro."),
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
        error_messages={"invalid": gettext_lazy("Non è un indirizzo e-mail valido.")},
    )
    password = forms.CharField(
        label=gettext_lazy("Password del portale"),
        help_text=gettext_lazy("La chiediamo di nuovo per la tua sicurezza."),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )

    def __init__(self, *args: Any, pec_request: PecRequest, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._request, self._user = pec_request, user

    def clean_email(self) -> str:
        email: str = self.cleaned_data["email"]
        try:
            recovery.check_email(self._request, email)
        except recovery.RecoveryRefused as refusal:
            raise forms.ValidationError(str(refusal)) from None
        return email

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        if not self._user.check_password(password):
            raise forms.ValidationError(_("La password non è corretta."))
        return password
