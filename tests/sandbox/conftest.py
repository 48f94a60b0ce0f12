"""The worker's sandbox, empty before each test."""

import pytest

from tests.sandbox.partner import Partner
from tests.sandbox_process import SandboxProcess


@pytest.fixture
def sandbox(sandbox: SandboxProcess) -> SandboxProcess:
    """The worker's sandbox, with nothing in it."""
    sandbox.reset()
    return sandbox


@pytest.fixture
def partner(sandbox: SandboxProcess) -> Partner:
    """A client of the API, logged in."""
    return Partner(sandbox)
