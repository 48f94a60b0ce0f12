"""Secrets from files: for each variable that holds one, its name with ``_FILE`` may give the file it stands in.

A file is for whoever runs the portal alone, and does not go on to every child process, error report and
``docker inspect`` as the environment does. The standard library only: the embedded servers ask here before Django is
there.
"""

import os
from collections.abc import Mapping
from pathlib import Path

SECRETS = (
    "SECRET_KEY",
    "SECRET_KEY_FALLBACKS",
    "DATABASE_URL",
    "WEB_DATABASE_URL",
    "REDIS_URL",
    "ARUBA_PASSWORD",
    "EMAIL_HOST_PASSWORD",
    "SPID_OIDC_CLIENT_SECRET",
    "CIE_OIDC_CLIENT_SECRET",
)


class SecretFileError(Exception):
    """A secret cannot be had; the text says which and why, never what is in it."""


def environment(given: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment, with the secrets that stand in files. It is a copy: they stay out of the process's own."""
    values = dict(given)
    for name in SECRETS:
        if path := values.get(f"{name}_FILE"):
            if values.get(name):
                raise SecretFileError(f"Ci sono sia {name} sia {name}_FILE: indicarne uno solo.")
            values[name] = _content(name, Path(path))
    return values


def value(name: str) -> str:
    """One of them; empty where it is not given."""
    return environment().get(name, "")


def _content(name: str, path: Path) -> str:
    """Without the line end that every editor puts there."""
    try:
        return path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "non è un testo"
        raise SecretFileError(f"Il file di {name}_FILE ({path}) non si può leggere: {why}.") from None
