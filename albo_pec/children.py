"""The demo's processes: each in a session of its own, with its own log, and none outliving the supervisor."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from albo_pec.embedded.files import REPOSITORY, last_lines, log_path, open_log

POLL_SECONDS = 0.05
PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


class Interrupted(BaseException):
    """Somebody asked to end: Ctrl-C, a closed terminal, or SIGTERM."""


class ChildEndedError(Exception):
    """A process that should run has ended."""


class Interrupts:
    """Turns the first signal into `Interrupted`, and holds it back where a process would be started but not noted."""

    def __init__(self) -> None:
        self._asked = self._closed = False
        self._holds = 0

    def install(self) -> None:
        signal.signal(signal.SIGINT, self._receive)
        signal.signal(signal.SIGTERM, self._receive)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # ignored under nohup, and so it stays
            signal.signal(signal.SIGHUP, self._receive)

    def _receive(self, _number: int, _frame: FrameType | None) -> None:
        if self._closed or self._asked:
            return
        self._asked = True
        if not self._holds:
            raise Interrupted

    @contextmanager
    def held_back(self) -> Iterator[None]:
        before = self._asked
        self._holds += 1
        try:
            yield
        finally:
            self._holds -= 1
        if self._asked and not before:
            raise Interrupted

    def close(self) -> None:
        """From here on things are being ended anyway: further signals change nothing, to the very last instruction."""
        self._closed = True
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)


@dataclass
class Child:
    name: str
    label: str
    process: subprocess.Popen[bytes]
    log: Path

    def ended(self) -> bool:
        return self.process.poll() is not None

    def terminate(self) -> None:
        if not self.ended():
            self.process.terminate()

    def wait(self, seconds: float) -> None:
        """Give it so long to end; whatever then is left of its session, grandchildren included, is killed."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds)
        with suppress(ProcessLookupError, PermissionError):  # the latter is macOS's word for a group of zombies
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@dataclass
class Children:
    var: Path
    interrupts: Interrupts
    running: list[Child] = field(default_factory=list)

    def start(self, name: str, label: str, command: Sequence[str], environment: dict[str, str]) -> None:
        with self.interrupts.held_back(), open_log(self.var, name) as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=REPOSITORY,
                env=environment,
                start_new_session=True,
                umask=0o077,
                preexec_fn=_end_with(os.getpid()),
            )
            self.running.append(Child(name, label, process, log_path(self.var, name)))

    def check(self) -> None:
        for child in self.running:
            if child.ended():
                raise ChildEndedError(
                    f"Il processo «{child.label}» si è fermato da solo (codice {child.process.returncode}). "
                    f"Ultime righe di {child.log}:\n{last_lines(child.log, 12)}"
                )

    def watch(self) -> None:
        """Until one ends, which it should not, or somebody interrupts."""
        while True:
            self.check()
            time.sleep(0.2)

    def end(self, *steps: tuple[Sequence[str], float]) -> None:
        """End them step by step, those of a step together, each step with its patience in seconds."""
        for names, seconds in steps:
            leaving = [child for child in self.running if child.name in names]
            deadline = time.monotonic() + seconds
            for child in leaving:
                child.terminate()
            for child in leaving:
                child.wait(max(0.0, deadline - time.monotonic()))
                self.running.remove(child)


def _end_with(parent: int) -> "_EndWithParent | None":
    return _EndWithParent(parent) if _libc else None


class _EndWithParent:
    """In the child, before its program starts: be told to end when the supervisor vanishes, be it by kill -9."""

    def __init__(self, parent: int) -> None:
        self.parent = parent

    def __call__(self) -> None:
        if _libc:
            _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != self.parent:  # it vanished in between
            os._exit(1)
