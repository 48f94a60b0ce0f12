"""As whom the portal is looked at, in which language a request is answered, and which Ordini it may see.

A query on the data of others, outside this scope, is an error, not a leak.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import rotate_token
from django.shortcuts import redirect, render
from django.utils import translation
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext as _
from django_scopes import scope, scopes_disabled

from audit.actors import Actor
from members import languages, support
from members.current import record_of, staff_ordini
from members.models import SupportView

OFFICE = "/admin/"
# Asked every few seconds by machines that never sign in.
MACHINES = ("/healthz", "/readyz", "/metrics")


class SupportViewMiddleware:
    """*Vedi come questo iscritto*: which record the member's pages are about, and that nothing is done there.

    The one place that says so. While somebody looks, in any of their tabs, nothing but looking is answered, and on the
    member's side only the pages named here: whatever is added later is not shown before somebody has thought about it.
    """

    ENDS = frozenset({"members:support_end", "account_logout"})
    SHOWN = frozenset(
        {
            *("home", "help", "privacy", "accessibility"),
            *("members:home", "members:record", "members:preferences", "members:change_email", "members:change_mobile"),
            *(f"pec_requests:{page}" for page in ("list", "status", "accept", "refuse", "panel", "panel-status")),
            *("pec_requests:change-recovery", "pec_requests:reset-password"),
        }
    )

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path not in MACHINES and support.SESSION_KEY in request.session:
            view = support.alive(request.session[support.SESSION_KEY], request.user)
            self._over(request) if view is None else self._look(request, view)
        return self.get_response(request)

    def _look(self, request: HttpRequest, view: SupportView) -> None:
        request.support_view = view  # type: ignore[attr-defined]  # ours
        if not request.path.startswith(OFFICE):
            request.user._portal_record = view.member  # type: ignore[union-attr]  # what ``current.record_of`` reads

    def _over(self, request: HttpRequest) -> None:
        """A form that a tab still shows was the member's: nothing of it may reach the record of who looked."""
        del request.session[support.SESSION_KEY]
        rotate_token(request)
        request.support_is_over = True  # type: ignore[attr-defined]  # ours

    def process_view(self, request: HttpRequest, *_view: Any) -> HttpResponse | None:
        if getattr(request, "support_is_over", False):
            messages.info(request, _("La visita come iscritto è finita."))
            return redirect("admin:index")
        view: SupportView | None = getattr(request, "support_view", None)
        if view is None:
            return None
        name = request.resolver_match.view_name if request.resolver_match else ""
        if name in self.ENDS:
            self._leave(request, view, name)
            return None
        is_shown = request.path.startswith(OFFICE) or name in self.SHOWN
        if request.method not in ("GET", "HEAD") or not is_shown:
            return render(request, "members/support_refused.html", status=403)
        if name in self.SHOWN:
            support.note(view, request.path, Actor.of(request))
        return None

    def _leave(self, request: HttpRequest, view: SupportView, name: str) -> None:
        """Whoever signs out does so as who they are."""
        if hasattr(request.user, "_portal_record"):
            del request.user._portal_record
        if name == "account_logout" and request.method == "POST":
            support.end(view, _("uscita dal portale"), Actor.of(request))


class LanguageMiddleware:
    """Answers in the reader's language; the office in Italian, whatever the browser says.

    Not Django's own, which knows no member, and leaves its language behind for whatever the process does next.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path in MACHINES:
            return self.get_response(request)
        in_office = request.path.startswith(OFFICE)
        language = languages.ITALIAN if in_office else languages.of_reader(request, request.user)
        request.LANGUAGE_CODE = language  # as Django's own names it
        with translation.override(language):
            response = self.get_response(request)
        response.headers.setdefault("Content-Language", language)
        if not in_office:
            patch_vary_headers(response, ("Accept-Language", "Cookie"))
        return response


class OrdineScopeMiddleware:
    """Opens the scope of the signed-in user for the length of the request.

    In the office: the Ordini one works for (the federation's administrator: all). Everywhere else, whoever one is, only
    the Ordine of one's own record. A visitor has no scope at all. Not for streaming responses: they outlive the scope.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with scope_of(request):
            return self.get_response(request)


def scope_of(request: HttpRequest) -> AbstractContextManager[Any]:
    """The scope this request runs in."""
    opened: AbstractContextManager[Any] = _open(request)
    return opened


def _open(request: HttpRequest) -> Any:
    if request.path in MACHINES or not request.user.is_authenticated:
        return nullcontext()
    if request.path.startswith(OFFICE):
        if request.user.is_superuser:
            return scopes_disabled()
        return scope(ordine=[ordine.pk for ordine in staff_ordini(request.user)])
    record = record_of(request.user)
    return scope(ordine=[record.ordine_id] if record else [])
