"""What `make demo` runs: the whole portal on this machine, from servers to invented data, until Ctrl-C.

`python -m albo_pec.supervisor` starts servers, sandbox, worker, beat and web, puts the invented data in, tells
addresses and accounts, and stays. It ends everything it started when it ends itself, or when any part of it ends.
"""

import http.client
import io
import json
import os
import sys
import time
import traceback
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from albo_pec import demo, embedded
from albo_pec.children import ChildEndedError, Children, Interrupted, Interrupts
from albo_pec.embedded.files import log_path, make_folder, make_var, open_log, write_json
from albo_pec.embedded.processes import port_is_free

PORTS = {"PORT": ("il portale", 8000), "SANDBOX_PORT": ("la sandbox", 8001), "SMTP_PORT": ("la posta", 8026)}
T = TypeVar("T")
READY_SECONDS = 60.0
POLL_SECONDS = 0.05


class UnableError(Exception):
    """The demo cannot go on; the text is an Italian sentence that says why."""


def main() -> int:
    interrupts = Interrupts()
    var = embedded.var_path()
    try:
        interrupts.install()
        _run(var, interrupts)
    except Interrupted:
        say("Il portale è chiuso.")
        return 0
    except (UnableError, ChildEndedError, embedded.ServersError) as error:
        complain(str(error))
        return 1
    except OSError as error:
        complain(f"Il portale non può funzionare in {var}: {error.strerror or error} ({error.filename or 'sistema'}).")
        return 1
    finally:
        interrupts.close()
    return 0


def _run(var: Path, interrupts: Interrupts) -> None:
    ports = read_ports()
    make_var(var)
    lock = demo.demo_lock(var)
    if not lock.acquire(seconds=0.5):
        raise UnableError(
            f"Il portale è già in funzione con i dati di {var}: chiuderlo, o indicare un'altra cartella con VAR."
        )
    try:
        check_ports(ports)
        (var / "demo.json").unlink(missing_ok=True)
        say("Avvio PostgreSQL e Valkey…")
        with embedded.servers():
            children = Children(var, interrupts)
            try:
                _serve(var, ports, children)
            finally:
                interrupts.close()
                (var / "demo.json").unlink(missing_ok=True)
                # The provider outlives those who call it.
                children.end((("web", "beat", "worker", "post", "files"), 10.0), (("sandbox",), 5.0))
    finally:
        lock.release()


def _serve(var: Path, ports: dict[str, int], children: Children) -> None:
    settings = demo.environment(var, ports)
    os.environ.update(settings)
    temporary = var / "tmp"  # for what would otherwise be left in the system's folder
    make_folder(temporary, 0o700)
    environment = os.environ | {"PYTHONUNBUFFERED": "1", "TMPDIR": str(temporary)}
    python = sys.executable

    sandbox = settings["ARUBA_BASE_URL"]
    say("Avvio la sandbox del gestore PEC…")
    children.start("sandbox", "sandbox", [python, "-m", "aruba_sandbox"], environment | _sandbox(settings))
    say("Preparo la banca dati…")
    in_django(var, migrate)
    if web_url := os.environ.get("WEB_DATABASE_URL"):  # our own PostgreSQL: somebody else's has roles of its own
        environment = environment | {"DATABASE_URL": web_url, "WEB_DATABASE_URL": ""}
    wait_for(f"{sandbox}/healthz", "La sandbox", children)
    say("Avvio il portale…")
    celery = [python, "-m", "celery", "-A", "albo_pec"]
    quick = ["--without-mingle", "--without-gossip"]  # this worker has no fellows to look for
    # Threads: browsers keep connections open in advance, and each would hold a worker that has but one.
    web = [python, "-m", "gunicorn", "albo_pec.wsgi", "-b", f"127.0.0.1:{ports['PORT']}", "-w", "2", "--threads", "16"]
    # Its control socket would be in the home of whoever runs it.
    web += ["--logger-class", "albo_pec.gunicorn_log.MaskingLogger"]
    children.start("web", "web", [*web, "--no-control-socket", "--graceful-timeout", "3"], environment)
    say("Preparo i dati inventati…")
    accounts = in_django(var, seed)
    children.check()
    # Only now: while the invented data are made, nobody else may carry out what they ask for.
    for name, queue, processes in (("worker", "celery", "2"), ("post", "mail", "1"), ("files", "files", "1")):
        worker = [*celery, "worker", "-l", "INFO", "-Q", queue, "-c", processes, "-n", f"{name}@%h", *quick]
        children.start(name, name, worker, environment)
    schedule = str(var / "celerybeat-schedule")
    children.start("beat", "beat", [*celery, "beat", "-l", "INFO", "-s", schedule, "--pidfile", ""], environment)
    wait_for(f"{settings['PORTAL_URL']}/readyz", "Il portale", children)

    summary = {
        "portal": f"{settings['PORTAL_URL']}/",
        "sandbox": f"{sandbox}/",
        "mail": f"{sandbox}/_sandbox/mail/",
        "accounts": accounts,
        "provider": {"username": settings["ARUBA_USERNAME"], "password": settings["ARUBA_PASSWORD"]},
    }
    write_json(var / "demo.json", summary)
    say(table(summary))
    children.watch()


def _sandbox(settings: dict[str, str]) -> dict[str, str]:
    """Its own database; the credentials that the portal will show it. SANDBOX_CONTROLS comes from whoever typed."""
    return {
        "SANDBOX_DATABASE_URL": os.environ.get("SANDBOX_DATABASE_URL") or embedded.ensure_database("aruba_sandbox"),
        "SANDBOX_URL": settings["ARUBA_BASE_URL"],
        "SANDBOX_USERNAME": settings["ARUBA_USERNAME"],
        "SANDBOX_PASSWORD": settings["ARUBA_PASSWORD"],
    }


# --- Ports ----------------------------------------------------------------------------------------------------------


def read_ports() -> dict[str, int]:
    ports: dict[str, int] = {}
    for variable, (_purpose, default) in PORTS.items():
        text = os.environ.get(variable) or str(default)
        if not text.isdecimal() or not 0 < int(text) < 65536:
            raise UnableError(f"{variable}={text} non è una porta: indicare un numero da 1 a 65535.")
        ports[variable] = int(text)
    if len(set(ports.values())) < len(ports):
        raise UnableError("PORT, SANDBOX_PORT e SMTP_PORT devono essere tre porte diverse.")
    return ports


def check_ports(ports: dict[str, int]) -> None:
    for variable, port in ports.items():
        if not port_is_free(port):
            purpose = PORTS[variable][0]
            raise UnableError(
                f"La porta {port}, che serve per {purpose}, è occupata da un altro programma: "
                f"chiuderlo, o indicarne un'altra con {variable}."
            )


# --- Data: done in this process, since every further Python would cost a second --------------------------------------


def in_django(var: Path, act: Callable[[], T]) -> T:
    """Run something of Django's; an error there becomes one sentence, with the whole of it in a log."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "albo_pec.settings")
    os.environ.setdefault("LOG_LEVEL", "WARNING")  # of this process: the others have logs to fill
    try:
        import django
        from django.db import connections

        django.setup()
        try:
            return act()
        finally:
            connections.close_all()
    except Exception as error:
        with open_log(var, "supervisor") as log:
            log.write(traceback.format_exc().encode())
        raise UnableError(
            f"I dati non si possono preparare: {error} ({type(error).__name__}). "
            f"Tutto l'errore è in {log_path(var, 'supervisor')}."
        ) from error


def migrate() -> None:
    """Only where something is to be done: Django's command takes a while even to do nothing. Then the rights of those
    who are not the owner, as whom this process goes on.
    """
    from django.core.management import call_command
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        call_command("migrate", interactive=False, verbosity=0)
    if os.environ.get("WEB_DATABASE_URL"):
        call_command("grant_roles", stdout=io.StringIO())


def seed() -> list[dict[str, Any]]:
    from django.core.management import call_command

    output = io.StringIO()
    call_command("seed_demo", stdout=output)
    accounts: list[dict[str, Any]] = json.loads(output.getvalue())["accounts"]
    return accounts


# --- Waiting and telling ----------------------------------------------------------------------------------------------


def wait_for(url: str, who: str, children: Children) -> None:
    """Until this address answers 200, or a process has ended, or patience has."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # no proxy stands before this machine
    deadline = time.monotonic() + READY_SECONDS
    answer = "nessuna risposta"
    while time.monotonic() < deadline:
        children.check()
        try:
            with opener.open(url, timeout=5):
                return
        except urllib.error.HTTPError as error:
            answer = f"{error.code} {error.read(300).decode('utf-8', 'replace')}"
        except (OSError, http.client.HTTPException) as error:
            answer = str(error)
        time.sleep(POLL_SECONDS)
    raise UnableError(f"{who} non è pronto dopo {READY_SECONDS:.0f} secondi ({url}: {answer}).")


def table(summary: dict[str, Any]) -> str:
    columns = {
        "name": "Chi",
        "role": "Ruolo",
        "ordine": "Ordine",
        "username": "Utente",
        "password": "Password",
        "state": "Stato",
    }
    rows = [list(columns.values())]
    rows += [[str(account.get(key) or "") for key in columns] for account in summary["accounts"]]
    widths = [max(len(row[index]) for row in rows) for index in range(len(columns))]
    lines = [
        "",
        "Il portale è pronto.",
        "",
        f"  Portale            {summary['portal']}",
        f"  Sandbox del PEC    {summary['sandbox']}",
        f"  Posta in uscita    {summary['mail']}",
        "",
        *(
            "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ),
        "",
        "Ctrl-C per chiudere.",
    ]
    return "\n".join(lines)


def say(text: str) -> None:
    _write(sys.stdout, text)


def complain(text: str) -> None:
    _write(sys.stderr, text)


def _write(stream: Any, text: str) -> None:
    """A reader that has gone (a closed pipe or terminal) must not keep anything from being ended."""
    with suppress(OSError, ValueError):
        stream.write(f"{text}\n")
        stream.flush()


if __name__ == "__main__":
    sys.exit(main())
