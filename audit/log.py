"""Writing the log: ``record`` for one act, ``record_many`` for a set; and the words of each action."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import models
from django.utils.functional import Promise

from audit.actors import Actor
from audit.models import LogEntry

_SENTENCES: dict[str, str | Promise] = {}


def register(sentences: dict[str, str | Promise]) -> None:
    """Each app says, when it is ready, how its actions read: ``{"pec.accepted": _("Casella {address} accettata")}``."""
    _SENTENCES.update(sentences)


def sentence(action: str, detail: dict[str, Any]) -> str:
    """The words of an action with its details filled in; the bare action where nobody registered words."""
    return str(_SENTENCES.get(action, action)).format_map(_Blank(detail))


class _Blank(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "…"


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
