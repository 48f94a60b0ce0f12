"""The worker: keeps its slots full of claimed operations until there is nothing left to claim."""

from __future__ import annotations

import os
import socket
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from django.conf import settings
from django_scopes import scopes_disabled

from members.wake import wake
from pec_requests import operations
from pec_requests.operations import Claim
from pec_requests.performing import Outcome, perform
from pec_requests.provider import Provider, provider
from pec_requests.settling import settle


def worker_name() -> str:
    """Who we are, for ``claimed_by``."""
    return f"{socket.gethostname()}:{os.getpid()}"


def run(the_provider: Provider | None = None) -> int:
    """Carry out what is waiting, of all Ordini, for one turn, and return how many operations were settled.

    Calls run in threads and outside any transaction; the database is used from this thread only.
    """
    ends = time.monotonic() + settings.WORKER_TURN_SECONDS
    settled = 0
    running: dict[Future[Outcome], Claim] = {}
    # The worker serves every Ordine: the one place in the engine that steps out of the tenancy scope.
    with scopes_disabled(), ThreadPoolExecutor(settings.PROVIDER_CONCURRENCY) as slots:
        while True:
            in_turn = time.monotonic() < ends
            free = settings.PROVIDER_CONCURRENCY - len(running) if in_turn else 0
            for claim in operations.claim(free, worker_name()):
                running[slots.submit(_call, claim, the_provider)] = claim
            if not running:
                if not in_turn:
                    wake(operations.WORKER_TASK)
                return settled
            finished, _waiting = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                settle(running.pop(future), _answer(future))
                settled += 1


def _call(claim: Claim, given: Provider | None) -> Outcome:
    """In a thread. A provider that cannot even be built (``Misconfigured``) is an answer like others."""
    return perform(claim, given or provider())


def _answer(future: Future[Outcome]) -> Outcome | Exception:
    error = future.exception()
    if error is not None and not isinstance(error, Exception):
        raise error  # KeyboardInterrupt and its like end the worker; the lease takes care of its claims
    return error or future.result()
