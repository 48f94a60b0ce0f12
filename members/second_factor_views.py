"""allauth's pages of the second factor, where ours do more: what changes it ends the other sessions, and whoever works
in an office keeps one.
"""

from __future__ import annotations

from typing import Any

from allauth.mfa.base.views import IndexView
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.views import ActivateTOTPView, DeactivateTOTPView
from allauth.mfa.webauthn.views import AddWebAuthnView, RemoveWebAuthnView
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse_lazy
from django.utils.translation import gettext as _

from members import second_factor, sessions
from members.models import User
from members.second_factor import Kind


class Overview(IndexView):  # type: ignore[misc]  # allauth is not typed
    """*Sicurezza*: password, second factor, recovery codes, sessions."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        found = context["authenticators"]
        codes = found.get(Kind.RECOVERY_CODES)
        return {
            **context,
            "keys_work": second_factor.keys_work_at(self.request.get_host()),
            "codes_left": len(codes.get_unused_codes()) if codes else 0,
            "few_codes": second_factor.FEW_CODES,
        }


class ActivateApp(ActivateTOTPView):  # type: ignore[misc]  # allauth is not typed
    def form_valid(self, form: Any) -> HttpResponse:
        response: HttpResponse = super().form_valid(form)
        added = Authenticator.objects.get(user=self.request.user, type=Kind.TOTP)
        second_factor.used_when_added(added, form.cleaned_data["code"])
        _has_added(self.request, added)
        return response


class AddKey(AddWebAuthnView):  # type: ignore[misc]  # allauth is not typed
    def form_valid(self, form: Any) -> HttpResponse:
        response: HttpResponse = super().form_valid(form)
        added = Authenticator.objects.filter(user=self.request.user, type=Kind.WEBAUTHN).latest("pk")
        _has_added(self.request, added)
        return response


class _KeepingOne:
    """The last factor of who must have one stays; of two that go at the same time, one does."""

    request: HttpRequest

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not request.user.is_authenticated:
            return redirect("account_login")
        with transaction.atomic():
            user = User.objects.select_for_update(of=("self",)).get(pk=request.user.pk)
            if second_factor.required(request.user) and second_factor.is_last(user):
                messages.error(
                    request, _("Chi lavora in segreteria ha sempre un secondo fattore: prima aggiungine un altro.")
                )
                return redirect("mfa_index")
            return super().dispatch(request, *args, **kwargs)  # type: ignore[misc, no-any-return]  # allauth's view


class DeactivateApp(_KeepingOne, DeactivateTOTPView):  # type: ignore[misc]  # allauth is not typed
    def form_valid(self, form: Any) -> HttpResponse:
        sessions.end_others(self.request)
        response: HttpResponse = super().form_valid(form)
        return response


class RemoveKey(_KeepingOne, RemoveWebAuthnView):  # type: ignore[misc]  # allauth is not typed
    success_url = reverse_lazy("mfa_index")

    def form_valid(self, form: Any) -> HttpResponse:
        sessions.end_others(self.request)
        response: HttpResponse = super().form_valid(form)
        return response


def _has_added(request: HttpRequest, added: Authenticator) -> None:
    """Whoever else is in came in without it."""
    second_factor.show(request, added)
    sessions.end_others(request)
