"""Folders for servers: those that everybody may pass through, as most checkouts, and one under a closed home."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.house.holders import Holder, end_servers, remove


@contextmanager
def folder_for(name: str = "var", mode: int = 0o711) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="albo-pec-"))
    folder.chmod(mode)
    var = folder / name
    try:
        yield var
    finally:
        remove(var)
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def prepared_var() -> Iterator[Path]:
    with folder_for() as var:
        Holder(var).leave()
        yield var


@pytest.fixture
def var(prepared_var: Path) -> Iterator[Path]:
    """One whose data were prepared once for all tests of this process, since that takes most of the time."""
    yield prepared_var
    end_servers(prepared_var)


@pytest.fixture
def spare_var(prepared_var: Path) -> Iterator[Path]:
    """A copy of it, to be spoilt; with ports of its own, as the copy of a checkout will choose."""
    with folder_for() as var:
        subprocess.run(["cp", "-a", prepared_var, var], check=True)
        yield var


@pytest.fixture
def new_var() -> Iterator[Path]:
    """One that nobody has used yet, and that is not there."""
    with folder_for() as var:
        yield var


@pytest.fixture
def closed_var() -> Iterator[Path]:
    """Under a folder of mode 700, as the home of root: no other user can reach it."""
    with folder_for(mode=0o700) as var:
        yield var


@pytest.fixture
def awkward_var() -> Iterator[Path]:
    with folder_for(f"cartella con spazi, è lunga/{'x' * 160}/var") as var:
        yield var
