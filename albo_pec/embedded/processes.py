"""Starting server processes, recognising those that are ours beyond doubt, ending them."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

HOST = "127.0.0.1"
POLL_SECONDS = 0.02
HAS_PROC = Path("/proc/self/cmdline").exists()  # macOS has none, and answers by ps instead


@dataclass(frozen=True)
class Account:
    """The unprivileged user the servers run as when we are root."""

    uid: int
    gid: int


def spawn(
    command: list[str], *, account: Account | None, home: Path, output: IO[bytes] | int, stdin: int = subprocess.DEVNULL
) -> subprocess.Popen[bytes]:
    """Start a program in a session of its own, so that Ctrl-C ends the servers' clients and not the servers."""
    return subprocess.Popen(
        command,
        stdin=stdin,
        stdout=output,
        stderr=subprocess.STDOUT,
        cwd="/",  # always there and always open to the account; no server is left with a deleted folder under it
        env=_environment(home),
        start_new_session=True,
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
    )


def _environment(home: Path) -> dict[str, str]:
    """Nothing of the caller's: PGDATA and the like must not steer our servers. Temporary files stay with the data."""
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC", "HOME": str(home), "TMPDIR": str(home)}


def arguments(pid: int) -> list[str]:
    """The command line of a process; empty for one that ended, a zombie included."""
    if HAS_PROC:
        try:
            raw = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return []
        return [os.fsdecode(word) for word in raw.rstrip(b"\0").split(b"\0")] if raw else []
    done = subprocess.run(
        ["/bin/ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return [done.stdout.strip()] if done.stdout.strip() else []


def is_server(pid: int, program: str, folder: Path) -> bool:
    """Whether this process is that program serving that folder. Numbers are reused: a number alone proves nothing."""
    words = arguments(pid)
    if not words:
        return False
    if HAS_PROC:
        return Path(words[0]).name == program and str(folder) in words[1:]
    return program in words[0] and str(folder) in words[0]


def strays(program: str, folder: Path, uid: int) -> list[int]:
    """Running servers of that folder, whoever started them. Known from /proc; elsewhere none are found."""
    if not HAS_PROC:
        return []
    found = []
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        try:
            owner = entry.stat().st_uid
        except OSError:
            continue
        if owner == uid and is_server(int(entry.name), program, folder):
            found.append(int(entry.name))
    return found


def end(pid: int, program: str, folder: Path, signals: Iterable[tuple[signal.Signals, float]]) -> bool:
    """Send the signals in turn, each with its patience in seconds, to a process that is ours; True when it is gone."""
    for number, seconds in signals:
        if not is_server(pid, program, folder):
            return True
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return True
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            reap(pid)
            if not is_server(pid, program, folder):
                return True
            time.sleep(POLL_SECONDS)
    return False


def reap(pid: int) -> None:
    """Let go of an ended child, should it be ours, so that it does not stay as a zombie."""
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def port_is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the servers do: old connections do not count
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
    return port
