"""People without a password, whom SPID or CIE let in: before a delicate act they prove who they are by it again."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, cast

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from members import gateways, proof
from members.models import User


def must_prove(request: HttpRequest) -> bool:
    """Whether this user has no password to type, and has not just come in or confirmed."""
    user = request.user
    return user.is_authenticated and not user.has_usable_password() and not proof.has_just_proved(request)


def ask(request: HttpRequest) -> HttpResponse:
    """Off to prove it, and back here; where there is no gateway any more, to a password first."""
    if not gateways.configured():
        return redirect("account_set_password")
    return redirect(f"{reverse('account_reauthenticate')}?{urlencode({'next': request.get_full_path()})}")


def proof_first(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """For pages of allauth's, which asks nothing of whoever has no password."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return ask(request) if must_prove(request) else view(request, *args, **kwargs)

    # allauth would ask a visitor, too, to prove who they are.
    return cast("Callable[..., HttpResponse]", login_required(guarded))


def way(user: User) -> list[dict[str, str]]:
    """The page for it, in allauth's list of ways to confirm that one is oneself."""
    if not user.is_authenticated or user.has_usable_password():
        return []  # allauth asks for a visitor, too, and then leads to the login
    if not gateways.configured():
        return [{"id": "password", "description": _("Con una nuova password"), "url": reverse("account_set_password")}]
    return [{"id": "identity", "description": _("Con SPID o CIE"), "url": reverse("account_reauthenticate")}]
