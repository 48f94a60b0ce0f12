"""The log as a file that can be checked without the portal: JSON Lines, each batch behind its seal.

A line is ``{"seal": …}`` or ``{"entry": …}``, after a first one that says what the file is. Of one Ordine's export the
seals say how many entries the others have and their hash, and nothing else of them. Batches are whole, so that their
hashes can be made again: some entries are from shortly before the first day and after the last.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Max, Min
from django.db.models.functions import Collate
from django.utils import timezone

from audit import lines, sealing
from audit.models import LogEntry, Seal
from audit.retention import RETIRED

FORMAT = "albo-pec log 1"


@dataclass
class Taken:
    """What went into a file, once all its lines have been taken; ``left``: entries that no seal covers yet."""

    seals: int = 0
    entries: int = 0
    left: int = 0


def export(start: datetime, end: datetime, ordine: str | None, taken: Taken) -> Iterator[str]:
    """The lines of the batches with entries of [start, end): all of them, or those of one Ordine (by code)."""
    sealing.seal()
    wanted = LogEntry.objects.filter(at__gte=start, at__lt=end)
    if ordine is not None:
        wanted = wanted.filter(ordine=ordine)
    span = wanted.aggregate(first=Min("transaction"), last=Max("transaction"))
    last = sealing.newest()
    taken.left = wanted.filter(transaction__gte=last.until if last else 0).count()
    yield lines.line(_header(start, end, ordine))
    if span["first"] is None:
        return
    marks = Seal.objects.filter(until__gt=span["first"], since__lte=span["last"]).order_by("until")
    before = Seal.objects.filter(until__lte=span["first"]).order_by("-until").first()
    previous = before.digest if before else ""
    for mark in marks.iterator():
        taken.seals += 1
        text = lines.seal(mark.since, mark.until, mark.sealed_at, mark.parts, previous)
        yield f'{{"digest":"{mark.digest}","seal":{text}}}'
        previous = mark.digest
        for entry in _entries(mark, ordine):
            taken.entries += 1
            yield f'{{"entry":{entry}}}'


def _header(start: datetime, end: datetime, ordine: str | None) -> dict[str, object]:
    retired = LogEntry.objects.filter(action=RETIRED).order_by("ordine", "id").values_list("ordine", "detail__before")
    return {
        "format": FORMAT,
        "from": start,
        "to": end,
        "ordine": ordine,
        "made": timezone.now(),
        "retired": dict(retired),
    }


def _entries(mark: Seal, ordine: str | None) -> Iterator[str]:
    rows = LogEntry.objects.filter(transaction__gte=mark.since, transaction__lt=mark.until)
    if ordine is not None:
        rows = rows.filter(ordine=ordine)
    ordered = rows.order_by(Collate("ordine", "C"), "id").values_list(*lines.FIELDS)
    return map(lines.entry, ordered.iterator(chunk_size=2000))
