"""People at their browsers, and what all of them do: sign in, read their mail, open a link."""

from __future__ import annotations

from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, Page

from tests.browser.demo import Demo
from tests.browser.looking import DESK, Watch

PATIENCE = 15_000.0  # milliseconds: the worker and the provider need some of them


class Person:
    """Somebody at a browser of their own; whatever goes wrong in a page of theirs fails the test."""

    def __init__(self, browser: Browser, demo: Demo, *, javascript: bool = True) -> None:
        self.demo = demo
        self.context: BrowserContext = browser.new_context(
            locale="it-IT",
            timezone_id="Europe/Rome",
            viewport=DESK,
            base_url=demo.portal,
            java_script_enabled=javascript,
        )
        self.context.set_default_timeout(PATIENCE)
        self._watches: list[Watch] = []
        self.page = self.new_page()

    def new_page(self) -> Page:
        page = self.context.new_page()
        hosts = {urlsplit(address).netloc for address in (self.demo.portal, self.demo.sandbox)}
        self._watches.append(Watch(page, hosts))
        return page

    def wrong(self) -> list[str]:
        """What went wrong in the pages since the last time."""
        return [what for watch in self._watches for what in watch.take()]

    def sign_in(self, who: str) -> Page:
        """Through the front door, as the demo's table says."""
        account = self.demo.account(who)
        self.enter(account.username, account.password)
        return self.page

    def enter(self, username: str, password: str) -> None:
        self.page.goto("/accedi/")
        self.page.get_by_label("Codice fiscale o e-mail").fill(username)
        self.page.get_by_label("Password", exact=True).fill(password)
        self.page.get_by_role("button", name="Entra", exact=True).click()

    def leave(self) -> None:
        self.context.close()
