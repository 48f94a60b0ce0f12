"""Worker processes to be killed: forked ones that run the engine, and a real Celery with its beat."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_POLL_SECONDS = 0.02


def until(condition: Callable[[], object], what: str, seconds: float = 60) -> None:
    """Wait for a condition, not for a time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"Dopo {seconds:g} secondi non è ancora vero: {what}")
        time.sleep(_POLL_SECONDS)


def settled(count: Callable[[], int], enough: int, what: str, *, quiet: float = 1.0, seconds: float = 20) -> int:
    """Wait until a count reaches ``enough``, or stands still above nothing for a while; return it."""
    deadline = time.monotonic() + seconds
    last, since = 0, time.monotonic()
    while last < enough and not (last and time.monotonic() - since > quiet):
        now = count()
        if now != last:
            last, since = now, time.monotonic()
        if time.monotonic() > deadline:
            raise TimeoutError(f"Dopo {seconds:g} secondi nessuna operazione è arrivata al punto: {what}")
        time.sleep(_POLL_SECONDS)
    return last


class Stable:
    """Forks engine workers; see ``tests.faults.stable``."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.stable"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.workers: list[int] = []

    def start(self, *clocks: float) -> None:
        """One worker for each clock, wrong by so many seconds."""
        assert self._process.stdin and self._process.stdout
        for wrong_by in clocks:
            self._process.stdin.write(f"{wrong_by}\n")
            self._process.stdin.flush()
            self.workers.append(int(self._process.stdout.readline()))

    def kill(self, pids: Sequence[int] = ()) -> None:
        """``kill -9`` to these workers, or to every one there is."""
        ending = list(pids or self.workers)
        for pid in ending:
            os.kill(pid, signal.SIGKILL)
        until(lambda: not any(map(_alive, ending)), "i worker sono finiti")
        self.workers = [pid for pid in self.workers if pid not in ending]

    def close(self) -> None:
        """No workers any more, and nobody to fork others."""
        self.kill()
        self._process.communicate(timeout=30)


class Celery:
    """``celery worker -B``, as in production but for the mail, which has workers of its own.

    Started again whenever it ends, as Compose does it: when its broker dies under it, Celery may give up altogether.
    """

    def __init__(self, folder: Path) -> None:
        self._command = [sys.executable, "-m", "celery", "-A", "albo_pec", "worker", "-B", "-c", "2", "-l", "ERROR"]
        self._command += ["-Q", "celery", "-s", str(folder / "schedule"), "--without-mingle", "--without-gossip"]
        self._log = folder / "celery.log"
        self._closing = threading.Event()
        self._process = self._start()
        self._keeper = threading.Thread(target=self._keep)
        self._keeper.start()

    def close(self) -> None:
        """The whole group ends at once: what it held has to be made good by its leases."""
        self._closing.set()
        while self._keeper.is_alive():  # it may just be starting another
            self._end()
            self._keeper.join(_POLL_SECONDS)
        self._end()

    def _start(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(self._command, cwd=ROOT, stderr=log, stdout=log, start_new_session=True)

    def _keep(self) -> None:
        while True:
            self._process.wait()
            if self._closing.is_set():
                return
            self._end()
            print("Celery è finito da sé e riparte", file=sys.stderr, flush=True)  # noqa: T201
            self._process = self._start()

    def _end(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
