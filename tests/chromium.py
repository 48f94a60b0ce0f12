"""The Chromium that the browser tests drive: found, or else installed by `python -m tests.chromium`."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

# The first has no windows to draw, and takes half the work to open a page.
PACKAGES = ("chromium-headless-shell", "chromium")
NAMES = (*PACKAGES, "chromium-browser", "google-chrome", "google-chrome-stable")


@cache
def find() -> str | None:
    """The first Chromium that really starts: CHROMIUM, then those on the PATH, then Playwright's own."""
    return next((program for program in _candidates() if _starts(program)), None)


def _candidates() -> Iterator[str]:
    yield from filter(None, [os.environ.get("CHROMIUM"), *map(shutil.which, NAMES)])
    yield from filter(None, [_playwrights_own()])


def _playwrights_own() -> str | None:
    """Asked of a process of its own: Playwright refuses to answer where an event loop is running."""
    script = "from playwright.sync_api import sync_playwright as s\nwith s() as p: print(p.chromium.executable_path)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    path = done.stdout.strip()
    return path if path and Path(path).exists() else None


def _starts(program: str) -> bool:
    """Some distributions put a stub on the PATH that only tells how to install the browser."""
    try:
        return subprocess.run([program, "--version"], capture_output=True, timeout=30, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def install() -> None:
    """A package of the distribution as root, which brings its libraries along; else Playwright's own build."""
    if os.geteuid() == 0 and shutil.which("apt-get"):
        _run(["apt-get", "update", "-qq"])
        for package in PACKAGES:
            _run(["apt-get", "install", "-qq", "-y", "--no-install-recommends", package])
            find.cache_clear()
            if find():
                return
    _run([sys.executable, "-m", "playwright", "install", "chromium"])
    find.cache_clear()


def _run(command: list[str]) -> None:
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=False)


def main() -> int:
    if find():
        return 0
    sys.stdout.write("Installo Chromium per le prove nel browser (solo la prima volta)…\n")
    sys.stdout.flush()
    install()
    if find():
        return 0
    sys.stderr.write(
        "Per le prove nel browser serve Chromium, che non si è potuto installare. Installarlo come amministratore\n"
        "(Debian e Ubuntu: «apt install chromium»), oppure indicarne uno con CHROMIUM=/percorso/del/programma.\n"
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
