"""Every page a person can open answers, fails nowhere, fits a telephone and keeps the accessibility rules."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from playwright.sync_api import Browser, expect

from tests.browser.demo import Demo
from tests.browser.known import Known
from tests.browser.looking import AXE, DESK, examine
from tests.browser.page_list import NO_PAGES, PAGES, SANDBOX, VISITOR
from tests.browser.people import Person, button, heading
from tests.browser.pictures import picture

SPOIL = """async () => {
    const main = document.querySelector("main"), [first, second] = main.querySelectorAll("input:not([type=hidden])");
    const frames = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    await new Promise((done) => setTimeout(done, 600));  // a new size excuses what moves shortly afterwards
    const late = Object.assign(document.createElement("p"), { textContent: "Avviso arrivato tardi" });
    late.style.height = "200px";
    main.prepend(late);
    await frames();
    main.append(Object.assign(document.createElement("h4"), { textContent: "Troppo in basso" }));
    first.setAttribute("aria-describedby", "nessuno");
    second.setAttribute("aria-invalid", "true");
    main.querySelector("[type=submit]").style.cssText = "min-height: 0; height: 20px; padding: 0; line-height: 1";
    main.querySelector("form").append(main.querySelector("h1"), main.querySelector("form").firstElementChild);
    main.prepend(main.querySelector(".after-form"));
    main.querySelector(".after-form").style.cssText = "position: absolute; top: 2000px";
    while (!window.shifted.length) await frames();
}"""


def names(resolver: URLResolver, prefix: str = "") -> Iterator[str]:
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLPattern):
            if pattern.name:  # the others are the admin's: old addresses of its pages, and what is no address at all
                yield prefix + pattern.name
        else:
            yield from names(pattern, f"{prefix}{pattern.namespace}:" if pattern.namespace else prefix)


def test_every_address_is_visited_or_no_page() -> None:
    assert set(names(get_resolver())) == set(PAGES) | set(NO_PAGES)
    assert not set(PAGES) & set(NO_PAGES)


@pytest.fixture(scope="module")
def person_of(browser: Browser, demo: Demo) -> Iterator[Callable[[str], Person]]:
    """Everybody at one browser, one after the other, each with the cookies they left it with."""
    person, cookies, here = Person(browser, demo), {VISITOR: list[Any]()}, VISITOR
    person.context.add_init_script(path=AXE)

    def find(who: str) -> Person:
        nonlocal here
        if who != here:
            cookies[here] = person.context.cookies()
            here = who
            person.context.clear_cookies()
            if who in cookies:
                person.context.add_cookies(cookies[who])
            else:
                person.let_in(who)
        return person

    yield find
    person.leave()


@pytest.fixture(scope="module")
def known(demo: Demo, person_of: Callable[[str], Person]) -> Known:
    return Known(demo, person_of)


def open_and_look(person: Person, address: str, status: int = 200) -> list[str]:
    """Open an address and say all that is wrong there."""
    answer = person.page.goto(address)
    assert answer
    wrong = [] if answer.status == status else [f"answers {answer.status} instead of {status}"]
    wrong += examine(person.page)
    return [f"{address} ({person.page.title()}): {what}" for what in (*wrong, *person.wrong())]


@pytest.mark.parametrize("name", PAGES)
def test_pages(name: str, person_of: Callable[[str], Person], known: Known) -> None:
    wrong: list[str] = []
    for visit in PAGES[name]:
        address = reverse(name, args=known.arguments(visit.of)) + visit.query
        wrong += open_and_look(person_of(visit.who), address, visit.status)
        if visit.picture:
            picture(person_of(visit.who).page, visit.picture)
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("path", SANDBOX)
def test_pages_of_the_provider(path: str, demo: Demo, person_of: Callable[[str], Person]) -> None:
    wrong = open_and_look(person_of(VISITOR), demo.sandbox + path, SANDBOX[path])
    assert not wrong, "\n".join(wrong)


def test_pale_letters_are_seen(person_of: Callable[[str], Person]) -> None:
    """Also on a page that has been looked at before, where all but they look the same."""
    page = person_of(VISITOR).page
    page.goto("/privacy/")
    assert not examine(page)
    page.set_viewport_size(DESK)
    page.get_by_role("main").get_by_role("paragraph").first.evaluate("(words) => words.style.color = '#ccc'")
    assert "color-contrast" in "".join(examine(page))


def test_what_axe_does_not_see_is_seen(person_of: Callable[[str], Person]) -> None:
    page = person_of(VISITOR).page
    page.goto("/accedi/")
    page.set_viewport_size(DESK)
    page.evaluate(SPOIL)
    wrong = "".join(examine(page))
    for what in (
        "there moves",
        "after h2 comes H4",
        "leads nowhere",
        "nothing says what is wrong",
        "goes up",
        "for a thumb",
    ):
        assert what in wrong, what
    page.set_viewport_size(DESK)


def test_connections_opened_in_advance_hold_nobody_up(demo: Demo) -> None:
    """As two browsers open them, six each."""
    where = urlsplit(demo.portal)
    with ExitStack() as idle:
        for _connection in range(12):
            idle.enter_context(socket.create_connection((where.hostname, where.port)))
        assert demo.http.get(f"{demo.portal}accedi/", timeout=10).ok


def test_in_german(person_of: Callable[[str], Person], known: Known) -> None:
    """Longer words than the Italian ones, on a telephone too; one's choice lasts until the next."""
    person, panel = person_of("ATTIVO"), reverse("pec_requests:panel", args=known.arguments("pec:ATTIVO"))
    person.page.goto(panel)
    button(person.page, "Deutsch").click()
    try:  # the account is everybody's in these tests
        heading(person.page, "Verwaltung des PEC-Postfachs")
        person.look()
        person.page.get_by_role("link", name="Wiederherstellungs-E-Mail ändern").click()
        heading(person.page, "Wiederherstellungs-E-Mail ändern")
        person.look()
    finally:
        button(person.page, "Italiano").click()
        expect(person.page.locator("html")).to_have_attribute("lang", "it")


def test_too_many_attempts(person_of: Callable[[str], Person]) -> None:
    """A stranger who asks for links again and again is told when to come back."""
    person = person_of(VISITOR)
    for _time in range(3):
        with suppress(AssertionError):  # where somebody has asked before, it is already too often
            person.send("/password-dimenticata/", identifier="nessuno@example.com")
    person.page.goto("/password-dimenticata/")
    person.page.get_by_label("Codice fiscale o e-mail").fill("nessuno@example.com")
    button(person.page, "Mandami il link").click()
    heading(person.page, "Troppi tentativi")
    person.look()


def test_a_form_that_lay_open_too_long(person: Callable[..., Person]) -> None:
    stranger = person()
    stranger.page.goto("/accedi/")
    stranger.context.clear_cookies()
    stranger.page.get_by_label("Codice fiscale o e-mail").fill("nessuno@example.com")
    stranger.page.get_by_label("Password", exact=True).fill("qualcosa")
    button(stranger.page, "Entra").click()
    heading(stranger.page, "Il modulo è scaduto")
    stranger.look()


@pytest.mark.parametrize(
    ("path", "send"),
    [("/accedi/", "Entra"), ("/primo-accesso/", "Continua"), ("/password-dimenticata/", "Mandami il link")],
)
def test_forms_that_are_not_accepted(path: str, send: str, person_of: Callable[[str], Person]) -> None:
    """What is missing is told above the form and at the fields, and the reader is taken there."""
    page = person_of(VISITOR).page
    page.goto(path)
    button(page, send).click()
    summary = page.get_by_role("alert")
    expect(summary).to_contain_text("Controlla i dati")
    expect(summary).to_be_focused()
    person_of(VISITOR).look()
