"""A chain of seals to do harm to, as whoever owns the database could."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import connection

from audit import log, sealing
from audit.actors import Actor
from audit.models import LogEntry, Seal
from tests.house.holders import wait_until

DEMO = Actor.process("prova")
# How long tests of other workers may be in one transaction, on a busy machine.
OTHERS_SECONDS = 120.0
patient = pytest.mark.timeout(3 * OTHERS_SECONDS)


def write(count: int = 1, ordine: str = "") -> None:
    log.record_many(log.entry("prova", DEMO, ordine=ordine, number=n) for n in range(count))


def seal_all() -> int:
    """One seal over all there is: waits for transactions of other tests, in other databases of the server."""
    wait_until(_nobody_holds_it_back, OTHERS_SECONDS, every=0.1)
    return sealing.seal()


def _nobody_holds_it_back() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(sealing.NOW)
        horizon, _now = cursor.fetchone()
    return not LogEntry.objects.filter(transaction__gte=horizon).exists()


@contextmanager
def owner() -> Iterator[None]:
    """As the owner of the tables can: with the triggers out of the way."""
    tables = ("audit_logentry", "audit_seal")
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        try:
            yield
        finally:
            for table in tables:
                cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


def made_anew() -> None:
    """Every seal, over what is there now: the work of a patient attacker."""
    marks = list(Seal.objects.order_by("until"))
    Seal.objects.all().delete()
    previous = ""
    for mark in marks:
        mark.parts = sealing._parts(mark.since, mark.until)
        mark.count = sum(part["count"] for part in mark.parts.values())
        mark.digest = previous = sealing.digest_of(mark, previous)
        mark.save(force_insert=True)


def age(days: int) -> None:
    """All that is there is so many days older, and was from the beginning."""
    with owner():
        for entry in LogEntry.objects.all():
            LogEntry.objects.filter(pk=entry.pk).update(at=entry.at - timedelta(days=days))
        for mark in Seal.objects.all():
            Seal.objects.filter(pk=mark.pk).update(sealed_at=mark.sealed_at - timedelta(days=days))
        made_anew()
