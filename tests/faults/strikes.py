"""The faults themselves: what is done to the world, or to the provider, while operations stand at a point."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from django.db import connection

from pec_requests import health
from pec_requests.states import Kind
from tests.faults.life import Batch, Life
from tests.faults.matrix import IN_A_CALL, Cell, Fault, Point
from tests.faults.points import standing
from tests.faults.scene import READ_SECONDS, World
from tests.faults.workers import until

_HOUR = 3600.0
_TOKEN_LIFE = 301.0
# Longer than a worker waits: the provider's work comes after it has given up.
_LATENCY = READ_SECONDS + 1.0
_QUIET_SECONDS = 60.0
_WATCH_SECONDS = 1.0
_TOKEN_ENDS = (Fault.EXPIRED, Fault.REVOKED)


def prepare_workers(world: World, cell: Cell, *, celery: bool) -> None:
    """Have those at work that the fault is going to strike: a real Celery where the broker or the database dies."""
    if celery and cell.fault in (Fault.POSTGRES, Fault.VALKEY):
        world.start_celery()
    elif cell.fault == Fault.SKEW:
        world.stable.kill()
        world.stable.start(_HOUR)
    elif not world.stable.workers:
        # A token that ends must be one that its worker has: so there is only one worker.
        world.stable.start(*([0.0] if cell.fault in _TOKEN_ENDS else [0.0, 0.0]))


def strike(world: World, batch: Batch, spare: Life) -> int:
    """Decide the batch, let its fault strike at its point, wait until all is quiet; return how many stood there.

    ``spare`` is a life of its own, by which the circuit breaker learns that the last cell's trouble is over, and the
    worker comes by a good token that can end.
    """
    cell = batch.cell
    if health.trouble() or cell.fault in _TOKEN_ENDS:
        _have_a_call_succeed(cell, spare)
    if cell.fault in IN_A_CALL:
        return _in_the_call(world, batch)
    if cell.fault in _TOKEN_ENDS and cell.point == Point.BEFORE_CALL:
        _STRIKES[cell.fault](world, batch)
        _finish(_decided(batch))
        return len(batch)
    with standing(world, batch, answer_lost=cell.fault in _TOKEN_ENDS) as struck:
        _STRIKES[cell.fault](world, batch)
    if not world.at_work:
        world.stable.start(0.0, 0.0)
    _finish(batch)
    return struck


def recover(world: World, batch: Batch) -> None:
    """After a fault that could not be brought about: what was decided shall still come to its end, if it can."""
    world.provider.clear_faults()
    connection.close()
    if not world.at_work:
        world.stable.start(0.0, 0.0)
    with suppress(TimeoutError):
        _finish(batch)


def _have_a_call_succeed(cell: Cell, spare: Life) -> None:
    kind = Kind.RECOVERY_EMAIL if spare.requests else Kind.CREATE
    _finish(_decided(Batch(replace(cell, kind=kind), spare)))


def _decided(batch: Batch) -> Batch:
    batch.decide()
    return batch


def _finish(batch: Batch) -> None:
    until(batch.finished, "tutte le operazioni sono concluse", _QUIET_SECONDS)


def _in_the_call(world: World, batch: Batch) -> int:
    """The provider answers each operation badly, once."""
    cell, size = batch.cell, len(batch)
    kind, value = _ANSWERS[cell.fault]
    after = cell.point == Point.AFTER_EFFECT
    if cell.fault == Fault.CLOSED:
        world.order(cell.ends.call, "drop_after" if after else "drop_before", times=size)
    else:
        world.order(cell.ends.call, kind, value, after=after and kind != "partial", times=size)
    _finish(_decided(batch))
    if cell.fault == Fault.LATENCY:
        late = time.monotonic() + _LATENCY
        until(lambda: time.monotonic() > late, "anche chi è stato lento ha finito")
    return size - world.faults_left()


def _kill(world: World, _batch: Batch) -> None:
    world.stable.kill()


def _skew(world: World, batch: Batch) -> None:
    """The worker is an hour ahead. One that is an hour behind comes, and must keep off; then the first is killed."""
    ahead = list(world.stable.workers)
    before = {pk: (claim, lease_ends) for pk, claim, _at, lease_ends, _error in batch.claims()}
    world.stable.start(-_HOUR)
    watched_until = time.monotonic() + _WATCH_SECONDS
    while time.monotonic() < watched_until:
        for pk, claim, claimed_at, _ends, error in batch.claims():
            mine, lease_ends = before.get(pk, (claim, None))
            taken = claim != mine and not error and claimed_at < lease_ends
            assert not taken, "un worker con un altro orologio ha preso ciò che un altro aveva in mano"
    world.stable.kill(ahead)


def _postgres(world: World, _batch: Batch) -> None:
    world.restart_postgres()
    connection.close()


def _valkey(world: World, _batch: Batch) -> None:
    world.empty_valkey()


def _expired(world: World, _batch: Batch) -> None:
    world.provider.advance(_TOKEN_LIFE)


def _revoked(world: World, _batch: Batch) -> None:
    world.provider.revoke_tokens()


_STRIKES: dict[Fault, Callable[[World, Batch], None]] = {
    Fault.KILL: _kill,
    Fault.SKEW: _skew,
    Fault.POSTGRES: _postgres,
    Fault.VALKEY: _valkey,
    Fault.EXPIRED: _expired,
    Fault.REVOKED: _revoked,
}
_ANSWERS: dict[Fault, tuple[str, float | None]] = {
    Fault.LATENCY: ("latency", _LATENCY),
    Fault.ERROR: ("status", 500),
    Fault.RATE_LIMIT: ("rate_limit", 1),
    Fault.HTML: ("garbage", None),
    Fault.TRUNCATED: ("truncated", None),
    Fault.PARTIAL: ("partial", None),
    Fault.CLOSED: ("", None),
}
