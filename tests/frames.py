"""A pytest plugin: room for the frames of deep calls, all in one piece.

CPython keeps frames in pieces of 16 KB, and gives the last one back to the system as soon as it is empty: calls that go
to and fro over an edge, as through a dozen middlewares, take a page and return it each time. That was a fifteenth of
what the tests cost. A first frame that asks for much gets a piece in which all others fit.
"""

from __future__ import annotations

import pytest
from _pytest import runner

WORDS = 200_000  # of 8 bytes, of which only those that are used become memory


def _with_room(item: pytest.Item, nextitem: pytest.Item | None) -> bool:
    return runner.pytest_runtest_protocol(item, nextitem)


_with_room.__code__ = _with_room.__code__.replace(co_stacksize=WORDS)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool:
    return _with_room(item, nextitem)
