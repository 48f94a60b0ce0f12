"""Workers that start in no time: a process with Django ready forks one for each line it reads, as Celery's pool does.

A line holds the seconds by which the new worker's clock is wrong; its process number is written back. The worker runs
the real engine, again and again, and is meant to be killed. It ends by itself when the stable does.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from datetime import timedelta
from typing import NoReturn

import django
import time_machine
from django.conf import settings

# How often a worker with nothing to do looks for what is due: the part of the sweep.
_SWEEP_SECONDS = 0.2


def main() -> None:
    """Fork workers until there is nobody left to ask for them."""
    django.setup()
    from pec_requests import engine, shares  # noqa: F401  (the engine is ready before the first fork)

    # For so long a killed worker keeps its part of what may be called at once: no longer than it keeps its operations.
    shares._SHARE = timedelta(seconds=settings.OPERATION_LEASE_SECONDS)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # ended workers leave no zombie
    stable = os.getpid()
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            _work(stable, float(line))
        print(pid, flush=True)  # noqa: T201


def _work(stable: int, wrong_by: float) -> NoReturn:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    status = 1
    try:
        if wrong_by:
            time_machine.travel(time.time() + wrong_by, tick=True).start()
        while os.getppid() == stable:
            _turn()
            time.sleep(_SWEEP_SECONDS)
        status = 0
    except Exception:
        traceback.print_exc()
    finally:
        os._exit(status)


def _turn() -> None:
    from django.db import Error, close_old_connections

    from pec_requests import engine

    try:
        engine.run()
    except Error as error:
        print(f"worker {os.getpid()}: {error}", file=sys.stderr, flush=True)  # noqa: T201
    close_old_connections()


if __name__ == "__main__":
    main()
