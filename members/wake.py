"""Waking workers up. A message is only a nudge: the work is in PostgreSQL, and a sweep finds what was missed."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

logger = logging.getLogger(__name__)


class _Nudge:
    """What runs after the commit; remembers in which savepoints it was asked for."""

    def __init__(self, task: str, savepoints: set[str | None]) -> None:
        self.task = task
        self.savepoints = savepoints

    def __call__(self) -> None:
        if (bundle := _bundle.get()) is None:
            deliver(self.task)
        else:
            bundle.add(self.task)


class _Bundle:
    """Tasks to wake, each at most once in ``_BUNDLE_SECONDS`` and once more at the end."""

    def __init__(self) -> None:
        self._delivered: dict[str, float] = {}
        self._owed: set[str] = set()

    def add(self, task: str) -> None:
        if time.monotonic() < self._delivered.get(task, -math.inf) + _BUNDLE_SECONDS:
            self._owed.add(task)
        else:
            self._deliver(task)

    def flush(self) -> None:
        for task in sorted(self._owed):
            self._deliver(task)

    def _deliver(self, task: str) -> None:
        self._owed.discard(task)
        self._delivered[task] = time.monotonic()
        deliver(task)


_BUNDLE_SECONDS = 1.0
_bundle: ContextVar[_Bundle | None] = ContextVar("bundle", default=None)


@contextmanager
def bundled() -> Iterator[None]:
    """For work that commits many times a second: one message stands for many."""
    bundle = _Bundle()
    token = _bundle.set(bundle)
    try:
        yield
    finally:
        _bundle.reset(token)
        bundle.flush()


def wake(task: str) -> None:
    """Tell a worker to run ``task`` (a name, such as ``members.tasks.send_mail``) once this transaction has committed.

    Once per transaction, however often it is asked for. A broker that is down neither raises nor rolls anything back.
    """
    connection = transaction.get_connection()
    open_now = set(connection.savepoint_ids)
    waiting = (entry[1] for entry in connection.run_on_commit)
    if not any(isinstance(n, _Nudge) and n.task == task and n.savepoints <= open_now for n in waiting):
        transaction.on_commit(_Nudge(task, open_now), robust=True)


def deliver(task: str, *args: object) -> bool:
    """Hand a message to the broker now. False, and a line in the log, when it is down."""
    try:
        current_app.send_task(task, args=args, retry=False, ignore_result=True)
    except (OperationalError, OSError) as error:  # redis-py's errors arrive as kombu's
        logger.warning("broker_down: %s not delivered (%s)", task, error)
        return False
    return True
