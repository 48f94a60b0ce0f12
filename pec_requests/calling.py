"""Threads that call the provider: as many at once as this worker may, each going on at once with what waits."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Final, Self

from pec_requests.operations import Claim
from pec_requests.performing import Outcome, perform
from pec_requests.provider import Provider, pace, provider

# Answers that come within so many seconds are gathered, to be settled together.
_GATHERING = 0.1
# A worker whose calls are all slow looks up from waiting this often, in seconds.
_LOOK_UP = 0.5
# The answer for a claim that waited so long that its lease would not cover the call.
NOT_BEGUN: Final = TimeoutError("not begun")

Answers = list[tuple[Claim, Outcome | Exception]]


class Calls:
    """A context manager; whoever leaves it waits for the calls under way, whose answers are lost if not gathered.

    ``in_hand``: claims started whose answers nobody has gathered yet. ``busy``: calls under way now.
    """

    def __init__(self, given: Provider | None = None) -> None:
        self._given = given
        self._changed = threading.Condition()
        self._waiting: deque[tuple[Claim, float]] = deque()
        self._answers: SimpleQueue[tuple[Claim, Outcome | Exception]] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._slots = 0
        self._until = 0.0
        self._over = False
        self.busy = 0
        self.in_hand = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._over = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def allow(self, slots: int, rate: float, until: float) -> None:
        """From now on at most ``slots`` calls at once and ``rate`` a second (0: no limit); none begins after ``until``.

        That is a moment of the monotonic clock: whoever should renew the permission may be waiting for the database.
        """
        pace.limit(rate)
        with self._changed:
            held_up = slots != self._slots or time.monotonic() >= self._until
            self._slots, self._until = slots, until
            if held_up:
                self._changed.notify_all()

    def start(self, claims: Iterable[Claim], begin_by: float) -> None:
        """Call for these as soon as there are slots, but not after ``begin_by`` (of the monotonic clock)."""
        with self._changed:
            before = len(self._waiting)
            self._waiting.extend((claim, begin_by) for claim in claims)
            added = len(self._waiting) - before
            self._changed.notify(added)
        self.in_hand += added
        for _missing in range(min(self._slots, self.in_hand) - len(self._threads)):
            self._threads.append(threading.Thread(target=self._work, name="provider-call"))
            self._threads[-1].start()

    def gather(self) -> Answers:
        """The answers there are, after waiting a while for the first and a moment for its neighbours."""
        try:
            answers = [self._answers.get(timeout=_LOOK_UP)]
        except Empty:
            return []
        if self.in_hand > 1:
            time.sleep(_GATHERING)
        while not self._answers.empty():
            answers.append(self._answers.get())
        self.in_hand -= len(answers)
        return answers

    def give_back(self) -> list[Claim]:
        """Claims for which no call has begun; none will."""
        with self._changed:
            claims = [claim for claim, _begin_by in self._waiting]
            self._waiting.clear()
        self.in_hand -= len(claims)
        return claims

    def _work(self) -> None:
        while (taken := self._take()) is not None:
            claim, begin_by = taken
            answer = self._answer(claim) if time.monotonic() < begin_by else NOT_BEGUN
            with self._changed:
                self.busy -= 1
                self._changed.notify()
            self._answers.put((claim, answer))

    def _take(self) -> tuple[Claim, float] | None:
        with self._changed:
            while not self._over and not (self._waiting and self._may_begin()):
                self._changed.wait()
            if self._over:
                return None
            self.busy += 1
            return self._waiting.popleft()

    def _may_begin(self) -> bool:
        return self.busy < self._slots and time.monotonic() < self._until

    def _answer(self, claim: Claim) -> Outcome | Exception:
        try:
            # A provider that cannot even be built (``Misconfigured``) is an answer like others.
            return perform(claim, self._given or provider())
        except Exception as error:
            return error
