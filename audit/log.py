"""Writing the log: ``record`` for one act, ``record_many`` for a set."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import models

from audit.actors import Actor
from audit.models import LogEntry


def entry(
    action: str,
    actor: Actor,
    obj: models.Model | None = None,
    *,
    person: int | None = None,
    ordine: str = "",
    **detail: Any,
) -> LogEntry:
    """An unsaved entry, for ``record_many``. ``detail`` never holds secrets or a whole codice fiscale."""
    return LogEntry(
        action=action,
        actor_id=actor.user_id,
        actor_name=actor.name,
        ip=actor.ip,
        object_type=obj._meta.label_lower if obj is not None else "",
        object_id=obj.pk if obj is not None else None,
        person=person,
        ordine=ordine,
        detail=detail,
    )


def record_many(entries: Iterable[LogEntry]) -> None:
    """Insert entries in one statement per thousand, in the caller's transaction."""
    LogEntry.objects.bulk_create(entries, batch_size=1000)


def record(
    action: str,
    actor: Actor,
    obj: models.Model | None = None,
    *,
    person: int | None = None,
    ordine: str = "",
    **detail: Any,
) -> None:
    """Write one entry in the caller's transaction."""
    record_many([entry(action, actor, obj, person=person, ordine=ordine, **detail)])
