"""The folder of the state, VAR, and the private files in it. No permission of an existing file is ever changed."""

import json
import os
from pathlib import Path
from typing import IO, Any

REPOSITORY = Path(__file__).resolve().parents[2]


class ServersError(Exception):
    """The embedded servers cannot be had; the text is an Italian sentence for whoever typed the command."""


def is_root() -> bool:
    return os.geteuid() == 0


def var_path() -> Path:
    """The folder of everything that this installation keeps: `VAR` in the environment, else `var` of the checkout."""
    return Path(os.environ.get("VAR") or REPOSITORY / "var").resolve()


def make_folder(path: Path, mode: int) -> bool:
    """Create a folder, and the missing ones above it, with exactly this mode; False where it was already there."""
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        if not path.is_dir():
            raise
        return False
    except FileNotFoundError:
        make_folder(path.parent, mode)
        return make_folder(path, mode)
    os.chmod(path, mode)  # the mode of mkdir is cut by the umask, which may be 077
    return True


def make_var(var: Path) -> None:
    """As root others may pass through (the unprivileged user of the servers must), but neither list nor read."""
    make_folder(var, 0o711 if is_root() else 0o700)


def open_private(path: Path, flags: int) -> int:
    """Open or create a file of VAR for its owner alone; in somebody's VAR root creates it for that somebody."""
    descriptor = os.open(path, flags | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    if is_root():
        folder = path.parent.stat()
        if os.fstat(descriptor).st_uid != folder.st_uid:
            os.fchown(descriptor, folder.st_uid, folder.st_gid)
    return descriptor


def write_json(path: Path, value: object) -> None:
    """Write a private file whole: a reader sees the old text or the new one, never half of it."""
    draft = path.with_name(path.name + ".new")
    with os.fdopen(open_private(draft, os.O_WRONLY | os.O_TRUNC), "w", encoding="utf-8") as file:
        json.dump(value, file, indent=2, ensure_ascii=False)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)


def read_json(path: Path) -> dict[str, Any]:
    """The object in a private file; an absent file is an empty object."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise ServersError(f"Il file {path} è rovinato: cancellare la cartella {path.parent} e riprovare.") from error
    if not isinstance(value, dict):
        raise ServersError(f"Il file {path} è rovinato: cancellare la cartella {path.parent} e riprovare.")
    return value


def open_log(var: Path, name: str) -> IO[bytes]:
    """A fresh log, VAR/log/<name>.log; the one of the last time is kept beside it."""
    folder = var / "log"
    if make_folder(folder, 0o700) and is_root():
        os.chown(folder, var.stat().st_uid, var.stat().st_gid)
    path = log_path(var, name)
    if path.exists():
        path.replace(path.with_suffix(".log.1"))
    return os.fdopen(open_private(path, os.O_WRONLY | os.O_APPEND), "wb")


def log_path(var: Path, name: str) -> Path:
    return var / "log" / f"{name}.log"


def last_lines(path: Path, count: int = 8) -> str:
    """The end of a log, to be shown with the sentence that says what went wrong."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 4096))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    return "\n".join(f"    {line}" for line in lines[-count:])
