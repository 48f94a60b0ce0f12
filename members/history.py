"""The log of one person: also what it says of the records that were merged into theirs."""

from __future__ import annotations

from django.db.models import QuerySet

from audit.models import LogEntry

# Of the record that is gone (``object_id``), about the one that stays (``person``).
MERGED = "member.merged"


def records_of(member_id: int) -> list[int]:
    """The member's primary key and those of all records that were merged into it, however long ago."""
    known, newer = [member_id], [member_id]
    while newer:
        merged = LogEntry.objects.filter(person__in=newer, action=MERGED).order_by("id")
        newer = [pk for pk in merged.values_list("object_id", flat=True) if pk is not None and pk not in known]
        known += newer
    return known


def entries(member_id: int) -> QuerySet[LogEntry]:
    """The entries about a person, newest first."""
    return LogEntry.objects.filter(person__in=records_of(member_id))
