"""How many calls each worker may make at once: what the provider allows, shared out among the workers of all hosts.

A share is a row that ends by itself, so that nobody has to notice a worker that died. A worker renews its share
while it works, starts nothing once the share has ended, and never gives up slots that its calls still occupy: so the
shares together never exceed ``PROVIDER_CONCURRENCY``, and the rates that go with them never ``PROVIDER_RATE``.
"""

from __future__ import annotations

import datetime
import time
from types import TracebackType
from typing import Self

from django.conf import settings
from django.db import connection, transaction
from django.db.models.functions import Now

from pec_requests.models import WorkerShare

# Any fixed number: shares are dealt out one worker at a time.
_DEALER_LOCK = 7_316_003
_SHARE = datetime.timedelta(seconds=15)
_RENEWED_AFTER = 1.0
# So that a call never waits longer than this, in seconds, for its turn under ``PROVIDER_RATE``.
_LONGEST_QUEUE = 5.0


class Share:
    """This worker's share; a context manager that gives it back. ``ends``: when it does, by the monotonic clock."""

    def __init__(self, worker: str) -> None:
        self._worker = worker
        self._slots = self._reserved = 0
        self._renewed = self.ends = 0.0

    def __enter__(self) -> Self:
        self.renew(0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:  # else the database may be what failed; the row ends by itself
            WorkerShare.objects.filter(worker=self._worker).delete()

    @property
    def slots(self) -> int:
        """Calls that this worker may have under way; none once the share has ended."""
        return self._slots if time.monotonic() < self.ends else 0

    @property
    def rate(self) -> float:
        """Calls a second that go with the slots kept, also for what is still under way; 0 where there is no limit."""
        return float(settings.PROVIDER_RATE * max(self._reserved, 1) / settings.PROVIDER_CONCURRENCY)

    @property
    def useful_slots(self) -> int:
        """Slots whose calls the rate lets through without a long wait."""
        if not settings.PROVIDER_RATE:
            return self.slots
        return min(self.slots, max(1, int(self.rate * _LONGEST_QUEUE)))

    def renew(self, busy: int) -> None:
        """Ask for a fair share, if the last time was a while ago; ``busy`` calls are under way and keep their slots."""
        began = time.monotonic()
        if began < self._renewed + _RENEWED_AFTER:
            return
        self._slots, self._reserved = _deal(self._worker, min(busy, self._reserved))
        self._renewed, self.ends = began, began + _SHARE.total_seconds()


def _deal(worker: str, kept: int) -> tuple[int, int]:
    """The equal part of this worker among those at work, as far as the others have left it, and what is kept for it.

    That is more while calls from before still occupy ``kept`` slots: the others get them when those calls are over.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_DEALER_LOCK])
        WorkerShare.objects.filter(ends_at__lte=Now()).exclude(worker=worker).delete()
        others = dict(WorkerShare.objects.exclude(worker=worker).values_list("worker", "slots"))
        total: int = settings.PROVIDER_CONCURRENCY
        fair, over = divmod(total, len(others) + 1)
        if sorted([*others, worker]).index(worker) < over:
            fair += 1
        slots = max(min(fair, total - sum(others.values())), 0)
        reserved = max(slots, kept)
        WorkerShare.objects.update_or_create(worker=worker, defaults={"slots": reserved, "ends_at": Now() + _SHARE})
        return slots, reserved
