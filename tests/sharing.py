"""A pytest plugin: how the workers of xdist share the tests out, and in which order. A file is one worker's.

The browser's tests, which take the longest, are two workers': one visits the pages, one goes for the walks. So are
those with odd inputs, whose two readers may take minutes each.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

# What a demo is started for comes first, so that it is ended before the others begin; the mails when all walks have
# been sent. The log is sealed up to the oldest transaction that any test of any worker has open: it is tried while the
# others are at their browsers, which have none here.
FIRST = (
    *(f"tests/browser/test_{name}.py" for name in ("guide_walk", "pages", "keyboard", "other_walks", "mails")),
    *(f"tests/audit/test_{name}.py" for name in ("retention", "tampering", "log")),
)
# Then what takes long, so that nobody ends up alone with it: what is marked as slow, and files of many tests.
LONG = ("tests/test_permissions.py", "tests/house/test_servers.py", "tests/sandbox/test_holder_pages.py")


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    """After the order has been shuffled."""
    yield
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    file = item.nodeid.partition("::")[0]
    if file in FIRST:
        return FIRST.index(file)
    return len(FIRST) + (file not in LONG and item.get_closest_marker("slow") is None)


class ByFile(LoadScopeScheduling):  # type: ignore[misc]  # xdist is not typed
    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        if file.startswith("tests/fuzz/"):
            return nodeid
        return "walks" if file.startswith("tests/browser/") and file != "tests/browser/test_pages.py" else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile:
    return ByFile(config, log)
