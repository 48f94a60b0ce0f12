"""What the cache gives back is data, whoever put it there."""

from __future__ import annotations

import pickle
from typing import Any

from django.core.cache import cache


class Trap:
    """Whoever unpickles it, runs it."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (exec, ("raise SystemExit",))


def test_nothing_that_is_read_is_run() -> None:
    client = cache._cache.get_client()  # type: ignore[attr-defined]  # Django's own way in
    client.set(cache.make_key("trap"), pickle.dumps(Trap()), ex=60)
    assert cache.get("trap", "default") == "default"


def test_what_was_kept_comes_back_and_numbers_count() -> None:
    for value in (7, 0, -1, True, None, 1.5, "parole «è»", [1.5, 2.5], {"a": ["b"]}):
        cache.set("kept", value, 60)
        assert cache.get("kept") == value
    cache.set("kept", 41, 60)
    assert cache.incr("kept") == 42 and cache.get("kept") == 42
