"""Whether the log is still what was written: every seal is made again from the entries, and compared.

Whoever owns the database can make the whole chain anew, whatever it is hashed with: a key that the portal can read,
they can read, too. So what tells is a digest that has left the house: one is written down every day in the process log
and mailed to the administrators (``members.anchoring``). ``verify`` is given such digests: the chain must contain them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from typing import Any

from django.db.models import IntegerField
from django.db.models.expressions import RawSQL
from django.db.models.functions import Collate
from django.utils.translation import gettext as _

from audit import lines
from audit.models import LogEntry, Seal
from audit.retention import MINIMUM, RETIRED
from audit.sealing import digest_of

# Batches that one query reads.
_AT_ONCE = 500


@dataclass(frozen=True)
class Broken:
    """The first place where the chain does not hold."""

    seal: Seal | None
    reason: str


@dataclass
class Report:
    """What was looked at, and what is wrong with it, if anything."""

    seals: int = 0
    entries: int = 0
    retired: int = 0
    broken: Broken | None = None


def verify(anchors: Sequence[str] = ()) -> Report:
    """Make every seal again; each of the ``anchors`` (digests that were written down) must be one of the chain's."""
    report = Report()
    until, previous, missing = 0, "", set(anchors)
    for marks in _blocks():
        found = _entries(marks)
        for mark in marks:
            if mark.since != until:
                return _broken(report, mark, _("manca il sigillo che lo precede"))
            if mark.digest != digest_of(mark, previous):
                return _broken(report, mark, _("il sigillo è stato modificato"))
            if reason := _differs(mark, found[mark.pk], report):
                return _broken(report, mark, reason)
            report.seals += 1
            until, previous = mark.until, mark.digest
            missing.discard(mark.digest)
    if missing:
        reason = _("il sigillo annotato %(digest)s non c'è: la catena è stata riscritta") % {"digest": min(missing)}
        return _broken(report, None, reason)
    return report


def _broken(report: Report, mark: Seal | None, reason: str) -> Report:
    report.broken = Broken(mark, reason)
    return report


def _blocks() -> Iterator[list[Seal]]:
    after = -1
    while marks := list(Seal.objects.filter(until__gt=after).order_by("until")[:_AT_ONCE]):
        yield marks
        after = marks[-1].until


def _entries(marks: list[Seal]) -> dict[int, lines.Parts]:
    """By seal, what each Ordine has there now."""
    bucket = RawSQL('width_bucket("transaction", %s::bigint[])', [[m.until for m in marks]], IntegerField())
    rows = LogEntry.objects.filter(transaction__gte=marks[0].since, transaction__lt=marks[-1].until)
    ordered = rows.annotate(bucket=bucket).order_by("bucket", Collate("ordine", "C"), "id")
    parts: dict[int, lines.Parts] = {mark.pk: {} for mark in marks}
    found: Iterable[Any] = ordered.values_list("bucket", "ordine", *lines.FIELDS).iterator(chunk_size=2000)
    for (place, ordine), entries in groupby(found, key=lambda row: row[:2]):
        part = lines.PartHash()
        for _bucket, _ordine, *values in entries:
            part.add(lines.entry(values))
        parts[marks[place].pk][ordine] = part.told()
    return parts


def _differs(mark: Seal, found: lines.Parts, report: Report) -> str:
    """What is wrong with the entries of this batch; empty where nothing is."""
    if strange := found.keys() - mark.parts.keys():
        count = sum(found[ordine]["count"] for ordine in strange)
        return _("%(count)s voci inserite dopo il sigillo") % {"count": count}
    for ordine, part in mark.parts.items():
        now = found.get(ordine)
        if now is None and _retired(ordine, mark):
            report.retired += part["count"]
        elif now is None or now["count"] != part["count"]:
            counts = {"sealed": part["count"], "found": now["count"] if now else 0}
            return _("%(sealed)s voci sigillate, %(found)s trovate") % counts
        elif now["hash"] != part["hash"]:
            return _("una voce è stata modificata")
        else:
            report.entries += part["count"]
    return ""


def _retired(ordine: str, mark: Seal) -> bool:
    """Whether the log itself says that these entries were dropped when their time was over, and it was.

    Asked now, after the entries were read: what takes them away says so in the same transaction.
    """
    told = LogEntry.objects.filter(ordine=ordine, action=RETIRED, detail__before__gte=mark.until)
    return told.filter(at__gt=mark.sealed_at + MINIMUM - timedelta(days=1)).exists()
