"""A sandbox of the provider for tests: its own process, its own database, real HTTP and SMTP."""

import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import requests

ROOT = Path(__file__).resolve().parent.parent
USERNAME = "partner@sandbox.example"
PASSWORD = "sandbox-partner"
# The product's own process, but that a password is hashed in no time.
CHEAP = """
from aruba_sandbox import __main__, settings
settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
__main__.main()
"""
START_SECONDS = 60
STOP_SECONDS = 10


@dataclass
class SandboxProcess:
    """A running sandbox, its addresses, and its controls; without ``process``, one that somebody else has started."""

    url: str
    smtp_port: int
    process: "subprocess.Popen[bytes] | None" = None
    username: str = USERNAME
    password: str = PASSWORD
    http: requests.Session = field(default_factory=requests.Session)

    def reset(self) -> None:
        """Everything empty."""
        self._control("POST", "reset")

    def fault(
        self,
        call: str,
        kind: str,
        value: float | None = None,
        *,
        probability: float = 1,
        times: int | None = None,
        after: bool = False,
    ) -> None:
        """Let a call go wrong, or its answer with ``after``; without ``times``, until ``clear_faults``."""
        order = {"call": call, "kind": kind, "value": value, "probability": probability, "times": times, "after": after}
        self._control("POST", "faults", json=order)

    def faults_left(self) -> int:
        """How many of the faults will still strike: none means that the last one has begun."""
        return len(self._control("GET", "faults"))

    def clear_faults(self) -> None:
        """Let nothing go wrong any more; what was delayed has been done."""
        self._control("DELETE", "faults")

    def mail(self, to: str = "") -> list[dict[str, str]]:
        """The mail that arrived, newest first, with everything the provider had decided to send."""
        return list(self._control("GET", "mail.json", params={"to": to}))

    def accounts(self) -> list[dict[str, Any]]:
        """Every casella there is."""
        return list(self._control("GET", "accounts"))

    def account(self, name: str) -> dict[str, Any] | None:
        """The casella with this address, if there is one."""
        return next((account for account in self.accounts() if account["name"] == name), None)

    def calls(self) -> dict[str, dict[str, int]]:
        """How often each call changed something: ``{call: {address: count}}``."""
        return dict(self._control("GET", "calls"))

    def advance(self, seconds: float) -> None:
        """Move the sandbox's time forward."""
        self._control("POST", "clock", json={"advance_seconds": seconds})

    def revoke_tokens(self) -> None:
        """Let no token be good any more."""
        self._control("POST", "tokens/revoke")

    def label_owner(self, tax_code: str, label: str) -> None:
        """Put a label on a holder, such as "Da bonificare"."""
        self._control("POST", "owners/label", json={"taxCode": tax_code, "label": label})

    def stop(self) -> None:
        """End the process and wait until it is gone."""
        self.http.close()
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _control(self, method: str, name: str, **arguments: Any) -> Any:
        response = self.http.request(method, f"{self.url}/_sandbox/{name}", timeout=30, **arguments)
        response.raise_for_status()
        return response.json()


def start_sandbox(
    database_url: str, *, controls: bool = True, environment: dict[str, str] | None = None
) -> SandboxProcess:
    """Start a sandbox on free ports and wait until it answers; ``database_url`` is its own, made when missing."""
    port, smtp_port = free_ports(2)
    url = f"http://127.0.0.1:{port}"
    variables = {
        **os.environ,
        "SANDBOX_DATABASE_URL": database_url,
        "SANDBOX_HOST": "127.0.0.1",
        "SANDBOX_PORT": str(port),
        "SANDBOX_URL": url,
        "SMTP_PORT": str(smtp_port),
        "SANDBOX_CONTROLS": "1" if controls else "0",
        "SANDBOX_USERNAME": USERNAME,
        "SANDBOX_PASSWORD": PASSWORD,
        **(environment or {}),
    }
    process = subprocess.Popen([sys.executable, "-c", CHEAP], cwd=ROOT, env=variables, stdout=subprocess.DEVNULL)
    sandbox = SandboxProcess(url, smtp_port, process)
    try:
        _wait_until_ready(url, process)
    except BaseException:
        sandbox.stop()
        raise
    return sandbox


def database_beside(database_url: str, name: str) -> str:
    """The address of another database on the same server."""
    return urlunsplit(urlsplit(database_url)._replace(path=f"/{name}"))


def free_ports(count: int) -> list[int]:
    """Ports that nobody has at the moment."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in sockets]
    for listener in sockets:
        listener.close()
    return ports


def _wait_until_ready(url: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"The sandbox ended with {process.returncode} while starting")
        try:
            if requests.get(f"{url}/healthz", timeout=5).ok:
                return
        except requests.RequestException:
            pass
        time.sleep(0.05)
    raise TimeoutError(f"The sandbox was not ready after {START_SECONDS} s")
