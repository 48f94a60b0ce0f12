"""Pages of a search: ``page``, ``size`` and ``sort=field,asc`` in the query."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from django.db.models import F, Model, OrderBy, QuerySet
from django.http import QueryDict

from aruba_sandbox.wire import invalid

DEFAULT_SIZE = 20
MAX_SIZE = 1000

M = TypeVar("M", bound=Model)


@dataclass(frozen=True)
class PageRequest:
    """Which page is wanted, and in which order."""

    number: int
    size: int
    sort: tuple[tuple[str, bool], ...]

    @classmethod
    def parse(cls, query: QueryDict) -> "PageRequest":
        """From the query; ``sort`` may repeat, also as ``sort[]`` or ``sort[0]``."""
        number = _number(query, "page", default=0, least=0)
        size = min(_number(query, "size", default=DEFAULT_SIZE, least=1), MAX_SIZE)
        wanted = [value for key in query if key.partition("[")[0] == "sort" for value in query.getlist(key) if value]
        return cls(number, size, tuple(map(_direction, wanted)))


def page(
    rows: QuerySet[M], wanted: PageRequest, sortable: Mapping[str, str], show: Callable[[M], dict[str, Any]]
) -> dict[str, object]:
    """One page of ``rows``; ``sortable`` maps the API's field names to the model's."""
    ordered = rows.order_by(*(_order(name, descending, sortable) for name, descending in wanted.sort), "id")
    total = rows.count()
    start = wanted.number * wanted.size
    content = [show(row) for row in ordered[start : start + wanted.size]] if start < total else []
    pages = -(-total // wanted.size)
    return {
        "content": content,
        "number": wanted.number,
        "size": wanted.size,
        "totalElements": total,
        "totalPages": pages,
        "first": wanted.number == 0,
        "last": wanted.number >= pages - 1,
        "numberOfElements": len(content),
        "empty": not content,
    }


def _number(query: QueryDict, name: str, *, default: int, least: int) -> int:
    text = query.get(name) or str(default)
    if not (text.isascii() and text.isdigit() and len(text) < 10) or int(text) < least:
        raise invalid(f"{name}: deve essere un numero intero non inferiore a {least}.")
    return int(text)


def _direction(text: str) -> tuple[str, bool]:
    name, _, direction = text.partition(",")
    if direction.lower() not in ("", "asc", "desc"):
        raise invalid(f"sort: «{direction}» non è una direzione (asc, desc).")
    return name, direction.lower() == "desc"


def _order(name: str, descending: bool, sortable: Mapping[str, str]) -> OrderBy:
    if name not in sortable:
        raise invalid(f"sort: non si può ordinare per «{name}».")
    field = F(sortable[name])
    return field.desc(nulls_last=True) if descending else field.asc(nulls_last=True)
