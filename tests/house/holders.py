"""Processes that hold the embedded servers, for tests that watch who starts them and who ends them."""

import multiprocessing
import os
import shutil
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

from albo_pec import embedded
from albo_pec.embedded import processes, session  # noqa: F401  (the sessions' is what takes long to import)
from albo_pec.embedded.files import REPOSITORY, is_root
from albo_pec.embedded.place import system_folder

SERVERS = ("DATABASE_URL", "WEB_DATABASE_URL", "REDIS_URL")
# A holder is forked from a process that has imported what it needs, which takes longer than starting the servers.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["tests.house.holders"])


def hold(line: Connection, variables: dict[str, str], umask: int, act: Callable[[], object]) -> None:
    """What a holder does: say where the servers are, and leave when told to, or when nobody is there to tell."""
    os.environ.clear()
    os.environ.update(variables)
    os.umask(umask)
    os.chdir(REPOSITORY)
    try:
        with embedded.servers() as urls:
            line.send(urls)
            act()
            with suppress(EOFError):
                line.recv()
    except embedded.ServersError as error:
        line.send({"error": str(error)})


def nothing() -> None:
    """What most holders do meanwhile."""


def clean_environment(var: Path, **more: str) -> dict[str, str]:
    """Nobody gives any server, whatever the tests themselves were given."""
    kept = {name: value for name, value in os.environ.items() if name not in SERVERS}
    return kept | {"VAR": str(var), "EMBEDDED_FSYNC": "0"} | more


class Holder:
    """A process inside `with embedded.servers()`, from its construction until it leaves or is killed."""

    def __init__(self, var: Path, *, umask: int = 0o022, act: Callable[[], object] = nothing) -> None:
        self._line, line = FORKS.Pipe()
        self.process = FORKS.Process(target=hold, args=(line, clean_environment(var), umask, act), daemon=True)
        self.process.start()
        line.close()
        self.said: dict[str, str] = self._line.recv()

    @property
    def database(self) -> str:
        return self.said["DATABASE_URL"]

    @property
    def redis(self) -> str:
        return self.said["REDIS_URL"]

    def leave(self) -> None:
        self._line.close()
        self.process.join(30)
        assert self.process.exitcode == 0

    def kill(self) -> None:
        self.process.kill()
        self.process.join(30)
        self._line.close()


def houses(var: Path) -> list[Path]:
    return [var, system_folder(var)]


def servers_of(var: Path) -> list[int]:
    """Every server process of this VAR, wherever its data are."""
    found = []
    for house in houses(var):
        for program, folder in (("postgres", house / "postgres" / "data"), ("valkey-server", house / "valkey")):
            for uid in {os.geteuid(), 65534}:
                found += processes.strays(program, folder, uid)
    # A process that PostgreSQL has just forked still has its command line.
    return sorted(pid for pid in found if _parent(pid) not in found)


def _parent(pid: int) -> int:
    with suppress(OSError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return 0


def end_servers(var: Path) -> None:
    """Whatever a failed test has left."""
    for pid in servers_of(var):
        os.kill(pid, signal.SIGKILL)


def remove(var: Path) -> None:
    end_servers(var)
    shutil.rmtree(var, ignore_errors=True)
    if is_root():
        shutil.rmtree(system_folder(var), ignore_errors=True)


def wait_until(condition: Callable[[], object], seconds: float = 10.0, every: float = 0.02) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(every)
