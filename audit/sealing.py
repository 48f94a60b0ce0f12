"""Sealing the log: hash batches of entries into a chain. Whether it still holds: ``audit.verifying``.

Writers never wait: what is sealed are the batches of transactions that are all over. Nothing here looks at a clock to
decide what comes before what, so that no clock that is set back or forth can tear the chain.
"""

from __future__ import annotations

from datetime import datetime
from itertools import groupby

from django.db import connection, transaction
from django.db.models.functions import Collate

from audit import lines
from audit.models import LogEntry, Seal

# Any fixed number: one sealer at a time, in the whole installation.
_SEALER_LOCK = 7_316_001
# From which transaction on some may not be over, and the time.
NOW = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint, statement_timestamp()"


class NumbersBeganAnew(Exception):
    """The database counts transactions from a lower number than the last seal's: it was restored into another server.

    ``pg_resetwal --next-transaction-id`` (and ``--epoch``) of the new server set them right: docs/registro.md.
    """


def seal() -> int:
    """Seal every entry whose transaction, and all before it, are over. Return how many entries were sealed."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_SEALER_LOCK])
        if not cursor.fetchone()[0]:
            return 0
        cursor.execute(NOW)
        horizon, now = cursor.fetchone()
        last = newest()
        since, previous = (last.until, last.digest) if last else (0, "")
        if horizon < since:
            raise NumbersBeganAnew(f"{horizon} < {since}")
        parts = _parts(since, horizon)
        count: int = sum(part["count"] for part in parts.values())
        if count:
            mark = Seal(since=since, until=horizon, sealed_at=now, parts=parts, count=count)
            mark.digest = digest_of(mark, previous)
            mark.save()
        return count


def newest() -> Seal | None:
    """The last seal of the chain."""
    return Seal.objects.order_by("-until").first()


def unsealed() -> int:
    """How many entries no seal covers yet."""
    last = newest()
    return LogEntry.objects.filter(transaction__gte=last.until if last else 0).count()


def digest_of(mark: Seal, previous: str) -> str:
    """What the digest of this seal must be, behind one with the digest ``previous``."""
    sealed_at: datetime = mark.sealed_at
    return lines.digest(lines.seal(mark.since, mark.until, sealed_at, mark.parts, previous))


def _parts(since: int, until: int) -> lines.Parts:
    """What each Ordine has in the batch of the transactions in [since, until)."""
    rows = LogEntry.objects.filter(transaction__gte=since, transaction__lt=until)
    found = rows.order_by(Collate("ordine", "C"), "id").values_list("ordine", *lines.FIELDS)
    parts: lines.Parts = {}
    for ordine, entries in groupby(found.iterator(chunk_size=2000), key=lambda row: row[0]):
        part = lines.PartHash()
        for _ordine, *values in entries:
            part.add(lines.entry(values))
        parts[ordine] = part.told()
    return parts
