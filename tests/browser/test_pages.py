"""Every page a person can open answers, fails nowhere, fits a telephone and keeps the accessibility rules."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from playwright.sync_api import Browser

from tests.browser.demo import Demo
from tests.browser.known import Known
from tests.browser.looking import examine
from tests.browser.page_list import NO_PAGES, PAGES, SANDBOX, VISITOR
from tests.browser.people import Person

WHO = sorted({visit.who for visits in PAGES.values() for visit in visits})


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
    """The same person all through, signed in once."""
    arrived: dict[str, Person] = {}

    def find(who: str) -> Person:
        if who not in arrived:
            arrived[who] = Person(browser, demo)
            if who != VISITOR:
                arrived[who].sign_in(who)
        return arrived[who]

    yield find
    for person in arrived.values():
        person.leave()


@pytest.fixture(scope="module")
def known(demo: Demo, person_of: Callable[[str], Person]) -> Known:
    return Known(demo, person_of)


def look(person: Person, address: str, status: int = 200) -> list[str]:
    """Open an address and say all that is wrong there."""
    answer = person.page.goto(address)
    assert answer
    wrong = [] if answer.status == status else [f"answers {answer.status} instead of {status}"]
    return [f"{address} ({person.page.title()}): {what}" for what in (*wrong, *examine(person.page), *person.wrong())]


@pytest.mark.parametrize("who", WHO)
def test_pages(who: str, person_of: Callable[[str], Person], known: Known) -> None:
    wrong: list[str] = []
    for name, visits in PAGES.items():
        for visit in visits:
            if visit.who == who:
                address = reverse(name, args=known.arguments(visit.of)) + visit.query
                wrong += look(person_of(who), address, visit.status)
    assert not wrong, "\n".join(wrong)


def test_pages_of_the_provider(demo: Demo, person_of: Callable[[str], Person]) -> None:
    wrong = [what for path, status in SANDBOX.items() for what in look(person_of(VISITOR), demo.sandbox + path, status)]
    assert not wrong, "\n".join(wrong)
