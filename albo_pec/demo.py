"""What a running demo tells the commands typed beside it, and keeps from one time to the next.

VAR/demo.env.json holds the environment that the demo gave its processes: whoever types `manage.py` in the same checkout
talks to the same sandbox, with the same keys. It counts only while the demo runs, which its lock tells.
"""

import os
import secrets
from pathlib import Path

from albo_pec.embedded.files import read_json, write_json
from albo_pec.embedded.locks import FileLock

KEPT_SECRETS = ("SECRET_KEY", "SANDBOX_SECRET_KEY", "ARUBA_PASSWORD")


def demo_lock(var: Path) -> FileLock:
    return FileLock(var / "demo.lock")


def running_environment(var: Path) -> dict[str, str]:
    """The environment of the demo that runs on this VAR; empty when none does."""
    path = var / "demo.env.json"
    if not os.access(path, os.R_OK):
        return {}
    lock = demo_lock(var)
    if lock.acquire(shared=True):
        lock.release()
        return {}
    return {name: str(value) for name, value in read_json(path).items()}


def environment(var: Path, ports: dict[str, int]) -> dict[str, str]:
    """The settings of this run; the secrets are drawn once and kept. Always the sandbox: a demo must never reach a
    real provider, whatever the shell it was typed in has in its environment."""
    sandbox = f"http://127.0.0.1:{ports['SANDBOX_PORT']}"
    kept = read_json(var / "demo.env.json")
    values = {name: str(kept.get(name) or secrets.token_hex(24)) for name in KEPT_SECRETS}
    values |= {name: str(port) for name, port in ports.items()}
    values |= {
        "DEBUG": "1",
        "PORTAL_URL": f"http://127.0.0.1:{ports['PORT']}",
        "SANDBOX_HOST": "127.0.0.1",
        "ARUBA_BASE_URL": sandbox,
        "ARUBA_USERNAME": "partner@sandbox.example",
        "ARUBA_CONVENTION_CALLS": "1",
        "WEBMAIL_URL": f"{sandbox}/",
        "EMAIL_HOST": "127.0.0.1",
        "EMAIL_PORT": str(ports["SMTP_PORT"]),
        "EMAIL_HOST_USER": "",
        "EMAIL_HOST_PASSWORD": "",
        "EMAIL_USE_TLS": "0",
    }
    write_json(var / "demo.env.json", values)
    return values
