"""``manage.py import_albo`` as it is typed: a process, its two outputs, its exit code, its sudden death."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django_scopes import scopes_disabled

from audit.models import LogEntry
from members import albi
from members.models import Enrolment, Member
from tests.members.invented import as_csv, line, ordine

DATA = Path(__file__).parent.parent / "data"
REGISTER = str(DATA / "albo_marche.csv")


@pytest.fixture
def marche(db: None) -> Iterator[None]:
    albi.install()
    ordine("marche")
    with scopes_disabled():
        yield


def start(*arguments: str) -> subprocess.Popen[str]:
    """The command, as a process of its own, on the database of this test."""
    database: dict[str, Any] = connection.settings_dict
    host = str(database["HOST"]).replace("/", "%2F")
    password = f":{database['PASSWORD']}" if database["PASSWORD"] else ""
    port = f":{database['PORT']}" if database["PORT"] else ""
    url = f"postgres://{database['USER']}{password}@{host}{port}/{database['NAME']}"
    return subprocess.Popen(
        [sys.executable, "manage.py", "import_albo", *arguments],
        cwd=settings.BASE_DIR,
        env={**os.environ, "DATABASE_URL": url},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.django_db(transaction=True)
def test_json_alone_on_standard_output(marche: None, tmp_path: Path) -> None:
    rejects = tmp_path / "respinte.csv"
    process = start(REGISTER, "--ordine", "marche", "--json", "--rejects", str(rejects))
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    answer = json.loads(out)
    expected = json.loads((DATA / "albo_marche.expected.json").read_text())
    assert answer["lines"] == expected["exceptions"]
    assert list(answer) == [
        "rows",
        "created",
        "updated",
        "unchanged",
        "rejected",
        "warnings",
        "members",
        "lines",
    ]
    assert rejects.read_text(encoding="utf-8-sig").count("\n") == 1 + expected["rejected"]
    assert Member.objects.count() == expected["members"]


@pytest.mark.django_db(transaction=True)
def test_killed_half_way_leaves_nothing(marche: None) -> None:
    """The log is what an import writes last: while we hold that table, all else is written and not committed."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("LOCK TABLE audit_logentry IN ACCESS EXCLUSIVE MODE")
        process = start(REGISTER, "--ordine", "marche")
        deadline = time.monotonic() + 30
        waiting = None
        while not waiting:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.05)
            cursor.execute("SELECT pid FROM pg_locks WHERE relation = 'audit_logentry'::regclass AND NOT granted")
            waiting = cursor.fetchone()
        process.kill()
        process.communicate()
    with connection.cursor() as cursor:
        while cursor.execute("SELECT FROM pg_stat_activity WHERE pid = %s", waiting).fetchone() is not None:
            assert time.monotonic() < deadline  # PostgreSQL has yet to notice
    assert not Member.objects.exists()
    assert not Enrolment.objects.exists()
    assert not LogEntry.objects.exists()
    call_command("import_albo", REGISTER, ordine="marche", stdout=io.StringIO())
    assert Member.objects.count() == 569


@pytest.mark.django_db(transaction=True)
def test_exit_code_of_what_could_not_be_read(marche: None, tmp_path: Path) -> None:
    page = tmp_path / "albo.csv"
    page.write_text("<html><table></table></html>")
    process = start(str(page), "--ordine", "marche", "--json")
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (2, "")
    assert "Il file è una pagina web" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("file", "code", "sentence"),
    [
        (REGISTER, "nessuno", "Non c'è un Ordine con il codice «nessuno»"),
        ("/niente/albo.csv", "marche", "non esiste"),
        (str(DATA), "marche", "non è un file"),
        (str(DATA / "albo_marche.expected.json"), "marche", "mancano le intestazioni"),
    ],
)
def test_sentences_for_what_could_not_be_read(marche: None, file: str, code: str, sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence) as caught:
        call_command("import_albo", file, ordine=code)
    assert caught.value.returncode == 2


def test_a_file_of_rejects_that_cannot_be_written_stops_the_import(marche: None, tmp_path: Path) -> None:
    for target in (tmp_path, tmp_path / "niente" / "respinte.csv"):
        with pytest.raises(CommandError, match="Non si può scrivere"):
            call_command("import_albo", REGISTER, ordine="marche", rejects=str(target))
    source = tmp_path / "albo.csv"
    source.write_bytes(as_csv([line(1)]).getvalue())
    with pytest.raises(CommandError, match="Non si può scrivere"):
        call_command("import_albo", str(source), ordine="marche", rejects=str(source))
    assert not Member.objects.exists()


def test_no_unfinished_file_is_left(marche: None, tmp_path: Path) -> None:
    page = tmp_path / "albo.csv"
    page.write_text("<html>")
    with pytest.raises(CommandError):
        call_command("import_albo", str(page), ordine="marche", rejects=str(tmp_path / "respinte.csv"))
    assert list(tmp_path.iterdir()) == [page]


def test_the_summary_is_for_people(marche: None) -> None:
    out = io.StringIO()
    call_command("import_albo", REGISTER, ordine="marche", dry_run=True, stdout=out)
    assert "Prova: nulla è stato modificato." in out.getvalue()
    assert "Respinte, 2: Manca il codice fiscale. Righe 209, 581" in out.getvalue()
    assert "Avvisi, 3: Codice fiscale non coerente" in out.getvalue()
    assert not Member.objects.exists()
