"""Writing the log: ``record`` for one act, ``record_many`` for a set, ``record_rows`` for what a query finds."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import islice
from typing import Any

from django.db import connection, models

from audit import words
from audit.actors import Actor
from audit.models import LogEntry

_COLUMNS = {
    "action": "text",
    "actor_id": "bigint",
    "actor_name": "text",
    "ip": "inet",
    "object_type": "text",
    "object_id": "bigint",
    "person": "bigint",
    "ordine": "text",
    "detail": "jsonb",
}
# The other columns have defaults in the database.
_INSERT = f"""
INSERT INTO {LogEntry._meta.db_table} ({", ".join(_COLUMNS)})
SELECT * FROM jsonb_to_recordset(%s) AS row({", ".join(f"{name} {kind}" for name, kind in _COLUMNS.items())})
"""  # noqa: S608  (names of our own)
_INSERT_ROWS = f"""
INSERT INTO {LogEntry._meta.db_table} (action, actor_id, actor_name, ip, object_type, ordine, object_id, person, detail)
SELECT %(log_action)s, %(log_actor)s::bigint, %(log_name)s, %(log_ip)s::inet, %(log_type)s, %(log_ordine)s,
    object_id, person, detail
FROM ({{query}}) AS acts
"""  # noqa: S608  (names of our own)

_ABOUT = f"""
SELECT at, action, detail::text FROM {LogEntry._meta.db_table} WHERE object_type = %s AND object_id = %s
ORDER BY id DESC LIMIT %s
"""  # noqa: S608  (names of our own)


Entry = dict[str, Any]


def entry(
    action: str,
    actor: Actor,
    obj: models.Model | None = None,
    *,
    person: int | None = None,
    ordine: str = "",
    **detail: Any,
) -> Entry:
    """A row of the log, for ``record_many``. ``detail`` never holds secrets or a whole codice fiscale."""
    return {
        "action": action,
        "actor_id": actor.user_id,
        "actor_name": actor.name[:150],
        "ip": actor.ip,
        "object_type": obj._meta.label_lower if obj is not None else "",
        "object_id": obj.pk if obj is not None else None,
        "person": person,
        "ordine": ordine,
        "detail": detail,
    }


def record_many(entries: Iterable[Entry]) -> None:
    """Insert entries, a statement for each ten thousand, in the caller's transaction. They get no primary key here.

    By hand: in bulk this is a worker's commonest write, and bulk_create works ten times as long on each row.
    """
    rows = iter(entries)
    while some := list(islice(rows, 10_000)):
        with connection.cursor() as cursor:
            cursor.execute(_INSERT, [_json(some)])


def _json(entries: list[Entry]) -> str:
    """What PostgreSQL takes: an act is not lost because of a character in somebody's words that it cannot keep."""
    text = json.dumps(entries)
    if "\\u0000" in text or "\\ud" in text:
        text = json.dumps(_printable(entries))
    return text


def _printable(value: Any) -> Any:
    """Without NUL, and without halves of characters."""
    if isinstance(value, str):
        return value.replace("\0", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_printable(key): _printable(inner) for key, inner in value.items()}
    return [_printable(inner) for inner in value] if isinstance(value, list | tuple) else value


def record_rows(
    action: str,
    actor: Actor,
    model: type[models.Model],
    query: str,
    params: Mapping[str, Any] | None = None,
    *,
    ordine: str = "",
) -> None:
    """Write one entry for each row of a query, whose columns are ``object_id``, ``person`` and ``detail``, in the
    caller's transaction. For a set that is too large to come by here.
    """
    values = {
        "log_action": action,
        "log_actor": actor.user_id,
        "log_name": actor.name,
        "log_ip": actor.ip,
        "log_type": model._meta.label_lower,
        "log_ordine": ordine,
    }
    with connection.cursor() as cursor:
        cursor.execute(_INSERT_ROWS.format(query=query), {**(params or {}), **values})


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


def sentences_about(obj: models.Model, limit: int) -> list[tuple[datetime, str]]:
    """What happened to an object and when, newest first, in words. By hand, too: members look at it all day long."""
    with connection.cursor() as cursor:
        cursor.execute(_ABOUT, [obj._meta.label_lower, obj.pk, limit])
        return [(at, words.sentence(action, json.loads(detail))) for at, action, detail in cursor.fetchall()]
