"""Retention: of each Ordine's log what is older than it has decided goes, whole sealed parts at a time.

Their hashes stay in the seals, so that the chain still holds, and the log itself says up to where it was retired, how
many entries went, and on whose word: without that entry neither the database (its trigger) nor ``audit.verifying``
accepts that anything is missing. Nothing goes before six months: what the Garante asks for at least.

For the command ``retire_audit``, run by an account of the database that may delete here; the portal's own may not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from audit import log
from audit.actors import Actor
from audit.models import LogEntry, Seal

RETIRED = "audit.retired"
MINIMUM_MONTHS = 6
MINIMUM = timedelta(days=181)  # the shortest six months there are
# Entries that one transaction takes away, or more where one batch has more.
CHUNK = 20_000
_RETIRING_LOCK = 7_316_006
# So long without a seal is no quiet time, but a clock that was wrong.
_LONGEST_SILENCE = timedelta(days=31)
_CLOCKS_MAY_DIFFER = timedelta(minutes=10)
_LONGEST_GAP = """
SELECT max(sealed_at - before) FROM (SELECT sealed_at, lag(sealed_at) OVER (ORDER BY until) AS before FROM audit_seal)
"""


class ClockInDoubt(Exception):
    """By what the clocks say nothing should be deleted now. ``str()`` says why."""


@dataclass(frozen=True)
class Due:
    """One step: the entries of an Ordine in the batches before a transaction number."""

    ordine: str
    months: int
    before: int
    entries: int


def check_clocks() -> None:
    """Raise ``ClockInDoubt`` where the time of this machine, the database and the seals do not go together."""
    now = _database_time()
    if abs(now - timezone.now()) > _CLOCKS_MAY_DIFFER:
        raise ClockInDoubt(_("L'orologio di questa macchina e quello della banca dati non coincidono."))
    with connection.cursor() as cursor:
        cursor.execute(_LONGEST_GAP)
        gap = cursor.fetchone()[0]
    if gap and gap > _LONGEST_SILENCE:
        days = {"days": gap.days}
        raise ClockInDoubt(_("Fra un sigillo e il successivo passano %(days)s giorni: l'orologio è giusto?") % days)


def due(months: Mapping[str, int]) -> Iterator[Due]:
    """What should go, by how many months each Ordine (by code) keeps; no step bigger than it must be."""
    for ordine, kept in months.items():
        number = max(kept, MINIMUM_MONTHS)
        old = _database_time(months_ago=number)
        # All seals up to the first that is not old: a clock that went back once does not matter.
        young = Seal.objects.filter(sealed_at__gte=old).order_by("until").first()
        marks = Seal.objects.filter(parts__has_key=ordine, until__gt=_retired_before(ordine)).order_by("until")
        if young:
            marks = marks.filter(until__lte=young.since)
        entries = before = 0
        for until, parts in marks.values_list("until", "parts").iterator():
            entries, before = entries + parts[ordine]["count"], until
            if entries >= CHUNK:
                yield Due(ordine, number, before, entries)
                entries = 0
        if entries:
            yield Due(ordine, number, before, entries)


@transaction.atomic
def retire(step: Due, actor: Actor) -> int:
    """Carry out one step, and say so in the log. Return how many entries went: none where somebody was faster."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_RETIRING_LOCK])
    if _retired_before(step.ordine) >= step.before:
        return 0
    log.record(RETIRED, actor, ordine=step.ordine, before=step.before, months=step.months, entries=step.entries)
    gone = LogEntry.objects.filter(ordine=step.ordine, transaction__lt=step.before)
    return gone._raw_delete(gone.db)  # nothing hangs on an entry


def _retired_before(ordine: str) -> int:
    last = LogEntry.objects.filter(ordine=ordine, action=RETIRED).order_by("-id").first()
    return int(last.detail["before"]) if last else 0


def _database_time(months_ago: int = 0) -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp() - make_interval(months => %s)", [months_ago])
        moment: datetime = cursor.fetchone()[0]
        return moment
