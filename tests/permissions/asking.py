"""Asking one address after another as one person, so that none is the worse for the one before."""

from __future__ import annotations

from http.cookies import SimpleCookie

from django.db import transaction
from django.test import Client

from tests.permissions.world import World

# What would be enough to do most things, for whoever may.
FORM = {
    **{"reason": "prova", "verdict": "MEMBER", "role": "RESPONSABILE", "act": "cancel", "conditions": "on"},
    **{"name": "Ada", "surname": "Prova", "email": "ada.prova@example.com", "confirmed": "1", "keep": "1"},
    **{"language": "de", "wants_reminders": "on", "mobile": "3331234567", "is_superuser": "on", "is_staff": "on"},
}


class Asking:
    """A browser that forgets what an answer set, and a database that forgets what an allowed POST did."""

    def __init__(self, world: World, role: str) -> None:
        self._client = Client(raise_request_exception=False)
        if user := world.users[role]:
            self._client.force_login(user)
        self._cookies = self._client.cookies.output(header="", sep=";")

    def answer(self, method: str, url: str) -> int:
        """The status. Only what is done by a POST that was not refused is taken back."""
        self._client.cookies = SimpleCookie(self._cookies)
        with transaction.atomic():
            if method == "get":
                return self._client.get(url).status_code
            response = self._client.post(url, FORM)
            transaction.set_rollback(response.status_code in (200, 302))
            return response.status_code
