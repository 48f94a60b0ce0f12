"""The embedded PostgreSQL: prepared once, started when nobody has it running, ended by the last who leaves."""

import os
import shutil
import signal
import subprocess
import time
from contextlib import closing
from pathlib import Path

import psycopg
from psycopg import sql

from albo_pec.embedded import place as places
from albo_pec.embedded import processes
from albo_pec.embedded.files import ServersError, last_lines, log_path, open_log
from albo_pec.embedded.place import Place, State
from albo_pec.embedded.processes import HOST, POLL_SECONDS

PROGRAM = "postgres"
VERSION = "18"
ADMIN, ROLE, WEB_ROLE, DATABASE = "postgres", "albo_pec", "albo_pec_web", "albo_pec"
START_SECONDS = 60.0
ENDING = ((signal.SIGINT, 20.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0))  # fast, immediate, at last by force


def url(state: State) -> str:
    return f"postgres://{ROLE}:{state.postgres_password}@{HOST}:{state.postgres_port}/{DATABASE}"


def web_url(state: State) -> str:
    return f"postgres://{WEB_ROLE}:{state.postgres_web_password}@{HOST}:{state.postgres_port}/{DATABASE}"


def connect_admin(state: State) -> psycopg.Connection:
    return psycopg.connect(
        hostaddr=HOST,
        port=state.postgres_port,
        user=ADMIN,
        password=state.postgres_admin_password,
        dbname="postgres",
        connect_timeout=3,
        sslmode="disable",
        gssencmode="disable",
        autocommit=True,
    )


def running(state: State, data: Path) -> int | None:
    """The process number of our server, if it answers on the kept port, knows the password and has the folder."""
    if not state.postgres_port:
        return None
    try:
        with closing(connect_admin(state)) as connection:
            row = connection.execute(
                "SELECT current_setting('data_directory'), pg_read_file('postmaster.pid')"
            ).fetchone()
    except psycopg.Error:
        return None
    if row is None or row[0] != str(data):
        return None
    return int(row[1].splitlines()[0])


def start(place: Place, state: State) -> int:
    """Have our server running, and return its process number; the caller holds the lock on starting."""
    starting = _left_running(place)
    if starting:
        return _wait_for_other(starting, place, state)
    binaries = places.programs(place, state).postgres
    _prepare(place, state, binaries)
    deadline = time.monotonic() + START_SECONDS
    while True:
        _choose_port(place, state)
        process = _launch(place, state, binaries)
        if _wait_until_ready(process, place, state, deadline):
            return process.pid
        log = last_lines(log_path(place.var, "postgres"))
        again = not processes.port_is_free(state.postgres_port) or "shared memory block" in log
        if not again or time.monotonic() > deadline:
            raise ServersError(f"PostgreSQL non è partito. Ultime righe del suo registro:\n{log}")
        time.sleep(POLL_SECONDS)  # the port was taken meanwhile, or children of a killed server are still leaving


def _left_running(place: Place) -> int | None:
    """A server of this folder that runs without answering (starting, recovering, ending); others' traces are cleared.

    A pid file whose process is something else was left by a kill: its number has been given to another program, which
    is not touched. PostgreSQL guards its data a second time by the shared memory of a server still attached to them.
    """
    recorded = _recorded_pid(place.data)
    if recorded and not processes.is_server(recorded, PROGRAM, place.data):
        (place.data / "postmaster.pid").unlink(missing_ok=True)
        recorded = None
    for pid in processes.strays(PROGRAM, place.data, place.uid):
        if pid != recorded:  # its data were deleted under it
            processes.end(pid, PROGRAM, place.data, ENDING)
    return recorded


def _recorded_pid(data: Path) -> int | None:
    try:
        return abs(int((data / "postmaster.pid").read_text(encoding="utf-8").split("\n", 1)[0]))
    except (OSError, ValueError):
        return None


def _wait_for_other(pid: int, place: Place, state: State) -> int:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        answering = running(state, place.data)
        if answering:
            return answering
        if not processes.is_server(pid, PROGRAM, place.data):
            return start(place, state)
        time.sleep(POLL_SECONDS)
    raise ServersError(
        f"Un PostgreSQL di {place.data} è già in funzione (processo {pid}) ma non risponde con la nostra password: "
        "chiuderlo e riprovare."
    )


def _prepare(place: Place, state: State, binaries: Path) -> None:
    """Create the data, aside and then in place by one rename: an interrupted start leaves nothing that looks whole."""
    version = place.data / "PG_VERSION"
    if version.exists():
        found = version.read_text(encoding="ascii").strip()
        if found != VERSION:
            raise ServersError(
                f"I dati in {place.data} sono di PostgreSQL {found} e qui c'è il {VERSION}: "
                f"esportarli con quella versione, oppure cancellare {place.var} per ripartire da zero."
            )
        return
    home = place.private_folder(place.data.parent)
    draft, password = home / "data.new", home / "password"
    shutil.rmtree(draft, ignore_errors=True)
    password.unlink(missing_ok=True)
    try:
        _write_password(password, state.postgres_admin_password, place)
        _initdb(draft, password, place, binaries)
    finally:
        password.unlink(missing_ok=True)
    draft.rename(place.data)


def _write_password(path: Path, password: str, place: Place) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        if place.account:
            os.fchown(file.fileno(), place.account.uid, place.account.gid)
        file.write(password + "\n")


def _initdb(draft: Path, password: Path, place: Place, binaries: Path) -> None:
    command = [
        str(binaries / "initdb"),
        f"--pgdata={draft}",
        f"--username={ADMIN}",
        f"--pwfile={password}",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--locale=C",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--no-instructions",
        *([] if _durable() else ["--no-sync"]),
    ]
    with open_log(place.var, "initdb") as log:
        process = processes.spawn(command, account=place.account, home=draft.parent, output=log)
    try:
        status = process.wait()
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)  # initdb has processes of its own
        process.wait()
        raise
    if status:
        raise ServersError(
            f"PostgreSQL non ha potuto creare i suoi dati in {draft.parent} (initdb):\n"
            + last_lines(log_path(place.var, "initdb"))
        )


def _durable() -> bool:
    """Tests may trade durability for speed; nothing else should."""
    return os.environ.get("EMBEDDED_FSYNC", "1") != "0"


def _choose_port(place: Place, state: State) -> None:
    """The kept one, so that addresses noted elsewhere stay good, unless somebody else has taken it."""
    if not state.postgres_port or not processes.port_is_free(state.postgres_port):
        state.postgres_port = processes.free_port()
        state.save(place.var)


def _launch(place: Place, state: State, binaries: Path) -> subprocess.Popen[bytes]:
    settings = {
        "listen_addresses": HOST,
        "port": str(state.postgres_port),
        "unix_socket_directories": "",
        "max_connections": "200",
        "shared_buffers": "64MB",
        "dynamic_shared_memory_type": "mmap",  # in the data folder: containers have little /dev/shm
        "io_method": "sync",
        "wal_level": "minimal",
        "max_wal_senders": "0",
        "max_wal_size": "256MB",
        "min_wal_size": "32MB",
    }
    if not _durable():
        settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
    command = [str(binaries / PROGRAM), "-D", str(place.data)]
    for name, value in settings.items():
        command += ["-c", f"{name}={value}"]
    with open_log(place.var, "postgres") as log:
        return processes.spawn(command, account=place.account, home=place.data.parent, output=log)


def _wait_until_ready(process: subprocess.Popen[bytes], place: Place, state: State, deadline: float) -> bool:
    """False when the server ended by itself."""
    try:
        while process.poll() is None:
            if running(state, place.data) == process.pid:
                _ensure_role(state)
                return True
            if time.monotonic() > deadline:
                raise ServersError(
                    f"PostgreSQL non risponde dopo {START_SECONDS:.0f} secondi. Ultime righe del suo registro:\n"
                    + last_lines(log_path(place.var, "postgres"))
                )
            time.sleep(POLL_SECONDS)
    except BaseException:
        stop(process.pid, place.data)
        raise
    return False


def _ensure_role(state: State) -> None:
    """The owner of the tables is no superuser: what works here works on a server that somebody else runs. The role of
    web and workers, which is given its rights by ``grant_roles``, is the owner's to manage and to try.
    """
    role, web, database = sql.Identifier(ROLE), sql.Identifier(WEB_ROLE), sql.Identifier(DATABASE)
    with closing(connect_admin(state)) as connection:
        for name, password in ((ROLE, state.postgres_password), (WEB_ROLE, state.postgres_web_password)):
            if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name]).fetchone():
                words = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}")
                connection.execute(words.format(sql.Identifier(name), sql.Literal(password)))
        connection.execute(sql.SQL("ALTER ROLE {} CREATEDB CREATEROLE").format(role))
        connection.execute(sql.SQL("GRANT {} TO {} WITH ADMIN TRUE, INHERIT FALSE, SET TRUE").format(web, role))
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
            connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(database, role))


def stop(pid: int, data: Path) -> bool:
    return processes.end(pid, PROGRAM, data, ENDING)
