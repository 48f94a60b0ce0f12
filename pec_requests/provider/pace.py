"""How fast this process may call: a number of calls a second, spread evenly over its threads."""

from __future__ import annotations

import threading
import time


class Pace:
    """Calls pass one after the other, ``1 / rate`` seconds apart; without a limit nobody waits."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seconds = 0.0
        self._next = 0.0

    def limit(self, rate: float) -> None:
        """At most ``rate`` calls a second from now on; 0 is no limit."""
        self._seconds = 1 / rate if rate else 0.0

    def wait(self) -> None:
        """Wait for this call's turn."""
        if not self._seconds:
            return
        with self._lock:
            now = time.monotonic()
            turn = max(self._next, now)
            self._next = turn + self._seconds
        time.sleep(turn - now)


pace = Pace()
