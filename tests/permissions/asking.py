"""Asking one address after another as one person, so that none is the worse for the one before."""

from __future__ import annotations

from collections.abc import Callable
from http.cookies import SimpleCookie

from django.core.handlers.base import BaseHandler
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.test import Client, RequestFactory

from tests.permissions.world import World

# What would be enough to do most things, for whoever may.
FORM = {
    "reason": "prova",
    "verdict": "MEMBER",
    "role": "RESPONSABILE",
    "act": "cancel",
    "conditions": "on",
    "name": "Ada",
    "surname": "Prova",
    "email": "ada.prova@example.com",
    "confirmed": "1",
    "keep": "1",
    "language": "de",
    "wants_reminders": "on",
    "mobile": "3331234567",
    "is_superuser": "on",
    "is_staff": "on",
}


class Undrawn:
    """What an answer is, not what it looks like: drawing the office's pages takes half the time, and others do it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_template_response(self, request: HttpRequest, response: TemplateResponse) -> TemplateResponse:
        response.content = b""
        return response


class Asking:
    """A browser that forgets what an answer set, and a database that forgets what an allowed POST did.

    Straight to the handler, as a server does: what the test client keeps of every template takes a third of the time.
    """

    def __init__(self, world: World, role: str) -> None:
        client = Client()
        if user := world.users[role]:
            client.force_login(user)
        self._cookies = client.cookies.output(header="", sep=";")
        self._factory = RequestFactory()
        self._handler = BaseHandler()
        self._handler.load_middleware()

    def answer(self, method: str, url: str, *, take_back: bool) -> int:
        """The status. ``take_back``: what is done is undone, since this one may."""
        if not take_back:
            return self._status(method, url)
        with transaction.atomic():
            status = self._status(method, url)
            transaction.set_rollback(True)
            return status

    def _status(self, method: str, url: str) -> int:
        self._factory.cookies = SimpleCookie(self._cookies)
        request = self._factory.get(url) if method == "get" else self._factory.post(url, FORM)
        request._dont_enforce_csrf_checks = True  # type: ignore[attr-defined]  # as the test client does
        return self._handler.get_response(request).status_code
