"""Trying again whatever needs attention, in sets that no single transaction should hold."""

from __future__ import annotations

from django.db.models import QuerySet

from audit.actors import Actor
from pec_requests import lifecycle
from pec_requests.models import ProviderOperation

# As many as one transaction locks: those that wait for one of these rows do not wait long.
CHUNK = 1000


def retry_all(chosen: QuerySet[ProviderOperation], actor: Actor) -> int:
    """Put back into the queue what needs attention among ``chosen``, and return how many operations that were.

    Each is met once: what fails again meanwhile, and needs attention anew, is not tried for ever.
    """
    stuck = chosen.filter(state=ProviderOperation.State.ATTENTION).order_by("pk")
    done, last = 0, 0
    while ids := list(stuck.filter(pk__gt=last).values_list("pk", flat=True)[:CHUNK]):
        done += lifecycle.retry_operations(ids, actor)
        last = ids[-1]
    return done
