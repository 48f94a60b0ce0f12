"""Every form that a reader is shown, filled in as a person would, and sent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.core.cache import cache
from django.db import transaction
from django.http import HttpResponse
from django.test import Client
from django.urls import resolve, reverse
from django.utils.http import urlencode

from tests.attacks import scene
from tests.attacks.pages import Form, forms
from tests.factories import PASSWORD, tax_code

# What a form would be refused without, by a part of a field's name; the first that fits.
ANSWERS = {
    "password": PASSWORD,
    "tax_code": tax_code(917),
    "email": "mai.vista@example.com",
    "mobile": "3330000000",
    "phone": "0710000000",
    "date": "2020-02-02",
    "_on": "2020-02-02",
    "number": "77",
    "days": "30",
    "code": "prova",
    "name": "Prova",
}
ENDS_THE_SESSION = ("account_logout", "admin:logout")


@dataclass(frozen=True)
class Sheet:
    """A form as one reader has it before them."""

    who: str
    page: str
    address: str
    form: Form

    def __str__(self) -> str:
        return f"{self.page} as {self.who}, to {self.address}"

    def filled(self) -> list[tuple[str, str]]:
        """With the first of its buttons pressed."""
        pairs, pressed = [], False
        for name, value in self.form.fields:
            kind = self.form.kinds[name]
            if kind in ("submit", "button"):
                if pressed:
                    continue
                pressed = True
            answer = next((word for part, word in ANSWERS.items() if part in name), "Prova di attacco")
            pairs.append((name, value or ("" if kind == "hidden" else answer)))
        return pairs


class Reading:
    """The forms of the pages that readers are shown: each once, and of a page that several see the first reader's."""

    def __init__(self, built: scene.Scene) -> None:
        self.built = built
        self._pages: set[str] = set()
        self._forms: set[tuple[str, tuple[str, ...]]] = set()

    def sheets(self, who: str, client: Client) -> Iterator[Sheet]:
        for page, address in self._addresses(who):
            answer = client.get(address)
            if answer.streaming or answer.status_code != 200 or "html" not in answer["Content-Type"]:
                continue
            self._pages.add(address)
            for form in forms(answer.content.decode()):
                to = form.action or address
                key = (to, tuple(sorted(form.kinds)))
                if key not in self._forms and resolve(to.partition("?")[0]).view_name not in ENDS_THE_SESSION:
                    self._forms.add(key)
                    yield Sheet(who, page, to, form)

    def _addresses(self, who: str) -> Iterator[tuple[str, str]]:
        """About whose mailbox it is, and for the office about both."""
        here = self.built.here
        mailboxes = {"waiting": [here.waiting], "active": [here.active]}.get(who, [here.waiting, here.active])
        asked = set(self._pages)
        for mailbox in mailboxes:
            for page, address in scene.addresses(here, mailbox).items():
                if page.startswith("admin:") == (who in ("office", "federation")) and address not in asked:
                    asked.add(address)
                    yield page, address


def entered(built: scene.Scene, who: str) -> Client:
    """Signed in, and just asked who they are."""
    client = built.client(who)
    if who != "visitor":
        client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    return client


def send(client: Client, sheet: Sheet, pairs: list[tuple[str, str]]) -> HttpResponse:
    """Whatever was tried before does not count, nor does what becomes of the session."""
    cache.clear()
    kept = client.cookies.copy()
    try:
        return client.post(sheet.address, urlencode(pairs), content_type="application/x-www-form-urlencoded")
    finally:
        client.cookies = kept


@contextmanager
def undone() -> Iterator[None]:
    """What is done inside has not been."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)
