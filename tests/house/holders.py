"""Processes that hold the embedded servers, for tests that watch who starts them and who ends them."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from albo_pec.embedded import processes
from albo_pec.embedded.files import REPOSITORY, is_root
from albo_pec.embedded.place import system_folder

HOLD = """
import json, sys
from albo_pec import embedded
try:
    with embedded.servers() as urls:
        print(json.dumps(urls), flush=True)
        sys.stdin.read()
except embedded.ServersError as error:
    print(json.dumps({"error": str(error)}), flush=True)
"""


def clean_environment(var: Path, **more: str) -> dict[str, str]:
    """Nobody gives any server, whatever the tests themselves were given."""
    kept = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}
    return kept | {"VAR": str(var), "EMBEDDED_FSYNC": "0"} | more


class Holder:
    """A process inside `with embedded.servers()`, from its construction until it leaves or is killed."""

    def __init__(self, var: Path, script: str = HOLD) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", script],
            env=clean_environment(var),
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.said: dict[str, str] = json.loads(self.process.stdout.readline())

    @property
    def database(self) -> str:
        return self.said["DATABASE_URL"]

    @property
    def redis(self) -> str:
        return self.said["REDIS_URL"]

    def leave(self) -> None:
        self.process.communicate("", timeout=30)
        assert self.process.returncode == 0

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate(timeout=30)


def houses(var: Path) -> list[Path]:
    return [var, system_folder(var)]


def servers_of(var: Path) -> list[int]:
    """Every server process of this VAR, wherever its data are."""
    found = []
    for house in houses(var):
        for program, folder in (("postgres", house / "postgres" / "data"), ("valkey-server", house / "valkey")):
            for uid in {os.geteuid(), 65534}:
                found += processes.strays(program, folder, uid)
    return sorted(found)


def end_servers(var: Path) -> None:
    """Whatever a failed test has left."""
    for pid in servers_of(var):
        os.kill(pid, signal.SIGKILL)


def remove(var: Path) -> None:
    end_servers(var)
    shutil.rmtree(var, ignore_errors=True)
    if is_root():
        shutil.rmtree(system_folder(var), ignore_errors=True)


def wait_until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.02)
