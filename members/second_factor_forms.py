"""allauth's forms of the second factor, with our limits, and codes that count once."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from allauth.account.adapter import get_adapter
from allauth.core import context
from allauth.mfa.base.forms import AuthenticateForm, ReauthenticateForm
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.forms import ActivateTOTPForm
from allauth.mfa.webauthn.forms import AddWebAuthnForm, AuthenticateWebAuthnForm, ReauthenticateWebAuthnForm
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from members import proof, second_factor, throttle
from members.models import User
from members.second_factor import Kind
from members.throttle import PROOF, SECOND_FACTOR, Attempt, Rule

logger = logging.getLogger(__name__)
_KEY_LENGTH = 20_000  # an answer has one or two thousand characters


class _Code:
    """How a code is asked for and judged. Mixed into forms of allauth's, which are not typed."""

    rule = SECOND_FACTOR
    fields: Any
    cleaned_data: Any
    user: User
    authenticator: Authenticator

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _dress(self.fields["code"])

    def clean_code(self) -> str:
        code: str = self.cleaned_data["code"]
        attempt = _attempt(self.rule, self.user)
        of_codes = Authenticator.objects.filter(user_id=self.user.pk, type__in=[Kind.TOTP, Kind.RECOVERY_CODES])
        for authenticator in of_codes:
            if second_factor.accept(authenticator, code):
                attempt.succeeded()
                authenticator.refresh_from_db()
                authenticator.user = self.user
                self.authenticator = authenticator
                return code
        get_adapter().second_factor_failed(context.request, self.user)
        raise get_adapter().validation_error("incorrect_code")

    def save(self) -> None:
        super().save()  # type: ignore[misc]  # of the form it is mixed into
        if self.authenticator.type == Kind.RECOVERY_CODES:
            _tell_codes_left(self.user)


class _Key:
    """How the answer of a security key is judged. Nobody can guess one; those who try are counted all the same."""

    rule = SECOND_FACTOR
    user: User

    def clean_credential(self) -> Authenticator:
        attempt = _attempt(self.rule, self.user)
        try:
            with _whatever_came():
                authenticator: Authenticator = super().clean_credential()  # type: ignore[misc]  # of the form it mixes into
        except ValidationError:
            get_adapter().second_factor_failed(context.request, self.user)
            raise
        attempt.succeeded()
        return authenticator


class CodeForm(_Code, AuthenticateForm):  # type: ignore[misc]  # allauth is not typed
    """After the password."""


class KeyForm(_Key, AuthenticateWebAuthnForm):  # type: ignore[misc]  # allauth is not typed
    """After the password."""


class CodeAgainForm(_Code, ReauthenticateForm):  # type: ignore[misc]  # allauth is not typed
    """Before a delicate act."""

    rule = PROOF

    def save(self) -> None:
        super().save()
        proof.remember(context.request)


class KeyAgainForm(_Key, ReauthenticateWebAuthnForm):  # type: ignore[misc]  # allauth is not typed
    """Before a delicate act."""

    rule = PROOF

    def save(self) -> None:
        super().save()
        proof.remember(context.request)


class ActivateCodeForm(ActivateTOTPForm):  # type: ignore[misc]  # allauth is not typed
    """The first code of a new app."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _dress(self.fields["code"])


class AddKeyForm(AddWebAuthnForm):  # type: ignore[misc]  # allauth is not typed
    """A new security key."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        name = self.fields["name"]
        name.label = _("Nome della chiave")
        name.validators.append(MaxLengthValidator(60))
        name.help_text = _("Per riconoscerla, se ne hai più di una: ad esempio «chiave di casa».")
        name.widget.attrs["maxlength"] = "60"

    def clean_credential(self) -> Any:
        """It is kept as it came, where PostgreSQL keeps no NUL, and nothing without end."""
        credential, kept = self.cleaned_data["credential"], json.dumps(self.cleaned_data["credential"])
        if "\\u0000" in kept or len(kept) > _KEY_LENGTH:
            raise get_adapter().validation_error("incorrect_key")
        return credential

    def clean(self) -> dict[str, Any]:
        with _whatever_came():
            cleaned: dict[str, Any] = super().clean()
        return cleaned


@contextmanager
def _whatever_came() -> Iterator[None]:
    """What is sent as a key's answer may be anything, and fido2 raises whatever it stumbles over: it is wrong."""
    try:
        yield
    except Exception as error:
        logger.info("key_refused: %s", type(error).__name__)
        raise get_adapter().validation_error("incorrect_key") from error


def _dress(field: Any) -> None:
    field.label = _("Codice")
    field.widget.attrs = {"autocomplete": "one-time-code", "autocapitalize": "none", "spellcheck": "false"}


def _attempt(rule: Rule, user: User) -> Attempt:
    attempt = throttle.attempt(context.request, rule, user)
    if not attempt.allowed:
        raise get_adapter().validation_error("rate_limited")
    return attempt


def _tell_codes_left(user: User) -> None:
    left = second_factor.codes_left(user) or 0
    told = ngettext(
        "Hai usato un codice di recupero: ne resta %(left)s.",
        "Hai usato un codice di recupero: ne restano %(left)s.",
        left,
    )
    messages.warning(context.request, told % {"left": left})
