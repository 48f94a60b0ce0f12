"""The forms on the holders' pages."""

from typing import Any

from django import forms
from django.contrib.auth.hashers import check_password

from aruba_sandbox import addresses, passwords
from aruba_sandbox.models import Account

_REQUIRED = {"required": "Compila questo campo."}


class AddressField(forms.CharField):
    """A casella's address, in the form in which it is looked up: only that one's length counts."""

    def to_python(self, value: Any) -> str:
        """Without blanks around it, in small letters."""
        return addresses.normalise(super().to_python(value) or "")


class PasswordField(forms.CharField):
    """A password, exactly as typed but for how the keyboard composes its accents."""

    def to_python(self, value: Any) -> str:
        """In the form in which it is judged and kept."""
        return passwords.normalise(super().to_python(value) or "")


class LoginForm(forms.Form):
    """The login page, for both of its tabs."""

    VERSIONS = [("smart", "Smart"), ("classic", "Classic")]

    address = AddressField(
        label="Casella PEC",
        max_length=255,
        error_messages=_REQUIRED,
        widget=forms.EmailInput(attrs={"autocomplete": "username", "placeholder": "nome.cognome@tsrm.org"}),
    )
    password = PasswordField(
        label="Password",
        max_length=256,
        strip=False,
        error_messages=_REQUIRED,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    stay = forms.BooleanField(label="Resta collegato", required=False)
    version = forms.ChoiceField(
        label="Seleziona versione", choices=VERSIONS, initial="smart", required=False, widget=forms.RadioSelect
    )


class ResetForm(forms.Form):
    """Which casella, and whose it is."""

    address = AddressField(
        label="Indirizzo della casella PEC",
        max_length=255,
        error_messages=_REQUIRED,
        widget=forms.EmailInput(attrs={"autocomplete": "username"}),
    )
    holder_code = forms.CharField(
        label="Codice Fiscale o Partita IVA",
        help_text="Del titolare della casella.",
        max_length=20,
        error_messages=_REQUIRED,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "characters", "spellcheck": "false"}),
    )


class NewPasswordForm(forms.Form):
    """A new password, twice."""

    rule = passwords.RULE
    new_password = PasswordField(
        label="Nuova password",
        help_text="La password deve avere:",
        strip=False,
        error_messages=_REQUIRED,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    repeated = PasswordField(
        label="Ripeti la nuova password",
        strip=False,
        error_messages=_REQUIRED,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def clean_new_password(self) -> str:
        """The password, if the provider's rule likes it."""
        password: str = self.cleaned_data["new_password"]
        if problems := passwords.problems(password):
            raise forms.ValidationError(problems)
        return password

    def clean(self) -> dict[str, Any]:
        """Both fields the same."""
        data = self.cleaned_data
        if "new_password" in data and "repeated" in data and data["new_password"] != data["repeated"]:
            self.add_error("repeated", "Le due password non coincidono.")
        return data


class ChangePasswordForm(NewPasswordForm):
    """A new password for somebody who knows the present one."""

    present = PasswordField(
        label="Password attuale",
        strip=False,
        error_messages=_REQUIRED,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    field_order = ["present", "new_password", "repeated"]

    def __init__(self, account: Account, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.account = account

    def clean_present(self) -> str:
        """The present password, if it is that."""
        present: str = self.cleaned_data["present"]
        if not check_password(present, self.account.password):
            raise forms.ValidationError("La password attuale non è corretta.")
        return present
