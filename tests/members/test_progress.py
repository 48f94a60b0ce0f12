"""Progress is seen from elsewhere while the work goes on, and is nothing that anybody depends on."""

from __future__ import annotations

import pytest
from django.db import transaction
from redis.exceptions import RedisError

from members.progress import Progress, tell, told

pytestmark = pytest.mark.django_db


def test_the_last_word_counts() -> None:
    tell("import-1", Progress("Lettura del file", 1, 10))
    tell("import-1", Progress("Confronto"))
    assert told("import-1") == Progress("Confronto", 0, 0)
    assert told("import-2") is None


def test_it_is_told_although_the_transaction_never_commits() -> None:
    with transaction.atomic():
        tell("import-1", Progress("Lettura del file", 5, 10))
        transaction.set_rollback(True)
    assert told("import-1") == Progress("Lettura del file", 5, 10)


@pytest.mark.parametrize(("done", "total", "percent"), [(0, 0, 0), (1, 3, 33), (3, 3, 100), (4, 3, 100)])
def test_percent(done: int, total: int, percent: int) -> None:
    assert Progress("Lettura del file", done, total).percent == percent


def test_without_the_cache_nothing_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*args: object, **kwargs: object) -> None:
        raise RedisError

    monkeypatch.setattr("django.core.cache.backends.redis.RedisCacheClient.get_client", away)
    tell("import-1", Progress("Lettura del file"))
    assert told("import-1") is None
