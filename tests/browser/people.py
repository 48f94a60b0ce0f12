"""People at their browsers, and what all of them do: sign in, read their mail, look at what a page says."""

from __future__ import annotations

import re
from functools import cached_property
from urllib.parse import urlsplit

from playwright.sync_api import APIResponse, Browser, BrowserContext, FilePayload, Locator, Page, expect

from tests.browser.demo import Demo, link_in
from tests.browser.looking import DESK, SHIFTS, Watch, examine
from tests.house.holders import wait_until

PATIENCE = 15_000.0  # milliseconds: the worker and the provider need some of them


class Person:
    """Somebody at a browser of their own; whatever goes wrong in a page of theirs fails the test."""

    def __init__(self, browser: Browser, demo: Demo, *, javascript: bool = True) -> None:
        self.demo, self.javascript = demo, javascript
        self.context: BrowserContext = browser.new_context(
            locale="it-IT",
            timezone_id="Europe/Rome",
            viewport=DESK,
            base_url=demo.portal,
            java_script_enabled=javascript,
        )
        self.context.set_default_timeout(PATIENCE)
        self.context.add_init_script(SHIFTS)
        self._watches: list[Watch] = []

    @cached_property
    def page(self) -> Page:
        """Opened when first looked at: it costs as much as ten requests, and some people only send requests."""
        return self.new_page()

    def new_page(self) -> Page:
        page = self.context.new_page()
        self._watches.append(Watch(page))
        return page

    def wrong(self) -> list[str]:
        """What went wrong in the pages since the last time."""
        return [what for watch in self._watches for what in watch.take()]

    def screens(self) -> list[str]:
        """All that has been shown to this person, from the last tab that was opened on."""
        return self._watches[-1].screens

    def look(self, page: Page | None = None) -> None:
        """Nothing must be wrong with the page as it stands; the walk goes on at the desk."""
        page = page or self.page
        wrong = [f"{page.title()}: {what}" for what in examine(page)]
        assert not wrong, "\n".join(wrong)
        page.set_viewport_size(DESK)

    def read(self, address: str) -> str:
        """A page's HTML, in this person's session but without drawing it."""
        return self._get(address).text()

    def send(self, address: str, **fields: str) -> str:
        """The page's form, filled in and sent without drawing it; returns the address this leads to."""
        page = self._get(address)
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text())
        assert token, f"{address} has no form"
        form: dict[str, str | float | bool] = {**fields, "csrfmiddlewaretoken": token[1]}
        answer = self.context.request.post(page.url, form=form)
        assert answer.ok, f"{address} answers {answer.status}"
        return answer.url

    def bring(self, address: str, name: str, text: str) -> str:
        """The page's form, with a file and nothing else; returns the address this leads to."""
        page = self._get(address)
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text())
        assert token, f"{address} has no form"
        file: FilePayload = {"name": name, "mimeType": "text/csv", "buffer": text.encode()}
        answer = self.context.request.post(page.url, multipart={"file": file, "csrfmiddlewaretoken": token[1]})
        assert answer.ok, f"{address} answers {answer.status}"
        return urlsplit(answer.url).path

    def _get(self, address: str) -> APIResponse:
        """Once more where the server ended an idle connection in the moment it was used again; browsers do so, too."""
        return self.context.request.get(address, max_retries=1)

    def let_in(self, who: str) -> Person:
        """Signed in as the demo's table says, without drawing the front door."""
        account = self.demo.account(who)
        self.send("/accedi/", login=account.username, password=account.password)
        return self

    def sign_in(self, who: str) -> Page:
        """By the front door; ends on the first page."""
        account = self.demo.account(who)
        self.page.goto("/")
        self.enter(account.username, account.password)
        return self.page

    def enter(self, username: str, password: str) -> None:
        link(self.page, "Accedi").click()
        self.page.get_by_label("Codice fiscale o e-mail").fill(username)
        self.page.get_by_label("Password", exact=True).fill(password)
        button(self.page, "Entra").click()
        expect(button(self.page, "Esci")).to_be_visible()

    def reload_when(self, words: str) -> None:
        """As a person does who waits for something on a page that stands still."""
        wait_until(lambda: words in self.read(self.page.url), PATIENCE / 1000, every=0.2)
        self.page.reload()

    def choose_password(self, password: str, page: Page | None = None) -> None:
        """A new one, twice, on the portal's page or on the provider's."""
        page = page or self.page
        page.get_by_label("Nuova password", exact=True).fill(password)
        page.get_by_label("Ripeti la nuova password", exact=True).fill(password)
        page.get_by_role("button", name="Salva").click()

    def open_mail(self, to: str, subject: str, address: str, *, before: int = 0) -> Page:
        """Wait for a mail and follow, in a new tab, the link to this address in it, as a mail program does."""
        page = self.new_page()
        page.goto(link_in(self.demo.mail(to, subject, before=before), address))
        return page

    def leave(self) -> None:
        """Nothing of theirs stays but the open browser, for whoever comes next: a new one costs ten requests."""
        first, *others = self.context.pages or [None]
        for page in others:
            page.close()
        if first:
            first.goto("about:blank")
            first.set_viewport_size(DESK)
            self.page, self._watches = first, self._watches[:1]
        self.context.clear_cookies()
        self.wrong()


def link(page: Page, name: str) -> Locator:
    """By all of its words; the first, where header and page both have it."""
    return page.get_by_role("link", name=name, exact=True).first


def button(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True).first


def heading(page: Page, words: str) -> None:
    """The page is the one with this main heading."""
    expect(page.get_by_role("heading", level=1)).to_have_text(words)
