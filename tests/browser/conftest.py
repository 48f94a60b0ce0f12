"""Chromium, and the demo it visits: in two workers of xdist, before all other tests (`tests/sharing.py`)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests import chromium
from tests.browser.demo import Demo, shared_demo
from tests.browser.people import PATIENCE, Person

HERE = Path(__file__).parent
WALK_SECONDS = 180


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            for mark in (pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(WALK_SECONDS)):
                item.add_marker(mark)


@pytest.fixture(scope="package")
def demo(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[Demo]:
    own = tmp_path_factory.getbasetemp()
    with shared_demo(own if worker_id == "master" else own.parent) as demo:
        yield demo


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Ended with this package: while Playwright runs, Django takes this thread for an asynchronous one."""
    program = chromium.find()
    assert program, "no Chromium: python -m tests.chromium"
    # Whatever a page wants of somebody else cannot be loaded, and is told.
    arguments = ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"]
    arguments += ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=arguments)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def gone() -> list[Person]:
    """Who has left: the next to arrive takes over their browser, as fresh as a new one but for its cache."""
    return []


@pytest.fixture
def person(browser: Browser, demo: Demo, gone: list[Person]) -> Iterator[Callable[..., Person]]:
    """Call it for a new person, who has just opened a browser."""
    expect.set_options(timeout=PATIENCE)
    people: list[Person] = []

    def arrive(*, javascript: bool = True) -> Person:
        found = next((one for one in gone if one.javascript is javascript), None)
        if found:
            gone.remove(found)
        people.append(found or Person(browser, demo, javascript=javascript))
        return people[-1]

    yield arrive
    wrong = [what for one in people for what in one.wrong()]
    for one in people:
        one.leave()
    gone += people
    assert not wrong
