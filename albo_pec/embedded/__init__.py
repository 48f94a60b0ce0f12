"""Real PostgreSQL and Valkey for whoever gives no DATABASE_URL or no REDIS_URL: pip brings them, nobody installs them.

Every process that needs the servers holds a shared lock on VAR/servers.lock while it runs. Who comes first starts them,
who comes later finds them, and who leaves last (it can turn its shared lock into the only one) ends them: there is no
daemon to look after. A holder that was killed has lost its lock, so the next to leave ends the servers.
"""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from albo_pec import secret_files
from albo_pec.embedded.files import ServersError, make_var, var_path
from albo_pec.embedded.locks import FileLock, acquire_or_fail

if TYPE_CHECKING:
    from albo_pec.embedded.session import Session

__all__ = ["ServersError", "ensure_database", "servers", "var_path"]

VARIABLES = ("DATABASE_URL", "REDIS_URL")
LOCK_SECONDS = 90.0


@contextmanager
def servers() -> Iterator[dict[str, str]]:
    """Have both servers while inside, and their addresses in the environment; what is given there stays.

    With both given nothing at all happens, so that production needs neither the wheels nor VAR.
    """
    try:
        given = {name: secret_files.value(name) for name in VARIABLES}
    except secret_files.SecretFileError as error:
        raise ServersError(str(error)) from error
    missing = [name for name in VARIABLES if not given[name]]
    if not missing:
        yield given
        return
    hold = Hold(var_path())
    try:
        found = hold.take(missing)
    except OSError as error:
        raise ServersError(_sentence(error, hold.var)) from error
    os.environ.update(found)
    try:
        yield given | found
    finally:
        if hold.mine:
            for name in found:
                os.environ.pop(name, None)
            hold.leave()


class Hold:
    """One process's hold on the servers of one VAR."""

    def __init__(self, var: Path) -> None:
        self.var = var
        self._pid = os.getpid()
        self._lock = FileLock(var / "servers.lock")
        self._session: Session | None = None

    @property
    def mine(self) -> bool:
        """False in a forked child that unwinds the stack of its parent, whose servers these are."""
        return self._pid == os.getpid()

    def take(self, missing: list[str]) -> dict[str, str]:
        # Imported here, since whoever brings servers of their own needs none of this.
        from albo_pec.embedded.session import Session

        make_var(self.var)
        starting = FileLock(self.var / "servers.start.lock")
        try:
            acquire_or_fail(starting, shared=False, seconds=LOCK_SECONDS)
            acquire_or_fail(self._lock, shared=True, seconds=LOCK_SECONDS)
            self._session = Session(self.var)
            return self._session.find_or_start(missing)
        except BaseException:
            self.leave()
            raise
        finally:
            starting.release()

    def leave(self) -> None:
        if self._lock.upgrade() and self._session:
            self._session.end_servers()
        self._lock.release()


def ensure_database(name: str, url: str | None = None) -> str:
    """The address of a database beside the one of `url` (DATABASE_URL if none), created if it is not there."""
    import psycopg
    from psycopg import sql

    base = url or secret_files.value("DATABASE_URL")
    try:
        with closing(psycopg.connect(base, autocommit=True, connect_timeout=5)) as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    except psycopg.errors.DuplicateDatabase:
        pass  # another process was quicker
    except psycopg.Error as error:
        raise ServersError(f"Non si può creare la banca dati «{name}»: {error}") from error
    return urlsplit(base)._replace(path=f"/{name}").geturl()


def _sentence(error: OSError, var: Path) -> str:
    if isinstance(error, PermissionError):
        return f"Non si può usare la cartella {var}: appartiene a un altro utente ({error.filename or error.strerror})."
    return f"I server non si possono avviare in {var}: {error.strerror or error} ({error.filename or 'disco'})."
