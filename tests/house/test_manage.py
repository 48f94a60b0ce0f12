"""manage.py: servers for the commands that need them, and for no other."""

import subprocess
import sys
from pathlib import Path

import pytest

import manage
from albo_pec.embedded.files import REPOSITORY
from tests.house.holders import Holder, clean_environment, servers_of


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", False),
        ("--version", False),
        ("help", False),
        ("help migrate", False),
        ("migrate --help", False),
        ("check", False),
        ("check --deploy", False),
        ("check --database default", True),
        ("collectstatic --noinput", False),
        ("migrate", True),
        ("makemigrations --check", True),
        ("import_albo file.csv --ordine marche", True),
    ],
)
def test_only_commands_that_need_servers_start_them(line: str, expected: bool) -> None:
    assert manage.needs_servers(line.split()) is expected


def run_manage(var: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *words],
        env=clean_environment(var),
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_command_finds_the_running_servers_and_leaves_them(var: Path) -> None:
    holder = Holder(var)
    before = servers_of(var)
    script = "from django.db import connection as c; print(c.cursor().execute('SELECT current_user').fetchone())"
    done = run_manage(var, "shell", "-v0", "-c", script)
    assert done.stdout.strip() == "('albo_pec',)", done.stderr
    assert servers_of(var) == before
    holder.leave()


def test_without_servers_to_be_had_a_sentence_and_two(new_var: Path) -> None:
    new_var.write_text("un file, non una cartella")
    done = run_manage(new_var, "migrate")
    new_var.unlink()
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert str(new_var) in done.stderr


def test_help_starts_nothing(new_var: Path) -> None:
    assert run_manage(new_var, "--version").returncode == 0
    assert not new_var.exists()
