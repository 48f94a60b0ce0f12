"""How allauth behaves here: nobody signs up, every sign-in is in the log, texts are ours, mail goes our way."""

from __future__ import annotations

from typing import Any, ClassVar

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from django.conf import settings
from django.contrib.auth import authenticate
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from audit import log
from audit.actors import Actor
from members import access, devices, gateways, languages, passwordless, proof, sessions, throttle
from members.current import is_staff, record_of, staff_ordini
from members.identification import identify
from members.models import Member, User
from members.sealed_secrets import seal, unseal


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth is not typed
    _has_been_here = False
    error_messages: ClassVar[dict[str, str | Promise]] = {
        **DefaultAccountAdapter.error_messages,
        "username_password_mismatch": _(
            "I dati inseriti non sono corretti. Controlla codice fiscale (o e-mail) e password."
        ),
        "too_many_login_attempts": _(
            "Troppi tentativi non riusciti. Aspetta qualche minuto e riprova, oppure usa «Password dimenticata?»."
        ),
        "incorrect_password": _("La password non è corretta."),
        "enter_current_password": _("La password attuale non è corretta."),
        "incorrect_code": _("Il codice non è corretto, o è già stato usato."),
        "incorrect_key": _("La chiave di sicurezza non è stata riconosciuta. Riprova."),
        "rate_limited": _("Troppi tentativi. Aspetta qualche minuto e riprova."),
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Accounts come from the albo, never from a form."""
        return False

    # Where one goes
    def get_login_redirect_url(self, request: HttpRequest) -> str:
        """Members to their record, the office to its own pages."""
        if record_of(request.user):
            return reverse("members:record")
        return reverse("admin:index") if is_staff(request.user) else reverse("home")

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        return reverse("mfa_index")

    def authenticate(self, request: HttpRequest, **credentials: Any) -> User | None:
        """By name and password. Each try is counted before it is looked at; who may not try again is not looked at."""
        name = str(credentials.get("username", ""))
        user = identify(name).user
        attempt = throttle.attempt(request, throttle.LOGIN, user, name)
        if not attempt.allowed:
            raise self.validation_error("too_many_login_attempts")
        found: User | None = authenticate(request, **credentials)
        if found is None or attempt.void:
            self.authentication_failed(request, **credentials)
            return None
        attempt.succeeded()
        return found

    def reauthenticate(self, user: User, password: str) -> bool:
        """The password, typed again on allauth's page."""
        attempt = throttle.attempt(self.request, throttle.PROOF, user)
        if not attempt.allowed:
            raise self.validation_error("rate_limited")
        if not proof.by_password(self.request, password):
            return False
        attempt.succeeded()
        return True

    def is_reauthentication_required(self, *, app: str, **kwargs: Any) -> bool:
        """allauth asks before what changes the second factor: whatever has proved it elsewhere is good there."""
        return not proof.has_just_proved(self.request)

    def get_reauthentication_methods(self, user: User) -> list[dict[str, Any]]:
        """allauth's, and SPID or CIE for who has no password. A page asks twice, each time with a query for each."""
        if not hasattr(self.request, "_ways_to_prove"):
            self.request._ways_to_prove = [*super().get_reauthentication_methods(user), *passwordless.way(user)]
        ways: list[dict[str, Any]] = self.request._ways_to_prove
        return ways

    # What is written down
    def post_login(self, request: HttpRequest, user: User, **kwargs: Any) -> HttpResponse:
        evidence = (kwargs.get("signal_kwargs") or {}).get("identity")
        if evidence:  # SPID or CIE, a second factor may have come in between
            _record("identity.login", request, record_of(user), **evidence)
            proof.remember(request)
        else:
            _record("access.login", request, record_of(user))
        request.session[gateways.SESSION_KEY] = evidence
        sessions.begin(request)
        languages.bring_along(request, record_of(user))
        response: HttpResponse = super().post_login(request, user, **kwargs)
        new_device = devices.remember(request, response, user)
        if new_device and self._has_been_here:
            access.tell_new_device(
                user, devices.in_words(request.META.get("HTTP_USER_AGENT", "")), Actor.of(request).ip
            )
        return response

    def login(self, request: HttpRequest, user: User) -> None:
        self._has_been_here = user.last_login is not None  # which is about to become now
        super().login(request, user)

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        """Looked up and written whoever it was, so that the answer takes the same time."""
        found = identify(credentials.get("username", ""))
        _record("access.login_failed", request, found.member, tried=found.user)

    def second_factor_failed(self, request: HttpRequest, user: User) -> None:
        """Whoever tries has the password."""
        _record("access.second_factor_failed", request, record_of(user))

    def logout(self, request: HttpRequest) -> None:
        _record("access.logout", request, record_of(request.user))
        super().logout(request)

    def set_password(self, user: User, password: str) -> None:
        """A password changed by who knows the old one."""
        super().set_password(user, password)
        sessions.end_others(self.request)
        _record("access.password_set", self.request, record_of(user))

    # What is mailed
    def send_notification_mail(
        self,
        template_prefix: str,
        user: User,
        context: dict[str, Any] | None = None,
        email: str | None = None,
    ) -> None:
        """Notices about the account, in our words: allauth would write to addresses that we do not keep there."""
        if template_prefix == "account/email/password_changed":
            access.tell_password_changed(user)
        elif template_prefix.startswith("mfa/"):
            _record(f"second_factor.{template_prefix.rpartition('/')[2]}", self.request, record_of(user))
            access.tell_second_factor_changed(user)


class SecondFactorAdapter(DefaultMFAAdapter):  # type: ignore[misc]  # allauth is not typed
    error_messages: ClassVar[dict[str, str | Promise]] = {
        **DefaultMFAAdapter.error_messages,
        "incorrect_code": AccountAdapter.error_messages["incorrect_code"],
        "cannot_generate_recovery_codes": _("Attiva prima un secondo fattore: i codici di recupero ne fanno le veci."),
    }

    def is_mfa_enabled(self, user: User, types: list[str] | None = None) -> bool:
        """Without asking the database for kinds that nobody can have here: one page asks for each of them, twice."""
        possible = types and [kind for kind in types if kind in settings.MFA_SUPPORTED_TYPES]
        return possible != [] and bool(super().is_mfa_enabled(user, types=possible))

    def encrypt(self, text: str) -> str:
        """The seeds of codes, which allauth would keep as they are."""
        return seal(text)

    def decrypt(self, encrypted_text: str) -> str:
        return unseal(encrypted_text)

    def get_totp_label(self, user: User) -> str:
        """What the app shows: a member's user name says nothing to anybody."""
        return user.get_full_name() or user.get_username()

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        return {**super().get_public_key_credential_rp_entity(), "name": settings.SITE_NAME}

    def get_public_key_credential_user_entity(self, user: User) -> dict[str, Any]:
        label = self.get_totp_label(user)
        return {**super().get_public_key_credential_user_entity(user), "display_name": label, "name": label}

    def generate_authenticator_name(self, user: User, type: str) -> str:
        """What a key is called whose owner has not named it."""
        return gettext("Chiave di sicurezza")


def _record(
    action: str, request: HttpRequest, member: Member | None, *, tried: User | None = None, **detail: str
) -> None:
    """In the log of the Ordine that keeps the record, and of each for whose office the account works.

    ``tried`` is the account that somebody, who may be anybody, wanted to come in by.
    """
    user = tried if tried or not request.user.is_authenticated else request.user
    # Nobody's offices are looked for as well, so that the answer takes the same time.
    codes = [ordine.code for ordine in staff_ordini(user or User(pk=0))]
    if member and member.ordine.code not in codes:
        codes.append(member.ordine.code)
    actor, person = Actor.of(request), member.pk if member else None
    log.record_many(
        log.entry(action, actor, member or user, person=person, ordine=code, **detail) for code in codes or [""]
    )
