"""In which language a request is answered, and which Ordini it may see.

A query on the data of others, outside this scope, is an error, not a leak.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import translation
from django.utils.cache import patch_vary_headers
from django_scopes import scope, scopes_disabled

from members import languages
from members.current import record_of, staff_ordini

OFFICE = "/admin/"
# Asked every few seconds by machines that never sign in.
MACHINES = ("/healthz", "/readyz", "/metrics")


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
