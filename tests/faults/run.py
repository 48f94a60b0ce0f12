"""Which lives are led in a world, and what is told of them while they are."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Any

from django.db.models.functions import Now
from django_scopes import scopes_disabled

from audit import sealing, verifying
from pec_requests.models import ProviderOperation
from pec_requests.states import Kind
from tests.faults import matrix, oracle
from tests.faults.life import Batch, Life, members
from tests.faults.lives import Result, live
from tests.faults.matrix import Cell, Fault, Point
from tests.faults.scene import World
from tests.faults.workers import until

# A fault of each sort, at every point, in one life.
SAMPLE = (
    Cell(Kind.CREATE, Point.AFTER_EFFECT, Fault.KILL),
    Cell(Kind.TAX_CODE, Point.AFTER_EFFECT, Fault.LATENCY),
    Cell(Kind.ACTIVATE, Point.AFTER_EFFECT, Fault.CLOSED),
    Cell(Kind.RESET, Point.BEFORE_CALL, Fault.HTML),
    Cell(Kind.RECOVERY_EMAIL, Point.CLAIMING, Fault.REVOKED),
    Cell(Kind.SUSPEND, Point.BEFORE_SETTLING, Fault.POSTGRES),
    Cell(Kind.RESUME, Point.AFTER_EFFECT, Fault.TRUNCATED),
    Cell(Kind.CLOSE, Point.BEFORE_CALL, Fault.RATE_LIMIT),
)


@scopes_disabled()
def rows(world: World, wanted: Sequence[str], part: int, parts: int, size: int) -> dict[str, Any]:
    """Every row, or the wanted ones, or one in so many of them."""
    known = {row.id: row for row in matrix.rows()}
    chosen = [known[name] for name in wanted] if wanted else list(known.values())
    results: list[Result] = []
    for index, row in enumerate(chosen):
        if index % parts == part - 1:
            results += _told(live(world, row.cells(), size, index * (size + 1)))
    return _summary(results)


@scopes_disabled()
def sample(world: World, size: int) -> dict[str, Any]:
    """One life with a different fault at every step, without Celery, which takes long to start."""
    summary = _summary(_told(live(world, SAMPLE, size, 0, celery=False)))
    return summary | {"seen_twice": _provoked(world, size)}


def _provoked(world: World, size: int) -> int:
    """How many duplicates the oracle sees where the portal has forgotten what it did, and does it again."""
    life = Life(members(2 * size, size))
    world.stable.start(0.0)
    for kind in (Kind.CREATE, Kind.ACTIVATE, Kind.RESET):
        batch = Batch(Cell(kind, Point.BEFORE_CALL, Fault.REVOKED), life)
        batch.decide()
        until(batch.finished, "tutte le operazioni sono concluse")
    resets = ProviderOperation.objects.filter(request__in=life.requests, kind=Kind.RESET)
    resets.update(state=ProviderOperation.State.WAITING, look_first=False, not_before=Now(), finished_at=None)
    until(batch.finished, "tutte le operazioni sono concluse")
    return len(oracle.verdict(batch.cell, oracle.gather(batch.cell, life.requests, world.provider), life.emails).twice)


def _summary(results: Sequence[Result]) -> dict[str, Any]:
    sealing.seal()
    broken = verifying.verify().broken
    if broken:
        print(f"NO  la catena del registro non torna: {broken}", file=sys.stderr, flush=True)  # noqa: T201
    return {
        "good": all(result.good for result in results) and broken is None,
        "chain": str(broken or ""),
        "cells": [_as_json(result) for result in results],
    }


def _as_json(result: Result) -> dict[str, Any]:
    cell, verdict = result.cell, result.verdict
    return {
        "kind": cell.kind.name,
        "point": cell.point.name,
        "fault": cell.fault.name,
        "good": result.good,
        "operations": verdict.operations,
        "struck": result.struck,
        "unknown": verdict.unknown,
        "lost": verdict.lost,
        "twice": verdict.twice,
        "trouble": result.trouble,
        "seconds": round(result.seconds, 1),
    }


def _told(results: Iterable[Result]) -> list[Result]:
    """Each as soon as it is there, in a line on standard error."""
    told = []
    for result in results:
        _tell(result)
        told.append(result)
    return told


def _tell(result: Result) -> None:
    cell, verdict = result.cell, result.verdict
    mark = "ok" if result.good else "NO"
    line = f"{mark}  {cell.fault.value}, {cell.point.value}, {cell.kind.name}: {verdict.operations} operazioni"
    print(f"{line}, {result.struck} colpite, {result.seconds:.1f} s", file=sys.stderr, flush=True)  # noqa: T201
    for sentence in [result.trouble, *verdict.lost[:3], *verdict.twice[:3]]:
        if sentence:
            print(f"      {sentence}", file=sys.stderr, flush=True)  # noqa: T201
