"""``make secrets``: the files that docker-compose.yml takes its secrets from; what is there stays as it is.

What can be drawn is drawn; what somebody else gives (the provider, the mail server, the gateways) is an empty file to
be filled. The standard library only: where the portal runs in containers there is no virtual environment.
"""

import os
import secrets
import sys
from pathlib import Path

FILLED_BY_HAND = (
    "secret_key_fallbacks",
    "aruba_password",
    "email_host_password",
    "spid_oidc_client_secret",
    "cie_oidc_client_secret",
)


def drawn() -> dict[str, str]:
    """Passwords, and the addresses that hold them."""
    postgres, web, sandbox, valkey = (secrets.token_hex(32) for _one in range(4))
    return {
        "secret_key": secrets.token_urlsafe(64),
        "postgres_password": postgres,
        "valkey_password": valkey,
        "database_url": f"postgres://albo_pec:{postgres}@postgres:5432/albo_pec",
        "web_database_url": f"postgres://albo_pec_web:{web}@postgres:5432/albo_pec",
        "sandbox_database_url": f"postgres://aruba_sandbox:{sandbox}@postgres:5432/aruba_sandbox",
        "redis_url": f"redis://:{valkey}@valkey:6379/0",
    }


def write(folder: Path) -> list[str]:
    """Make the files that are missing, and return their names. Those that are drawn go together: all or none."""
    folder.mkdir(mode=0o700, exist_ok=True)
    values = drawn()
    if any((folder / name).exists() for name in values):
        values = {}
    missing = values | {name: "" for name in FILLED_BY_HAND if not (folder / name).exists()}
    for name, value in missing.items():
        with open(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "w", encoding="ascii") as file:
            os.fchmod(file.fileno(), 0o644)  # others are kept out by the folder
            file.write(f"{value}\n" if value else "")
    return sorted(missing)


if __name__ == "__main__":
    for name in write(Path(sys.argv[1] if len(sys.argv) > 1 else "secrets")):
        sys.stdout.write(f"{name}\n")
