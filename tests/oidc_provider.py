"""A real OpenID Connect provider for tests, in a process of its own, in the gateway's place.

It takes its own name from the address it is called by: as ``127.0.0.1`` and as ``localhost`` it is two issuers. What is
said of a person goes into the token as it is, and over what it says itself: a wrong issuer, audience or nonce as well.
"""

from __future__ import annotations

import subprocess
import sys
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

import requests

from tests.sandbox_process import free_ports

START_SECONDS = 60
CLIENT_SECRET = "segreto-del-portale-presso-il-gateway"
SPID_LEVEL = "https://www.spid.gov.it/SpidL2"
TAX_CODE = "https://attributes.eid.gov.it/fiscal_number"


def gateway(key: str, issuer: str) -> dict[str, str]:
    """It, as ``IDENTITY_GATEWAYS`` describes a gateway."""
    return {
        "name": key.upper(),
        "issuer": issuer,
        "client_id": f"albo-{key}",
        "client_secret": CLIENT_SECRET,
        "params": "",
    }


@dataclass
class Provider:
    """A running provider: who is known there, and what happens on its page."""

    port: int
    process: subprocess.Popen[bytes] | None = None  # None: somebody else has started it
    http: requests.Session = field(default_factory=requests.Session)

    def __post_init__(self) -> None:
        self.http.trust_env = False

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def other_issuer(self) -> str:
        return f"http://localhost:{self.port}"

    def wait(self) -> Provider:
        """Until it answers."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and not (self.process and self.process.poll()):
            try:
                self.http.get(f"{self.issuer}/.well-known/openid-configuration", timeout=5)
            except requests.ConnectionError:
                time.sleep(0.05)
            else:
                return self
        raise TimeoutError("The OpenID Connect provider did not start")

    def person(self, tax_code: str | None = None, **claims: Any) -> str:
        """Somebody it knows, of the second level unless told otherwise. It says null of what is None."""
        told = {"acr": SPID_LEVEL, "auth_time": int(time.time()), TAX_CODE: tax_code and f"TINIT-{tax_code}", **claims}
        subject = uuid.uuid4().hex
        self.http.put(f"{self.issuer}/users/{subject}", json=told, timeout=10).raise_for_status()
        return subject

    def says(self, address: str, **answer: str) -> str:
        """Where its page at this address sends the browser, once the person has answered."""
        response = self.http.post(address, data=answer, allow_redirects=False, timeout=10)
        response.raise_for_status()
        return response.headers["Location"]

    def stop(self) -> None:
        self.http.close()
        if self.process:
            self.process.terminate()
            self.process.wait()


def start_provider() -> Provider:
    """Start one on a free port. It answers a few seconds later: see ``wait``."""
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "oidc_provider_mock", "--port", str(port)]
    return Provider(port, subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
