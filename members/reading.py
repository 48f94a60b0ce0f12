"""That somebody of the office has read a member's record: one entry for every page of it that was opened.

Every opening is one, the second within a minute as well: what was read is the log's business, not whether it was new. A
list shows names and no more, and says who took all of it along (``members.exports``).
"""

from __future__ import annotations

from django.http import HttpRequest

from audit import log
from audit.actors import Actor
from members.models import Member

READ = "record.read"


def note(request: HttpRequest, member: Member, page: str) -> None:
    """``page`` is what was opened, in words."""
    log.record(READ, Actor.of(request), member, person=member.pk, ordine=member.ordine.code, page=page)
