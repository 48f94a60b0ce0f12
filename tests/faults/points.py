"""Bringing operations to a point of their way, and holding them there while something happens to the world."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager

from django.db import transaction

from members.models import Member
from tests.faults.life import Batch
from tests.faults.matrix import Point
from tests.faults.scene import Barrier, World
from tests.faults.workers import settled, until


def standing(world: World, batch: Batch, *, answer_lost: bool = False) -> AbstractContextManager[int]:
    """Decide a batch and have workers at the cell's point with it, as long as the context lasts.

    Gives the number of operations that stand there. With ``answer_lost``, where the answer has not been given yet, it
    never will: the connection closes instead.
    """
    match batch.cell.point:
        case Point.CLAIMING:
            return _claiming(batch)
        case Point.BEFORE_CALL:
            return _before_call(world, batch)
        case Point.AFTER_EFFECT:
            return _after_effect(world, batch, answer_lost)
        case Point.BEFORE_SETTLING:
            return _before_settling(world, batch)


@contextmanager
def _claiming(batch: Batch) -> Iterator[int]:
    """The claim is written and not committed: it cannot read the members, whose table is locked.

    The lock queues behind our own transaction, and so comes before any worker that sees what this one commits.
    """
    barrier = Barrier()
    try:
        with ThreadPoolExecutor(1) as thread:
            with transaction.atomic():
                batch.decide()
                Member.objects.exists()
                taken = thread.submit(barrier.take, "LOCK TABLE members_member IN ACCESS EXCLUSIVE MODE")
                until(barrier.queues, "il blocco è in coda")
            taken.result()
        until(lambda: barrier.stops(with_claims=True), "un worker sta prendendo in carico", 20)
        yield len(batch)
    finally:
        barrier.open()


@contextmanager
def _before_call(world: World, batch: Batch) -> Iterator[int]:
    """Claimed, and waiting for the token without which nothing can be called."""
    world.provider.revoke_tokens()
    world.order("token", "hold")
    try:
        batch.decide()
        yield settled(lambda: len(batch.claims()), len(batch), "prese in carico")
    finally:
        world.provider.clear_faults()


@contextmanager
def _after_effect(world: World, batch: Batch, answer_lost: bool) -> Iterator[int]:
    """Done by the provider, which keeps its answer to itself."""
    world.order(batch.cell.ends.call, "hold", after=True)
    if answer_lost:
        world.order(batch.cell.ends.call, "drop_after")
    try:
        batch.decide()
        yield settled(lambda: batch.effects(world), len(batch), "effetti presso il gestore")
    finally:
        world.provider.clear_faults()


@contextmanager
def _before_settling(world: World, batch: Batch) -> Iterator[int]:
    """Done and answered, but the requests are locked: nothing can be settled."""
    barrier = Barrier()
    try:
        with _after_effect(world, batch, answer_lost=False) as count:
            ids: list[object] = [list(batch.life.requests)]
            barrier.take("SELECT FROM pec_requests_pecrequest WHERE id = ANY (%s) ORDER BY id FOR UPDATE", ids)
        until(lambda: barrier.stops(with_claims=False), "un worker sta registrando", 20)
        yield count
    finally:
        barrier.open()
