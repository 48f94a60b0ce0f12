"""What every test stands on: real PostgreSQL, a real broker, the real sandbox; nothing is faked that can run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone

if TYPE_CHECKING:
    from tests.sandbox_process import SandboxProcess


@pytest.fixture(autouse=True, scope="session")
def cheap_settings() -> Iterator[None]:
    """Passwords hashed in no time, and static files looked up when asked for, not all of them for each client."""
    from django.test import override_settings

    hashers = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    with override_settings(PASSWORD_HASHERS=hashers, WHITENOISE_AUTOREFRESH=True):
        yield


@pytest.fixture(autouse=True)
def no_old_limits() -> None:
    """No test meets the limits that another has used up. Each worker of xdist has a database of Valkey to itself."""
    from django.core.cache import cache

    cache.clear()


@pytest.fixture(autouse=True)
def forced_logins_come_by_the_door(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever a test logs in has come in just now, as by the door: with a beginning, and the office may act at once."""
    from django.test import Client

    from members.session_store import ENTRY_KEY

    plain = Client.force_login

    def come_in(client: Client, *args: object, **kwargs: object) -> None:
        plain(client, *args, **kwargs)  # type: ignore[arg-type]  # whatever the test gives
        session = client.session
        session[ENTRY_KEY] = {"at": timezone.now().isoformat(), "ip": "127.0.0.1", "agent": ""}
        session.save()

    monkeypatch.setattr(Client, "force_login", come_in)


@pytest.fixture(autouse=True)
def no_messages(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> list[str]:
    """Wake-ups are noted instead of sent, since no worker listens here; tests with real workers ask for ``broker``."""
    sent: list[str] = []
    if "broker" not in request.fixturenames:
        monkeypatch.setattr("members.wake.deliver", lambda task, *args: bool(sent.append(task)) or True)
    return sent


@pytest.fixture
def broker() -> None:
    """The wake-ups of this test go through the real broker."""


@pytest.fixture(scope="session")
def sandbox(worker_id: str) -> Iterator[SandboxProcess]:
    """The provider's sandbox, a process and a database of its own for each xdist worker, with its controls open."""
    from tests.sandbox_process import database_beside, start_sandbox

    process = start_sandbox(database_beside(os.environ["DATABASE_URL"], f"sandbox_{worker_id}"), controls=True)
    yield process
    process.stop()
