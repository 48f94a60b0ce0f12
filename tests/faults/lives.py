"""Lives under faults, one after another, and what came of them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from django.db import Error

from tests.faults import oracle, strikes
from tests.faults.life import Batch, Life, members
from tests.faults.matrix import Cell
from tests.faults.oracle import Verdict
from tests.faults.scene import World


@dataclass
class Result:
    """What came of one cell. ``struck``: how many of its operations stood where the fault struck."""

    cell: Cell
    verdict: Verdict = field(default_factory=Verdict)
    struck: int = 0
    seconds: float = 0.0
    trouble: str = ""

    @property
    def good(self) -> bool:
        """Nothing lost, nothing twice, and the fault did strike."""
        return self.verdict.good and not self.trouble and self.struck > 0


def live(world: World, cells: Sequence[Cell], size: int, first_number: int, *, celery: bool = True) -> Iterator[Result]:
    """Let ``size`` new members live through the cells, of one kind each in the order of life.

    Uses up ``size + 1`` numbers of members.
    """
    world.provider.reset()
    spare = Life(members(first_number, 1))
    life = Life(members(first_number + 1, size))
    try:
        for cell in cells:
            yield _go_through(world, Batch(cell, life), spare, celery=celery)
    finally:
        world.end_workers()


def _go_through(world: World, batch: Batch, spare: Life, *, celery: bool) -> Result:
    began = time.monotonic()
    result = Result(batch.cell)
    try:
        strikes.prepare_workers(world, batch.cell, celery=celery)
        result.struck = strikes.strike(world, batch, spare)
    except (AssertionError, OSError, Error) as error:  # what the scene itself could not do; the oracle still looks
        result.trouble = str(error) or repr(error)
        strikes.recover(world, batch)
    life = batch.life
    result.verdict = oracle.verdict(batch.cell, oracle.gather(batch.cell, life.requests, world.provider), life.emails)
    result.seconds = time.monotonic() - began
    life.go_on_without(result.verdict.strays)
    return result
