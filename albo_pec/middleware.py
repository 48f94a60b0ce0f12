"""What stands before every view."""

from __future__ import annotations

from collections.abc import Callable

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware
from django.shortcuts import render

from albo_pec.views import bad_request


class BrowserRulesMiddleware:
    """What browsers are told with every answer, files included, that no middleware of Django's tells them.

    Nothing of ours is for other sites' pages, and ours take nothing from elsewhere. What is made for one reader is kept
    nowhere; whoever leaves takes along what the browser has kept.
    """

    KEPT_NOWHERE = "no-store, private"
    LEAVING = ("account_logout", "admin:logout")

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        response.headers.setdefault("Cross-Origin-Embedder-Policy", "require-corp")
        response.headers.setdefault("Cache-Control", self.KEPT_NOWHERE)  # files come with a word of their own
        match = request.resolver_match
        if request.method == "POST" and match is not None and match.view_name in self.LEAVING:
            # Not the cookies: the language stays, and the session has ended here.
            response.headers["Clear-Site-Data"] = '"cache", "storage"'
        return response


class PlainAnswersMiddleware:
    """PostgreSQL keeps no NUL in a text: an address that holds one is nobody's, and would be an error further in.

    And the portal reads and is written to: what a view of Django's does not know of (TRACE, PUT) it takes for reading.
    """

    METHODS = ("GET", "HEAD", "POST")

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.method not in self.METHODS:
            return HttpResponseNotAllowed(self.METHODS)
        if "%00" in request.META.get("QUERY_STRING", "") or "\x00" in request.path_info:
            return bad_request(request)
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """What a view does not find gets the portal's own page in development too, not Django's with our addresses."""
        return render(request, "404.html", status=404) if isinstance(error, Http404) else None


class CompressedPagesMiddleware(GZipMiddleware):
    """Pages travel compressed (Django adds to each a random length, so that none tells what is in it); files that are
    written while they leave do not wait for it.
    """

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        page = not response.streaming and response.headers.get("Content-Type", "").startswith("text/html")
        return super().process_response(request, response) if page else response
