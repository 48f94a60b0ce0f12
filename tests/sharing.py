"""A pytest plugin: how the workers of xdist share the tests out. A file is one worker's.

The browser's tests, which take the longest, are two workers': one visits the pages, one goes for the walks. So are
those with odd inputs, whose two readers may take minutes each.
"""

from __future__ import annotations

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling


class ByFile(LoadScopeScheduling):  # type: ignore[misc]  # xdist is not typed
    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        if file.startswith("tests/fuzz/"):
            return nodeid
        return "walks" if file.startswith("tests/browser/") and file != "tests/browser/test_pages.py" else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile:
    return ByFile(config, log)
