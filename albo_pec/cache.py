"""The cache, which must never be the reason why somebody cannot sign in: without Redis it is empty."""

from __future__ import annotations

import json
import logging
from typing import Any

from django.core.cache.backends.redis import RedisCache
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)


class JsonSerializer:
    """Not Django's, which unpickles: whoever could write to Redis would run code in every process of the portal."""

    def dumps(self, value: Any) -> int | str:
        # A plain number stays one, for Redis to count with.
        return value if type(value) is int else json.dumps(value)

    def loads(self, data: bytes) -> Any:
        return json.loads(data)


class ForgivingRedisCache(RedisCache):
    """Django's, but a server that is away or hangs is a cache that knows nothing; rate limits then do not count."""

    def get(self, key: Any, default: Any = None, version: int | None = None) -> Any:
        try:
            return super().get(key, default, version)
        except (RedisError, ValueError) as error:  # away, or something that is not ours
            return self._forgive(error, default)

    def set(self, *args: Any, **kwargs: Any) -> None:
        try:
            super().set(*args, **kwargs)
        except RedisError as error:
            self._forgive(error, None)

    def add(self, *args: Any, **kwargs: Any) -> bool:
        try:
            return bool(super().add(*args, **kwargs))
        except RedisError as error:
            return bool(self._forgive(error, True))

    def incr(self, key: Any, delta: int = 1, version: int | None = None) -> int:
        try:
            return int(super().incr(key, delta, version))
        except RedisError as error:
            return int(self._forgive(error, delta))

    def delete(self, *args: Any, **kwargs: Any) -> bool:
        try:
            return bool(super().delete(*args, **kwargs))
        except RedisError as error:
            return bool(self._forgive(error, False))

    @staticmethod
    def _forgive(error: Exception, answer: Any) -> Any:
        logger.warning("cache_down: %s", error)
        return answer
