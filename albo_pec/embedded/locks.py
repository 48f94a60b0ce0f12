"""Locks between processes: flock on a file, which the kernel releases however its holder ends, kill -9 included."""

import fcntl
import os
import time
import weakref
from pathlib import Path

from albo_pec.embedded.files import ServersError, open_private

POLL_SECONDS = 0.02
_held: "weakref.WeakSet[FileLock]" = weakref.WeakSet()


class FileLock:
    """One holder's hold on a lock file.

    The descriptor is close-on-exec, so no program started from here keeps the lock. A plain fork shares the lock with
    its parent, and would drop it for both or keep it for both: the child forgets it at once (see below), and the
    parent's hold counts for it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    @property
    def held(self) -> bool:
        return self._descriptor is not None

    def acquire(self, *, shared: bool = False, seconds: float = 0.0) -> bool:
        """Take the lock, waiting at most so long; on a lock already held this changes its kind."""
        deadline = time.monotonic() + seconds
        while not (self._attempt(shared) and self._still_there()):
            if time.monotonic() >= deadline:
                return False
            time.sleep(POLL_SECONDS)
        return True

    def _attempt(self, shared: bool) -> bool:
        if self._descriptor is None:
            self._descriptor = open_private(self.path, os.O_RDWR)
            _held.add(self)
        try:
            fcntl.flock(self._descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            self.release()
            return False
        except BaseException:
            self.release()
            raise
        return True

    def _still_there(self) -> bool:
        """False, and nothing held, if VAR was deleted between opening and locking: the lock would protect nothing."""
        if self._descriptor is None:
            return False
        mine = os.fstat(self._descriptor)
        try:
            there = os.stat(self.path)
        except FileNotFoundError:
            there = None
        if there is None or (there.st_dev, there.st_ino) != (mine.st_dev, mine.st_ino):
            self.release()
            return False
        return True

    def upgrade(self) -> bool:
        """From a shared hold to the only one, without waiting. True says: nobody else is left.

        The kernel drops the shared hold before it looks at the others, so of several leaving together the last to ask
        finds nobody; one who is refused holds nothing any more.
        """
        return self._descriptor is not None and self._attempt(shared=False)

    def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
            _held.discard(self)


def _forget_in_child() -> None:
    for lock in list(_held):
        lock.release()


os.register_at_fork(after_in_child=_forget_in_child)


def acquire_or_fail(lock: FileLock, *, shared: bool, seconds: float) -> None:
    if not lock.acquire(shared=shared, seconds=seconds):
        raise ServersError(
            f"Un altro comando sta avviando o fermando i server da più di {seconds:.0f} secondi: "
            f"riprovare, o chiudere il processo che tiene il file {lock.path}."
        )
