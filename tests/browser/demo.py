"""The demo as a person starts it: every process of it, real mail and all, on ports and data of its own.

With DEMO_VAR in the environment the tests use the demo that already runs on that VAR instead: handy while writing one.
"""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from albo_pec.embedded.files import REPOSITORY, read_json, write_json
from albo_pec.embedded.locks import FileLock
from tests.house.conftest import folder_for
from tests.house.holders import clean_environment, servers_of, wait_until
from tests.log_watch import people_in_files
from tests.oidc_provider import start_provider
from tests.sandbox_process import free_ports

START_SECONDS = 90.0
OTHERS_SECONDS = 150.0
STOP_SECONDS = 30.0
LINK = re.compile(r"https?://\S+")


@dataclass(frozen=True)
class Account:
    """Somebody who can sign in, as the demo's table shows them."""

    role: str
    ordine: str
    username: str
    password: str
    name: str
    state: str


class Demo:
    """Addresses and accounts of a running demo, and the mail it has sent."""

    def __init__(self, summary: dict[str, Any]) -> None:
        self.summary = summary
        self.portal, self.sandbox, self.mail_page = summary["portal"], summary["sandbox"], summary["mail"]
        self.spid: str = summary.get("spid", "")  # the provider in the gateway's place
        self.accounts = [Account(**account) for account in summary["accounts"]]
        self.http = requests.Session()
        self.http.trust_env = False

    def account(self, who: str) -> Account:
        """By user name, or a member by the state of the request; the Marche's, where both have one."""
        return next(a for a in self.accounts if who in (a.username, a.state))

    def mails(self, to: str) -> list[dict[str, str]]:
        """What arrived for this address, newest first."""
        answer = self.http.get(f"{self.sandbox}_sandbox/mail.json", params={"to": to}, timeout=30)
        answer.raise_for_status()
        return list(answer.json())

    def mail(self, to: str, words: str, *, before: int = 0) -> dict[str, str]:
        """The newest mail to this address with these words in its subject, once there are more than ``before``."""
        found: list[dict[str, str]] = []

        def arrived() -> bool:
            found[:] = [mail for mail in self.mails(to) if words in mail["subject"]]
            return len(found) > before

        wait_until(arrived, 20)
        return found[0]

    def fault(self, call: str, kind: str, value: float | None = None, times: int = 1) -> None:
        """Let the provider's next answer to this call go wrong."""
        order = {"call": call, "kind": kind, "value": value, "times": times}
        self.http.post(f"{self.sandbox}_sandbox/faults", json=order, timeout=30).raise_for_status()


def link_in(mail: dict[str, str], part: str = "/") -> str:
    """The first link in the text of a mail that has this in its address."""
    return next(link for link in LINK.findall(mail["text"]) if part in link)


@contextmanager
def shared_demo(folder: Path) -> Iterator[Demo]:
    """One for all who have this folder: who comes first starts it, and ends it when the others have left."""
    door, inside, told = FileLock(folder / "demo.door"), FileLock(folder / "demo.inside"), folder / "demo.json"
    with ExitStack() as first:
        assert door.acquire(seconds=START_SECONDS)
        if mine := not told.exists():
            write_json(told, first.enter_context(running_demo()).summary)
        assert inside.acquire(shared=True)
        door.release()
        yield Demo(read_json(told))
        inside.release()
        if mine:
            assert door.acquire() and inside.acquire(seconds=OTHERS_SECONDS)
            told.unlink()
            door.release()


@contextmanager
def running_demo() -> Iterator[Demo]:
    """Start it as `make demo` does, and end it as Ctrl-C does: nothing of it may remain."""
    if var := os.environ.get("DEMO_VAR"):
        yield Demo(json.loads((Path(var) / "demo.json").read_text()))
        return
    with folder_for() as var:
        settings = dict(zip(("PORT", "SANDBOX_PORT", "SMTP_PORT"), map(str, free_ports(3)), strict=True))
        said = var.with_suffix(".said")
        spid = start_provider()
        gateway = {"ISSUER": spid.issuer, "CLIENT_ID": "albo", "CLIENT_SECRET": "x"}
        settings |= {f"SPID_OIDC_{name}": value for name, value in gateway.items()}
        with said.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "albo_pec.supervisor"],
                env=clean_environment(var, SANDBOX_CONTROLS="1", **settings),
                cwd=REPOSITORY,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            yield Demo(_when_ready(process, var / "demo.json", said) | {"spid": spid.wait().issuer})
        finally:
            family = _descendants(process.pid)
            process.send_signal(signal.SIGINT)
            process.wait(STOP_SECONDS)
            spid.stop()
        assert process.returncode == 0, said.read_text()
        assert people_in_files(var) == []
        # What the system has ended may take it a moment to bury.
        wait_until(lambda: not [pid for pid in family if Path(f"/proc/{pid}").exists()], STOP_SECONDS)
        assert servers_of(var) == []


def _when_ready(process: "subprocess.Popen[bytes]", summary: Path, said: Path) -> dict[str, Any]:
    def ready() -> bool:
        assert process.poll() is None, said.read_text()
        return summary.exists()

    wait_until(ready, START_SECONDS)
    return dict(json.loads(summary.read_text()))


def _descendants(ancestor: int) -> set[int]:
    """Its children, their children and so on, where the system shows them."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    family = {ancestor}
    while more := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= more
    return family - {ancestor}
