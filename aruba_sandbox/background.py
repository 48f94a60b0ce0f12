"""Work done after the answer: one thread, first in, first out."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from django.db import connection

logger = logging.getLogger(__name__)

_worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="background")
_idle = threading.Condition()
_pending = 0


def later(work: Callable[[], object]) -> None:
    """Do ``work`` soon, in its turn; a failure is logged and stops nothing else."""
    global _pending
    with _idle:
        _pending += 1
    _worker.submit(_guarded, work)


def wait_until_idle(timeout: float = 10) -> None:
    """Return when everything asked for is done, also what that asked for in its turn; or when time is up."""
    with _idle:
        _idle.wait_for(lambda: _pending == 0, timeout)


def _guarded(work: Callable[[], object]) -> None:
    global _pending
    try:
        work()
    except Exception:
        logger.exception("Background work failed")
    finally:
        connection.close()
        with _idle:
            _pending -= 1
            _idle.notify_all()
