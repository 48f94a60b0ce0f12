"""Forms of the doors to the portal."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.forms import ChangePasswordForm as AllauthChangePasswordForm
from allauth.account.forms import LoginForm as AllauthLoginForm
from allauth.core import context
from django import forms
from django.contrib.auth import password_validation
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from members import access, contacts, proof, tax_codes, throttle
from members.identification import every_member, normalise
from members.models import Member, User

# A codice fiscale typed on a telephone: capitals, and no "corrections".
_PLAIN: dict[str, str] = {"autocapitalize": "none", "autocorrect": "off", "spellcheck": "false"}


class LoginForm(AllauthLoginForm):  # type: ignore[misc]  # allauth is not typed
    """The front door: codice fiscale or e-mail, and the password."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        login, password = self.fields["login"], self.fields["password"]
        login.label = _("Codice fiscale o e-mail")
        login.widget = forms.TextInput(attrs={"autocomplete": "username", **_PLAIN})
        password.label, password.help_text = _("Password"), ""
        password.widget.attrs.pop("placeholder", None)

    def clean_login(self) -> str:
        """One spelling for one person, so that attempts are counted together."""
        return normalise(self.cleaned_data["login"])


class ChangePasswordForm(AllauthChangePasswordForm):  # type: ignore[misc]  # allauth is not typed
    """Another password, by who knows the old one."""

    def clean_oldpassword(self) -> str:
        attempt = throttle.attempt(context.request, throttle.PROOF, self.user)
        if not attempt.allowed:
            raise get_adapter().validation_error("rate_limited")
        old: str = super().clean_oldpassword()
        attempt.succeeded()
        return old


class PasswordForgottenForm(forms.Form):
    """Who asks for a link to a new password."""

    identifier = forms.CharField(
        label=_("Codice fiscale o e-mail"),
        max_length=254,
        widget=forms.TextInput(attrs={"autocomplete": "username", **_PLAIN}),
    )

    def clean_identifier(self) -> str:
        return normalise(self.cleaned_data["identifier"])


class FirstAccessForm(forms.Form):
    """The code on the sheet that the Ordine handed over."""

    tax_code = forms.CharField(
        label=_("Codice fiscale"),
        max_length=40,
        widget=forms.TextInput(attrs={"autocomplete": "off", **_PLAIN, "autocapitalize": "characters"}),
    )
    code = forms.CharField(
        label=_("Codice di primo accesso"),
        max_length=40,
        help_text=_("Dodici caratteri, ad esempio 7K3M-P9QX-4TRA. Maiuscole e trattini non contano."),
        widget=forms.TextInput(attrs={"autocomplete": "off", **_PLAIN, "autocapitalize": "characters"}),
    )

    def clean_tax_code(self) -> str:
        code = tax_codes.normalise(self.cleaned_data["tax_code"])
        if not tax_codes.is_valid(code):
            raise ValidationError(
                gettext("Questo non è un codice fiscale: sono 16 caratteri, come sulla tessera sanitaria.")
            )
        return code


class NewPasswordForm(forms.Form):
    """A new password, twice."""

    password = forms.CharField(
        label=_("Nuova password"),
        strip=False,
        help_text=password_validation.password_validators_help_text_html,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    again = forms.CharField(
        label=_("Ripeti la nuova password"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        password_validation.validate_password(password, self.user)
        return password

    def clean(self) -> None:
        data = self.cleaned_data
        if "password" in data and "again" in data and data["password"] != data["again"]:
            self.add_error("again", gettext("Le due password non sono uguali."))


class ProofForm(forms.Form):
    """For what could give an account away: last comes the portal's password, again, unless its user has just proved
    who they are.
    """

    password = forms.CharField(
        label=_("Password del portale"),
        help_text=_("La chiediamo di nuovo per la tua sicurezza."),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._request = request
        self.order_fields([*(name for name in self.fields if name != "password"), "password"])
        if proof.has_just_proved(request):
            del self.fields["password"]

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        if not proof.by_password(self._request, password):
            raise ValidationError(gettext("La password non è corretta."))
        return password

    def clean(self) -> None:
        """Whoever has to correct something else need not type the password again."""
        if proof.has_just_proved(self._request):
            self.fields.pop("password", None)


class PersonalEmailForm(ProofForm):
    """Another personal e-mail."""

    email = forms.CharField(
        label=_("Nuova e-mail personale"),
        max_length=254,
        help_text=_("Un indirizzo ordinario, non una PEC, che leggi solo tu. Meglio non quello del lavoro."),
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )

    def __init__(self, *args: Any, member: Member, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._member = member

    def clean_email(self) -> str:
        email: str = self.cleaned_data["email"]
        try:
            contacts.check_email(self._member, email)
        except contacts.ContactRefused as why:
            raise ValidationError(str(why)) from None
        return email


class OwnDataForm(ProofForm):
    """In which form somebody takes the own data along."""

    form = forms.ChoiceField(
        label=_("Formato"),
        choices=[("html", _("Pagina da leggere e stampare (HTML)")), ("json", _("Dati per altri programmi (JSON)"))],
        initial="html",
        widget=forms.RadioSelect,
    )


class MobileForm(forms.Form):
    """The member's own telephone."""

    mobile = forms.CharField(
        label=_("Cellulare"),
        max_length=40,
        required=False,
        help_text=_("Solo le cifre, ad esempio 333 1234567. Lascia vuoto se non vuoi che l'Ordine lo abbia."),
        widget=forms.TextInput(attrs={"autocomplete": "tel", "inputmode": "tel"}),
    )

    def clean_mobile(self) -> str:
        try:
            return contacts.clean_mobile(self.cleaned_data["mobile"])
        except contacts.ContactRefused as why:
            raise ValidationError(str(why)) from None


class MemberAdminForm(forms.ModelForm[Member]):
    """A member's record in the office."""

    class Meta:
        model = Member
        fields = (
            *(
                "ordine",
                "tax_code",
                "surname",
                "name",
                "sex",
                "birth_date",
                "birth_place",
                "birth_province",
                "file_number",
            ),
            *("personal_email", "mobile", "own_pec", "address", "postcode", "town", "province"),
        )

    def clean_tax_code(self) -> str:
        code = tax_codes.normalise(self.cleaned_data["tax_code"])
        if not tax_codes.is_valid(code):
            raise ValidationError(gettext("Il codice fiscale non è valido: controlla i 16 caratteri."))
        user = self.instance.user if self.instance.pk else None
        if user and code != self.initial["tax_code"] and user.works_in_office:
            raise ValidationError(access.identity_of_staff())
        # In the whole installation, beyond the scope of this office: Django's own check would see only its own members.
        other = every_member().filter(tax_code=code).exclude(pk=self.instance.pk).first()
        ordine_id = self.instance.ordine_id or getattr(self.cleaned_data.get("ordine"), "pk", None)
        if other is not None and other.ordine_id != ordine_id:
            raise ValidationError(gettext("Questa persona appartiene a un altro Ordine: chiedere il trasferimento."))
        if other is not None:
            raise ValidationError(gettext("C'è già un iscritto con questo codice fiscale."))
        return code

    def clean_surname(self) -> str:
        return " ".join(self.cleaned_data["surname"].split())

    def clean_name(self) -> str:
        return " ".join(self.cleaned_data["name"].split())

    def clean_personal_email(self) -> str:
        return str(self.cleaned_data["personal_email"]).strip()
