"""The one form in which an entry, or a seal, is hashed and exported: JSON, always the same for the same content.

It must never change: the seals of before were made over it. A column that the log gets later is not in it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

FIELDS = (
    *("id", "at", "actor_id", "actor_name", "ip", "action", "object_type", "object_id", "person", "ordine", "detail"),
    "transaction",
)
Parts = dict[str, dict[str, Any]]


def line(values: Mapping[str, Any]) -> str:
    """JSON with sorted names, no blanks, and moments in UTC."""
    return json.dumps(values, default=_moment, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def entry(values: Iterable[Any]) -> str:
    """An entry whose values come in the order of ``FIELDS``."""
    return line(dict(zip(FIELDS, values, strict=True)))


def seal(since: int, until: int, sealed_at: datetime | str, parts: Parts, previous: str) -> str:
    """What the digest of a seal is over."""
    return line({"since": since, "until": until, "sealed_at": sealed_at, "parts": parts, "previous": previous})


def digest(text: str) -> str:
    """SHA-256, hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


class PartHash:
    """Entries of one Ordine in one batch, counted and hashed: their lines in the order of ``id``, each with its end."""

    def __init__(self) -> None:
        self.count = 0
        self._sha = hashlib.sha256()

    def add(self, text: str) -> None:
        self.count += 1
        self._sha.update(f"{text}\n".encode())

    def told(self) -> dict[str, Any]:
        """As it stands in ``Seal.parts``."""
        return {"count": self.count, "hash": self._sha.hexdigest()}


def _moment(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    return str(value)
