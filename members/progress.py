"""How far long work in the background has come: told by the worker from within its transaction, read by any page.

Kept in the cache, because what the transaction itself writes nobody sees before its end. It is for people to look at;
nothing depends on it, and without it a page says only that the work is under way.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.core.cache import cache

_KEPT_SECONDS = 3600


@dataclass(frozen=True)
class Progress:
    """``done`` of ``total`` steps of a phase, which has a name for people; a ``total`` of 0: nobody knows."""

    phase: str
    done: int = 0
    total: int = 0

    @property
    def percent(self) -> int:
        """0–100."""
        return min(100, self.done * 100 // self.total) if self.total else 0


def tell(work: str, progress: Progress) -> None:
    """Say how far ``work`` (a name of the teller's choice, such as ``import-7``) has come."""
    cache.set(f"progress:{work}", (progress.phase, progress.done, progress.total), _KEPT_SECONDS)


def told(work: str) -> Progress | None:
    """What was said last, if anything."""
    values = cache.get(f"progress:{work}")
    return Progress(*values) if values else None
