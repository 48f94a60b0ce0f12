"""The worker: keeps its slots full of claimed operations until there is nothing left to claim."""

from __future__ import annotations

import os
import socket
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from django.conf import settings
from django_scopes import scopes_disabled

from pec_requests import operations
from pec_requests.operations import Claim
from pec_requests.performing import Outcome, perform
from pec_requests.provider import Provider, provider
from pec_requests.settling import settle


def worker_name() -> str:
    """Who we are, for ``claimed_by``."""
    return f"{socket.gethostname()}:{os.getpid()}"


def run(the_provider: Provider | None = None) -> int:
    """Carry out what is waiting, of all Ordini, and return how many operations were settled.

    Calls run in threads and outside any transaction; the database is used from this thread only.
    """
    settled = 0
    running: dict[Future[Outcome], Claim] = {}
    # The worker serves every Ordine: the one place in the engine that steps out of the tenancy scope.
    with scopes_disabled(), ThreadPoolExecutor(settings.PROVIDER_CONCURRENCY) as slots:
        while True:
            for claim in operations.claim(settings.PROVIDER_CONCURRENCY - len(running), worker_name()):
                running[slots.submit(_call, claim, the_provider)] = claim
            if not running:
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
