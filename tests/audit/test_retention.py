"""What goes when its time is over, what stays, and that the chain holds afterwards; and the log as a file."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction

from audit import log, offline, retention, sealing, verifying
from audit.models import LogEntry, Seal
from tests.audit.chain import DEMO, age, made_anew, owner, patient, seal_all, write
from tests.factories import OrdineFactory

pytestmark = [pytest.mark.django_db(transaction=True), patient]
DAY = {"from": "2000-01-01", "to": "2100-01-01"}


def run(command: str, *args: object) -> str:
    out = StringIO()
    call_command(command, *map(str, args), stdout=out)
    return out.getvalue()


def count(ordine: str) -> int:
    return LogEntry.objects.filter(ordine=ordine, action="prova").count()


def old_chain(days: int) -> None:
    """Two old batches, of two Ordini and the federation, and a fresh one."""
    for _batch in range(2):
        for ordine in ("corto", "lungo", ""):
            write(3, ordine)
        seal_all()
    age(days)
    write(1, "corto")
    seal_all()


def test_each_ordine_keeps_what_it_has_decided() -> None:
    OrdineFactory(code="corto", log_months=6)
    OrdineFactory(code="lungo", log_months=24)
    old_chain(300)
    with pytest.raises(CommandError, match="l'orologio è giusto"):
        run("retire_audit")  # nothing was written for ten months
    retention_gap(300)
    # All of the Ordine's but the fresh one.
    last_old = Seal.objects.filter(parts__has_key="corto").order_by("-until")[1].until
    assert "Da togliere: 6" in run("retire_audit", "--dry-run") and count("corto") == 7
    assert "corto: 6" in run("retire_audit")
    assert (count("corto"), count("lungo"), count("")) == (1, 6, 6)
    assert verifying.verify().broken is None and verifying.verify().retired == 6
    assert "Tolte 0" in run("retire_audit")
    seal_all()
    said = LogEntry.objects.get(action=retention.RETIRED).detail
    assert said == {"months": 6, "entries": 6, "before": last_old}
    # What the log does not say is still missed, in the Ordine of which it says something, too.
    with transaction.atomic():
        with owner():
            LogEntry.objects.filter(ordine="corto", action="prova").delete()
        assert verifying.verify().broken
        transaction.set_rollback(True)
    with transaction.atomic():
        with owner():
            LogEntry.objects.filter(ordine="lungo").first().delete()  # type: ignore[union-attr]  # there are six
        assert verifying.verify().broken
        transaction.set_rollback(True)


def retention_gap(days: int) -> None:
    """As if something had been written every few days."""
    with owner():
        fresh = Seal.objects.order_by("until").last()
        assert fresh
        Seal.objects.filter(pk=fresh.pk).delete()
        before = Seal.objects.order_by("until").last()
        assert before
        # Up to the fresh entry, not to its seal: other tests may have had many transactions in between.
        written = LogEntry.objects.latest("transaction").transaction
        step, since = (written - before.until) // 15, before.until
        for number in range(1, 15):
            at = before.sealed_at + timedelta(days=days / 15 * number)
            Seal.objects.create(since=since, until=since + step, count=0, parts={}, sealed_at=at)
            since += step
        Seal.objects.create(since=since, until=fresh.until, count=1, parts={}, sealed_at=fresh.sealed_at)
        made_anew()


def test_nothing_goes_before_six_months_whoever_says_so() -> None:
    """Neither by the service, nor by DELETE with a retirement that somebody has made up."""
    old_chain(100)
    assert list(retention.due({"corto": 1, "lungo": 0, "": 0})) == []
    with pytest.raises(IntegrityError), transaction.atomic():
        retention.retire(retention.Due("corto", 1, 2**62, 6), DEMO)
    assert count("corto") == 7 and not LogEntry.objects.filter(action=retention.RETIRED).exists()
    age(200)
    for undone in ("DELETE FROM audit_logentry", "DELETE FROM audit_seal", "UPDATE audit_logentry SET action = 'x'"):
        with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(undone)
    # With an owner's help, and said to be retired far too early: found.
    write(2, "lungo")
    seal_all()
    with owner():
        log.record(retention.RETIRED, DEMO, ordine="lungo", before=2**62, months=6, entries=2)
        LogEntry.objects.filter(ordine="lungo", action="prova").delete()
    assert verifying.verify().broken


def test_retention_beside_a_running_transaction_and_a_second_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not sealed is not touched, two who retire at once take nothing twice, no step is bigger than need be."""
    monkeypatch.setattr(retention, "CHUNK", 3)
    old_chain(300)
    written, go_on = threading.Event(), threading.Event()

    def slow() -> None:
        with transaction.atomic():
            write(1, "corto")
            written.set()
            go_on.wait(20)
        connection.close()

    thread = threading.Thread(target=slow)
    thread.start()
    written.wait(20)
    steps = list(retention.due({"corto": 6}))
    assert [step.entries for step in steps] == [3, 3]
    assert [retention.retire(step, DEMO) for step in [*steps, *steps]] == [3, 3, 0, 0]
    go_on.set()
    thread.join(20)
    assert count("corto") == 2
    seal_all()
    assert verifying.verify().broken is None


# --- As a file --------------------------------------------------------------------------------------------------------
def test_an_export_is_checked_without_the_database(tmp_path: Path) -> None:
    OrdineFactory(code="marche")
    for n in range(3):
        log.record("prova", DEMO, ordine="marche", name=f"=1+{n}", html="<b>\n\r\u2028è</b>", long="x" * 5000)
        write(2, "umbria")
        seal_all()
    whole, part = tmp_path / "tutto.jsonl", tmp_path / "marche.jsonl"
    assert "Esportate 9 voci in 3 sigilli" in run("export_audit", whole, "--from", DAY["from"], "--to", DAY["to"])
    run("export_audit", part, "--from", DAY["from"], "--to", DAY["to"], "--ordine", "marche")
    assert whole.stat().st_mode & 0o077 == 0
    assert LogEntry.objects.filter(action="audit.exported", ordine="marche").get().detail["entries"] == 3
    last = Seal.objects.order_by("until")[2]
    for file in (whole, part):
        assert "integro" in run("verify_audit", "--file", file, "--anchor", last.digest)
    assert '"umbria","' not in part.read_text() and "prova" in part.read_text()
    with pytest.raises(CommandError, match="annotato"):
        run("verify_audit", "--file", part, "--anchor", "0" * 64)
    with pytest.raises(CommandError, match="non è un sigillo"):
        run("verify_audit", "--file", part, "--anchor", last.digest[:-1])
    rows = part.read_text(encoding="utf-8").split("\n")[:-1]
    entries = [n for n, row in enumerate(rows) if row.startswith('{"entry"')]
    harm = {
        "edited": lambda r: r[entries[0]].replace("=1+0", "=1+9"),
        "without one": lambda r: None,
    }
    for name, change in harm.items():
        broken = list(rows)
        changed = change(broken)
        broken[entries[0] : entries[0] + 1] = [changed] if changed else []
        with pytest.raises(offline.NotIntact):
            offline.check(broken), name
    for broken in (
        rows[:1] + rows[1:3] + rows[5:],  # a batch taken out
        [*rows, rows[entries[0]]],  # an entry twice
        [rows[0], rows[entries[0]], *rows[1:]],  # one before any seal
        [rows[0], rows[1].replace('"count":1', '"count":2'), *rows[2:]],
        [*rows, "[]"],
        [*rows, "{"],
        ['{"format":"altro"}'],
        [],
    ):
        with pytest.raises(offline.NotIntact):
            offline.check(broken)


def test_a_retired_log_is_exported_and_nothing_unsealed_is(tmp_path: Path) -> None:
    OrdineFactory(code="corto", log_months=6)
    old_chain(300)
    retention.retire(next(retention.due({"corto": 6})), DEMO)
    file = tmp_path / "registro.jsonl"
    written, go_on = threading.Event(), threading.Event()

    def slow() -> None:
        with transaction.atomic():
            write(1, "corto")
            written.set()
            go_on.wait(20)
        connection.close()

    thread = threading.Thread(target=slow)
    thread.start()
    written.wait(20)
    write(1, "lungo")  # visible, but behind who is still writing: no seal can cover it yet
    told = run("export_audit", file, "--from", DAY["from"], "--to", DAY["to"])
    go_on.set()
    thread.join(20)
    assert "restano fuori" in told
    run("verify_audit", "--file", file)
    header = json.loads(file.read_text(encoding="utf-8").split("\n")[0])
    assert header["retired"].keys() == {"corto"}
    with pytest.raises(CommandError, match="Ordine"):
        run("export_audit", file, "--from", DAY["from"], "--to", DAY["to"], "--ordine", "nessuno")
    with pytest.raises(CommandError, match="non si può scrivere"):
        run("export_audit", tmp_path / "manca" / "x", "--from", DAY["from"], "--to", DAY["to"])
    assert sealing.seal() >= 0 and [*tmp_path.glob("*.part")] == []
