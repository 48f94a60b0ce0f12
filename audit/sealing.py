"""Sealing the log: hash batches of entries into a chain, and check that the chain still holds."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, transaction

from audit.models import LogEntry, Seal

# Any fixed number: one sealer at a time, in the whole installation.
_SEALER_LOCK = 7_316_001
_FIELDS = tuple(f.attname for f in LogEntry._meta.concrete_fields)


@dataclass(frozen=True)
class Broken:
    """The first place where the chain does not hold."""

    seal: Seal
    reason: str


def seal() -> int:
    """Seal every entry whose transaction, and all before it, are over. Return how many entries were sealed."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_SEALER_LOCK])
        if not cursor.fetchone()[0]:
            return 0
        cursor.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
        horizon = cursor.fetchone()[0]
        last = Seal.objects.order_by("-until").first()
        since, previous = (last.until, last.digest) if last else (0, "")
        count, digest = _digest(since, horizon, previous)
        if count:
            Seal.objects.create(since=since, until=horizon, count=count, digest=digest)
        return count


def unsealed() -> int:
    """How many entries no seal covers yet."""
    last = Seal.objects.order_by("-until").first()
    return LogEntry.objects.filter(transaction__gte=last.until if last else 0).count()


def verify() -> Broken | None:
    """Recompute every seal. None when the whole chain holds."""
    until, previous = 0, ""
    for mark in Seal.objects.order_by("until").iterator():
        if mark.since != until:
            return Broken(mark, "manca un sigillo prima di questo")
        count, digest = _digest(mark.since, mark.until, previous)
        if count != mark.count:
            return Broken(mark, f"{mark.count} voci sigillate, {count} trovate")
        if digest != mark.digest:
            return Broken(mark, "una voce è stata modificata")
        until, previous = mark.until, mark.digest
    return None


def _digest(since: int, until: int, previous: str) -> tuple[int, str]:
    """Count and SHA-256 of the entries of the transactions in [since, until), chained to ``previous``."""
    sha = hashlib.sha256(previous.encode())
    count = 0
    rows = LogEntry.objects.filter(transaction__gte=since, transaction__lt=until).order_by("id").values_list(*_FIELDS)
    for row in rows.iterator(chunk_size=2000):
        sha.update(json.dumps(row, cls=DjangoJSONEncoder, sort_keys=True, ensure_ascii=False).encode())
        count += 1
    return count, sha.hexdigest()
