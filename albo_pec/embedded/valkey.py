"""The embedded Valkey: broker, cache and rate limits. Nothing is kept on disk, for nothing in it is worth keeping."""

import signal
import socket
import subprocess
import time
from pathlib import Path

from albo_pec.embedded import place as places
from albo_pec.embedded import processes
from albo_pec.embedded.files import ServersError, last_lines, log_path, open_log
from albo_pec.embedded.place import Place, State
from albo_pec.embedded.processes import HOST, POLL_SECONDS

PROGRAM = "valkey-server"
START_SECONDS = 20.0
ENDING = ((signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0))


def url(state: State) -> str:
    return f"redis://:{state.valkey_password}@{HOST}:{state.valkey_port}/0"


def running(state: State, folder: Path) -> int | None:
    """The process number of our server, if it answers on the kept port, knows the password and has the folder."""
    if not state.valkey_port:
        return None
    try:
        answer = _ask(state, "CONFIG GET dir", "INFO server")
    except OSError:
        return None
    lines = answer.decode("utf-8", "surrogateescape").split("\r\n")
    numbers = [line.partition(":")[2] for line in lines if line.startswith("process_id:")]
    return int(numbers[0]) if numbers and str(folder) in lines else None


def _ask(state: State, *commands: str) -> bytes:
    """Every answer to a few inline commands, as it comes. (Importing a client library would take half a second.)"""
    lines = [f"AUTH {state.valkey_password}", *commands, "QUIT"]
    with socket.create_connection((HOST, state.valkey_port), timeout=3) as connection:
        connection.sendall("".join(f"{line}\r\n" for line in lines).encode())
        answer = b""
        while part := connection.recv(65536):
            answer += part
    return answer


def start(place: Place, state: State) -> int:
    """Have our server running, and return its process number; the caller holds the lock on starting."""
    program = places.programs(place, state).valkey
    folder = place.private_folder(place.valkey)
    for pid in processes.strays(PROGRAM, folder, place.uid):  # of a VAR deleted under it, or deaf
        processes.end(pid, PROGRAM, folder, ENDING)
    deadline = time.monotonic() + START_SECONDS
    while True:
        if not state.valkey_port or not processes.port_is_free(state.valkey_port):
            state.valkey_port = processes.free_port()
            state.save(place.var)
        process = _launch(program, folder, place, state)
        if _wait_until_ready(process, folder, state, deadline):
            return process.pid
        if processes.port_is_free(state.valkey_port) or time.monotonic() > deadline:
            raise ServersError(
                "Valkey non è partito. Ultime righe del suo registro:\n" + last_lines(log_path(place.var, "valkey"))
            )


def _launch(program: Path, folder: Path, place: Place, state: State) -> subprocess.Popen[bytes]:
    """The settings go in by standard input, because everybody can read a command line, and no file needs them."""
    settings = (
        f"bind {HOST}\nport {state.valkey_port}\nrequirepass {state.valkey_password}\n"
        'save ""\nappendonly no\ndaemonize no\nset-proc-title no\nmaxmemory 128mb\nmaxmemory-policy noeviction\n'
    )
    with open_log(place.var, "valkey") as log:
        process = processes.spawn(
            [str(program), "-", "--dir", str(folder)],
            account=place.account,
            home=folder,
            output=log,
            stdin=subprocess.PIPE,
        )
    if process.stdin:
        with process.stdin as stdin:
            stdin.write(settings.encode())
    return process


def _wait_until_ready(process: subprocess.Popen[bytes], folder: Path, state: State, deadline: float) -> bool:
    """False when the server ended by itself, or had to be ended."""
    try:
        while process.poll() is None and time.monotonic() < deadline:
            if running(state, folder) == process.pid:
                return True
            time.sleep(POLL_SECONDS)
    except BaseException:
        stop(process.pid, folder)
        raise
    stop(process.pid, folder)
    return False


def stop(pid: int, folder: Path) -> bool:
    return processes.end(pid, PROGRAM, folder, ENDING)
