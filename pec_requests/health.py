"""The circuit breaker towards the provider: one row, for all workers of all hosts."""

from __future__ import annotations

import datetime

from django.conf import settings
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone

from audit import log
from audit.actors import Actor
from members.wake import wake
from pec_requests.models import ProviderHealth

State = ProviderHealth.State
_PROCESS = Actor.process("worker")
# While an outage or a stop lasts, the pause doubles up to this many seconds: one call a minute asks little of somebody
# who is coming back, but credentials refused again and again may be locked.
_LONGEST_PAUSE = {State.OPEN: 60.0, State.STOPPED: 300.0}


def current() -> ProviderHealth:
    """The row as it is now."""
    return ProviderHealth.objects.get_or_create(pk=1)[0]


def seen() -> ProviderHealth:
    """The row for whoever only looks; healthy where no worker has ever written one."""
    return ProviderHealth.objects.filter(pk=1).first() or ProviderHealth(pk=1, since=timezone.now())


def trouble() -> ProviderHealth | None:
    """The row while the provider is away or refuses us, for the notice that staff see; None in health."""
    return ProviderHealth.objects.filter(pk=1).exclude(state=State.CLOSED).first()


def allowance(limit: int) -> tuple[int, bool]:
    """How many operations may start now, and whether as a probe: ``limit`` in health, one when a pause is over, else 0.

    In the transaction of the claim: the lock on the row keeps a second worker from probing as well.
    """
    if current().state == State.CLOSED:
        return limit, False
    due = ProviderHealth.objects.select_for_update(skip_locked=True).filter(pk=1, open_until__lte=Now()).first()
    return (1, True) if due else (0, False)


def probing() -> None:
    """A probe was claimed: nobody else tries before its lease is over."""
    lease = datetime.timedelta(seconds=settings.OPERATION_LEASE_SECONDS)
    ProviderHealth.objects.filter(pk=1).update(open_until=Now() + lease)


def succeeded() -> None:
    """The provider answered as it should."""
    row = current()
    if row.state == State.CLOSED and not row.failures:
        return
    ProviderHealth.objects.filter(pk=1).update(
        state=State.CLOSED,
        failures=0,
        open_until=None,
        reason="",
        since=row.since if row.state == State.CLOSED else Now(),
    )
    if row.state != State.CLOSED:
        log.record("provider.closed", _PROCESS)
        wake("pec_requests.tasks.run_operations")


def failed(reason: str, *, probe: bool) -> bool:
    """The provider is away: after ``BREAKER_THRESHOLD`` failures in a row nobody calls for a while.

    True when that is so now.
    """
    row = current()
    if row.state != State.CLOSED and not probe:
        return True  # a late answer to a call made before the pause began
    ProviderHealth.objects.filter(pk=1).update(failures=F("failures") + 1)
    if row.failures + 1 < settings.BREAKER_THRESHOLD:
        return False
    _pause(row, State.OPEN, reason, row.failures + 1 - settings.BREAKER_THRESHOLD)
    return True


def stop(reason: str) -> bool:
    """The provider refuses our credentials. True for the first to notice, who raises the alarm."""
    row = current()
    first = row.state != State.STOPPED
    _pause(row, State.STOPPED, reason, 0 if first else 5)
    return first


def _pause(row: ProviderHealth, state: State, reason: str, doublings: int) -> None:
    seconds = min(settings.BREAKER_SECONDS * 2 ** min(doublings, 10), _LONGEST_PAUSE[state])
    changed = row.state != state
    ProviderHealth.objects.filter(pk=1).update(
        state=state,
        reason=reason[:600],
        open_until=Now() + datetime.timedelta(seconds=seconds),
        since=Now() if changed else row.since,
    )
    if changed:
        log.record("provider.stopped" if state == State.STOPPED else "provider.open", _PROCESS, reason=reason[:300])
