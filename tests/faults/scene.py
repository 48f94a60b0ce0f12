"""A world of its own for the faults: the portal's PostgreSQL and Valkey may die here, the provider's data do not.

The provider's sandbox keeps its data on the servers that the caller has, or that VAR starts; the portal's servers are
others, in ``VAR/faults``. Django is set up for them, so this cannot be done inside another test's process.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import LiteralString

import psycopg
from psycopg import sql

from albo_pec import embedded
from albo_pec.embedded import postgres, valkey
from albo_pec.embedded.session import Session
from tests.faults.workers import Celery, Stable
from tests.sandbox_process import SandboxProcess, database_beside, start_sandbox

READ_SECONDS = 2.5
# Seconds for a call, an operation and a lease: short, so that an abandoned operation is soon taken up again, each well
# below the next, and long enough for a whole batch at once; for a few operations less will do.
LONG, SHORT = (READ_SECONDS, 3.5, 4.5), (1.0, 1.4, 1.8)
SETTINGS = {
    "DJANGO_SETTINGS_MODULE": "albo_pec.settings",
    "DEBUG": "1",
    "LOG_LEVEL": "CRITICAL",
    "OPERATION_RETRY_SECONDS": "0.2",
    "OPERATION_MAX_ATTEMPTS": "40",
    "BREAKER_SECONDS": "0.3",
    "SWEEP_SECONDS": "1",
}
_LIMITS = ("PROVIDER_READ_TIMEOUT", "PROVIDER_OPERATION_SECONDS", "OPERATION_LEASE_SECONDS")
# As many workers share out what may be called at once, those that were just killed included: so that each by itself
# can have a whole batch at the fault's point.
_WORKERS = 4


@dataclass
class World:
    """Everything that can be hit, and what hits it."""

    folder: Path
    provider: SandboxProcess
    stable: Stable
    _servers: Session
    _celery: Celery | None = None

    @property
    def at_work(self) -> bool:
        """Whether there is any worker."""
        return bool(self._celery or self.stable.workers)

    def start_celery(self) -> None:
        """A real worker with beat, from now on, and no other."""
        if not self._celery:
            self.stable.kill()
            self._celery = Celery(self.folder)

    def faults_left(self) -> int:
        """How often the faults ordered with ``times`` have not struck. None will any more."""
        left = self.provider.http.get(f"{self.provider.url}/_sandbox/faults", timeout=30).json()
        self.provider.clear_faults()
        return sum(fault["times"] or 0 for fault in left)

    def end_workers(self) -> None:
        """Nobody works any more."""
        self.stable.kill()
        if self._celery:
            self._celery.close()
            self._celery = None

    def order(
        self, call: str, kind: str, value: float | None = None, *, after: bool = False, times: int | None = None
    ) -> None:
        """A fault at the provider."""
        fault = {"call": call, "kind": kind, "value": value, "after": after, "times": times}
        self.provider.http.post(f"{self.provider.url}/_sandbox/faults", json=fault, timeout=30).raise_for_status()

    def restart_postgres(self) -> None:
        """A fast shutdown, as an upgrade does it: every connection is cut, every transaction rolled back."""
        state, place = self._servers.state, self._servers.place
        pid = postgres.running(state, place.data)
        assert pid and postgres.stop(pid, place.data)
        postgres.start(place, state)

    def empty_valkey(self) -> None:
        """``kill -9``; nothing is on its disk, so the new one is empty."""
        state, place = self._servers.state, self._servers.place
        pid = valkey.running(state, place.valkey)
        assert pid
        os.kill(pid, 9)
        valkey.start(place, state)


@contextmanager
def world(
    name: str, size: int, limits: tuple[float, ...] = LONG, provider: SandboxProcess | None = None
) -> Iterator[World]:
    """Have it all, for batches of ``size``, with Django set up for it in this process.

    The provider's sandbox too, unless one is given, whose data are elsewhere.
    """
    var = embedded.var_path() / name
    before = dict(os.environ)
    with embedded.servers() as outer:
        provider_database = database_beside(outer["DATABASE_URL"], f"sandbox_{name}")
        for variable in ("DATABASE_URL", "REDIS_URL"):
            os.environ.pop(variable, None)
        os.environ["VAR"] = str(var)
        try:
            with embedded.servers() as inner:
                os.environ["DATABASE_URL"] = _empty_database(inner["DATABASE_URL"])
                with _sandbox(provider, provider_database) as there, _processes(var, there, size, limits) as found:
                    yield found
        finally:
            os.environ.clear()
            os.environ.update(before | outer)


@contextmanager
def _sandbox(given: SandboxProcess | None, database: str) -> Iterator[SandboxProcess]:
    provider = given or start_sandbox(database)
    try:
        yield provider
    finally:
        if not given:
            provider.stop()


@contextmanager
def _processes(var: Path, provider: SandboxProcess, size: int, limits: tuple[float, ...]) -> Iterator[World]:
    os.environ.update(SETTINGS | dict(zip(_LIMITS, map(str, limits), strict=True)))
    os.environ["PROVIDER_CONCURRENCY"] = str(_WORKERS * size)
    os.environ["ARUBA_BASE_URL"] = provider.url
    os.environ["ARUBA_USERNAME"], os.environ["ARUBA_PASSWORD"] = provider.username, provider.password
    os.environ["EMAIL_PORT"] = str(provider.smtp_port)
    with closing(Stable()) as stable:  # gets ready while we migrate
        _migrate()
        found = World(var, provider, stable, Session(var))
        try:
            yield found
        finally:
            found.end_workers()


def _empty_database(url: str) -> str:
    """The address of the matrix's database, new."""
    drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier("faults"))
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        connection.execute(drop)
    return embedded.ensure_database("faults", url)


def _migrate() -> None:
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)


class Barrier:
    """Locks in the portal's database that stop a worker at a known place, and the sight of who stands there."""

    def __init__(self) -> None:
        self._connection = psycopg.connect(os.environ["DATABASE_URL"])
        self._watcher = psycopg.connect(os.environ["DATABASE_URL"], autocommit=True)
        self._pid = self._connection.info.backend_pid

    def take(self, statement: LiteralString, parameters: list[object] | None = None) -> None:
        """Lock, waiting for whoever is there before us."""
        self._connection.execute(statement, parameters)

    def queues(self) -> bool:
        """Whether the barrier itself still waits for its lock."""
        waiting = "SELECT 1 FROM pg_locks WHERE pid = %s AND NOT granted"
        return self._watcher.execute(waiting, [self._pid]).fetchone() is not None

    def stops(self, *, with_claims: bool) -> bool:
        """Whether a worker stands at the barrier; ``with_claims``, in a transaction that has written operations."""
        written = "AND l.mode = 'RowExclusiveLock' AND l.relation = 'pec_requests_provideroperation'::regclass"
        rows = self._watcher.execute(
            "SELECT 1 FROM pg_stat_activity a WHERE %s = ANY (pg_blocking_pids(a.pid)) AND (%s OR EXISTS ("
            f"SELECT 1 FROM pg_locks l WHERE l.pid = a.pid AND l.granted {written}))",
            [self._pid, not with_claims],
        )
        return rows.fetchone() is not None

    def open(self) -> None:
        """Let them pass. A restart of PostgreSQL has done so already."""
        self._connection.close()
        self._watcher.close()
