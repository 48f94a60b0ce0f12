"""Waking workers up. A message is only a nudge: the work is in PostgreSQL, and a sweep finds what was missed."""

from __future__ import annotations

import logging

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
        deliver(self.task)


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
