"""What every page asks, in SQL of our own: composed by Django, these few queries cost a good part of a page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from itertools import islice
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connection
from django.db.models import Model


def columns(*models: type[Model]) -> str:
    """All columns of these models, one model after the other, for a SELECT."""
    return ", ".join(
        f'{model._meta.db_table}."{field.column}"' for model in models for field in model._meta.concrete_fields
    )


def rows_by_hand(sql: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
    """What the database answers. It knows no scope: who asks is on the reviewed list of what looks beyond one."""
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found


def objects(values: Iterable[Any], *models: type[Model]) -> list[Any]:
    """One object of each model from the values of its ``columns``; from a LEFT JOIN without a match, one of NULLs."""
    rest = iter(values)
    return [
        model.from_db(DEFAULT_DB_ALIAS, names, list(islice(rest, len(names))))
        for model, names in ((model, _attributes(model)) for model in models)
    ]


@cache
def _attributes(model: type[Model]) -> list[str]:
    return [field.attname for field in model._meta.concrete_fields]
