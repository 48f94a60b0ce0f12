"""Sessions of the holders' pages. Only these pages have sessions and CSRF protection: the API needs neither."""

import hashlib
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.utils.decorators import decorator_from_middleware
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect

from aruba_sandbox import accounts
from aruba_sandbox.models import Account

P = ParamSpec("P")
View = Callable[..., HttpResponseBase]

STAY_SECONDS = 30 * 24 * 3600
_ACCOUNT, _PASSWORD, _NOTICE, _PLAIN = "account", "password", "notice", "plain"

_with_session = decorator_from_middleware(SessionMiddleware)


def holder_page(view: View) -> View:
    """A page with a session, protected against forged posts, kept in no cache."""
    return _with_session(csrf_protect(never_cache(view)))


def casella_page(view: Callable[Concatenate[HttpRequest, Account, P], HttpResponse]) -> View:
    """A holder's page for whoever is logged in to a casella, which the view gets; others are sent to the login."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        account = current(request)
        return view(request, account, *args, **kwargs) if account else redirect("login")

    return holder_page(guarded)


def current(request: HttpRequest) -> Account | None:
    """The casella this session is logged in to, unless it closed or its password changed since."""
    account = accounts.live().filter(pk=request.session.get(_ACCOUNT, 0)).first()
    return account if account and request.session.get(_PASSWORD) == _fingerprint(account) else None


def start(request: HttpRequest, account: Account, **choices: Any) -> None:
    """Log in to a casella; ``choices`` are what the login page offered."""
    request.session.cycle_key()
    request.session.update({_ACCOUNT: account.pk, _PASSWORD: _fingerprint(account), **choices})


def stay(request: HttpRequest) -> None:
    """Keep the session beyond the browser's end."""
    request.session.set_expiry(STAY_SECONDS)


def end(request: HttpRequest) -> None:
    """Log out; how the pages look stays."""
    plain = is_plain(request)
    request.session.flush()
    choose_plain(request, plain)


def choose_plain(request: HttpRequest, plain: bool) -> None:
    """Show all pages in the accessible version from now on, or no longer."""
    if plain != is_plain(request):
        request.session[_PLAIN] = plain


def is_plain(request: HttpRequest) -> bool:
    """Whether the accessible version was chosen."""
    return bool(request.session.get(_PLAIN))


def notify(request: HttpRequest, sentence: str) -> None:
    """Show a sentence on the next page."""
    request.session[_NOTICE] = sentence


def take_notice(request: HttpRequest) -> str:
    """The sentence the last page left, once."""
    return str(request.session.pop(_NOTICE, ""))


def _fingerprint(account: Account) -> str:
    return hashlib.sha256(account.password.encode()).hexdigest()[:16]
