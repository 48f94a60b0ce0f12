"""A pytest plugin, loaded before Django reads its settings: real servers for the whole run.

The workers of xdist find their parent's servers in the environment, and take a database of Valkey each.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from albo_pec import embedded

ROOT = Path(__file__).resolve().parent.parent

os.environ.setdefault("VAR", str(ROOT / "var" / "test"))
os.environ.setdefault("DEBUG", "1")
os.environ.setdefault("EMBEDDED_FSYNC", "0")
os.environ.setdefault("LOG_LEVEL", "WARNING")

_servers = embedded.servers()
_servers.__enter__()
if worker := re.fullmatch(r"gw(\d+)", os.environ.get("PYTEST_XDIST_WORKER", "")):
    os.environ["REDIS_URL"] = re.sub(r"/\d*$", f"/{int(worker[1]) % 15 + 1}", os.environ["REDIS_URL"])


def pytest_unconfigure() -> None:
    """The last of us ends the servers."""
    _servers.__exit__(None, None, None)
