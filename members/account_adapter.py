"""How allauth behaves here: nobody signs up, every sign-in is in the log, texts are ours, mail goes our way."""

from __future__ import annotations

from typing import Any, ClassVar

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from audit import log
from audit.actors import Actor
from members import access, gateways, languages, passwordless, proof
from members.current import is_staff, record_of
from members.identification import identify
from members.models import Member, User
from members.sealed_secrets import seal, unseal


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth is not typed
    error_messages: ClassVar[dict[str, str | Promise]] = {
        **DefaultAccountAdapter.error_messages,
        "username_password_mismatch": _(
            "I dati inseriti non sono corretti. Controlla codice fiscale (o e-mail) e password."
        ),
        "too_many_login_attempts": _("Troppi tentativi non riusciti. Aspetta cinque minuti e riprova."),
        "incorrect_password": _("La password non è corretta."),
        "enter_current_password": _("La password attuale non è corretta."),
        "incorrect_code": _("Il codice non è corretto."),
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

    def reauthenticate(self, user: User, password: str) -> bool:
        """The password, typed again on allauth's page."""
        right: bool = super().reauthenticate(user, password)
        if right:
            proof.remember(self.request)
        return right

    def get_reauthentication_methods(self, user: User) -> list[dict[str, Any]]:
        """allauth's, and SPID or CIE for who has no password."""
        methods: list[dict[str, Any]] = super().get_reauthentication_methods(user)
        return [*methods, *passwordless.way(user)]

    # What is written down
    def post_login(self, request: HttpRequest, user: User, **kwargs: Any) -> HttpResponse:
        evidence = (kwargs.get("signal_kwargs") or {}).get("identity")
        if evidence:  # SPID or CIE, a second factor may have come in between
            _record("identity.login", request, record_of(user), **evidence)
            proof.remember(request)
        else:
            _record("access.login", request, record_of(user))
        request.session[gateways.SESSION_KEY] = evidence
        languages.bring_along(request, record_of(user))
        response: HttpResponse = super().post_login(request, user, **kwargs)
        return response

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        """Looked up and written whoever it was, so that the answer takes the same time."""
        _record("access.login_failed", request, identify(credentials.get("username", "")).member)

    def logout(self, request: HttpRequest) -> None:
        _record("access.logout", request, record_of(request.user))
        super().logout(request)

    def set_password(self, user: User, password: str) -> None:
        """A password changed by who knows the old one."""
        super().set_password(user, password)
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
            access.tell_second_factor_changed(user)


class SecondFactorAdapter(DefaultMFAAdapter):  # type: ignore[misc]  # allauth is not typed
    def is_mfa_enabled(self, user: User, types: list[str] | None = None) -> bool:
        """Without asking the database for kinds that nobody can have here: one page asks for each of them, twice."""
        possible = types and [kind for kind in types if kind in settings.MFA_SUPPORTED_TYPES]
        return possible != [] and bool(super().is_mfa_enabled(user, types=possible))

    def encrypt(self, text: str) -> str:
        """The seeds of codes, which allauth would keep as they are."""
        return seal(text)

    def decrypt(self, encrypted_text: str) -> str:
        return unseal(encrypted_text)


def _record(action: str, request: HttpRequest, member: Member | None, **detail: str) -> None:
    person, ordine = (member.pk, member.ordine.code) if member else (None, "")
    log.record(action, Actor.of(request), member, person=person, ordine=ordine, **detail)
