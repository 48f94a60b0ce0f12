"""What every test stands on: real PostgreSQL, a real broker, the real sandbox; nothing is faked that can run."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from albo_pec.embedded.locks import FileLock

if TYPE_CHECKING:
    from pytest_django import DjangoDbBlocker

    from tests.sandbox_process import SandboxProcess

# Of the objects that a test makes, few are in a circle: looking for them at every 700th took a twentieth of the time.
gc.set_threshold(50_000, 20, 20)
MIGRATED = "migrated"
MIGRATION_SECONDS = 240.0


@pytest.fixture(autouse=True, scope="session")
def cheap_settings() -> Iterator[None]:
    """Passwords hashed in no time, and static files looked up when asked for, not all of them for each client."""
    from django.test import override_settings

    hashers = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    with override_settings(PASSWORD_HASHERS=hashers, WHITENOISE_AUTOREFRESH=True):
        yield


@pytest.fixture(autouse=True, scope="session")
def quick_flush() -> Iterator[None]:
    """After tests that commit, only what they have written is deleted."""
    from django.test import TransactionTestCase

    from tests.flushing import flush

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda _case: flush())
        yield


@pytest.fixture(autouse=True, scope="session")
def nobody_in_the_logs() -> Iterator[None]:
    """Whatever any test has the portal write into its log: no line may hold somebody's codice fiscale or e-mail."""
    from tests.log_watch import Watcher

    with Watcher() as watcher:
        yield
    assert not watcher.found, "people in the log:\n" + "\n".join(sorted(watcher.found)[:20])


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings: None,
    django_db_blocker: DjangoDbBlocker,
    tmp_path_factory: pytest.TempPathFactory,
    worker_id: str,
) -> None:
    """The migrations run once: the database of each worker of xdist is a copy of what the first has migrated."""
    from django.db import connection

    if worker_id == "master":
        return
    asked = connection.settings_dict["TEST"]
    shared = tmp_path_factory.getbasetemp().parent
    lock, done = FileLock(shared / "migrating.lock"), shared / "migrated"
    assert lock.acquire(seconds=MIGRATION_SECONDS)
    try:
        if not done.exists():
            with django_db_blocker.unblock():
                migrate(asked | {"NAME": MIGRATED})
            done.touch()
    finally:
        lock.release()
    asked["TEMPLATE"] = MIGRATED


def migrate(asked: dict[str, Any]) -> None:
    """A test database like any other, which nobody stays connected to."""
    from django.db import connection

    before = connection.settings_dict
    connection.settings_dict = before | {"TEST": asked}
    connection.creation.create_test_db(verbosity=0, autoclobber=True)
    connection.close()
    connection.settings_dict = before


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
