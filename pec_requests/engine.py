"""The worker: keeps its share of the provider's slots full of claimed operations until there is nothing left to claim.

One thread owns the database: it claims, and settles what the calls bring back. The calls run in threads of their own
(``calling.Calls``), which go on with what was claimed ahead while answers are being settled.
"""

from __future__ import annotations

import os
import socket
import threading
import time

from django.conf import settings
from django_scopes import scopes_disabled

from members.wake import bundled, wake
from pec_requests import health, operations
from pec_requests.calling import NOT_BEGUN, Calls
from pec_requests.provider import Provider
from pec_requests.settling import settle_all
from pec_requests.shares import Share


def worker_name() -> str:
    """Who we are, for ``claimed_by`` and the share."""
    return f"{socket.gethostname()}:{os.getpid()}:{threading.get_native_id()}"


def run(the_provider: Provider | None = None) -> int:
    """Carry out what is waiting, of all Ordini, for one turn, and return how many operations were settled."""
    ends = time.monotonic() + settings.WORKER_TURN_SECONDS
    settled = 0
    # The worker serves every Ordine: the one place in the engine that steps out of the tenancy scope.
    with scopes_disabled(), bundled(), Share(worker_name()) as share, Calls(the_provider) as calls:
        while True:
            share.renew(calls.busy)
            in_turn = time.monotonic() < ends
            _keep_full(calls, share, in_turn)
            if not calls.in_hand and not in_turn:
                wake(operations.WORKER_TASK)
                return settled
            if not calls.in_hand and share.useful_slots:
                return settled
            settled += _settle(calls)


def _keep_full(calls: Calls, share: Share, in_turn: bool) -> None:
    """Claim what can start now, then three times as much ahead, so that no slot waits for the database."""
    calls.allow(share.useful_slots, share.rate, share.ends)
    for times in (1, 4):
        wanted = times * share.useful_slots - calls.in_hand
        if in_turn and wanted > 0:
            begin_by = time.monotonic() + settings.OPERATION_LEASE_SECONDS - settings.PROVIDER_OPERATION_SECONDS
            calls.start(operations.claim(wanted, worker_name()), begin_by)


def _settle(calls: Calls) -> int:
    """Settle the answers that have come; what was not begun goes back to the queue. Return how many were settled."""
    answers = calls.gather()
    begun = [(claim, answer) for claim, answer in answers if answer is not NOT_BEGUN]
    given_back = [claim for claim, answer in answers if answer is NOT_BEGUN]
    settle_all(begun)
    if any(isinstance(answer, Exception) for _claim, answer in begun) and health.trouble():
        given_back += calls.give_back()
    if given_back:
        operations.release(given_back)
    return len(begun)
