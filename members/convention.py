"""Which domains are the convention's. The app that manages its mailboxes says it: this one stands below and asks."""

from __future__ import annotations

from collections.abc import Callable, Iterable

_sources: list[Callable[[], Iterable[str]]] = []


def register(domains: Callable[[], Iterable[str]]) -> None:
    """Said once, when an app is ready."""
    _sources.append(domains)


def domains() -> frozenset[str]:
    """In lower case. A mailbox in one of them belongs to a request, and is never somebody's own PEC."""
    return frozenset(name.lower() for source in _sources for name in source())
