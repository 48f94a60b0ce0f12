"""Pages of a long list, read by key: a page costs the same wherever it is and however long the list.

A list is read from a ``Source``: rows in the order of one index that begins with the Ordine. Of each Ordine in the
scope as many rows are read as a page has, and the pages merged. What else is asked for is looked up row by row, in
subqueries that PostgreSQL does not turn into joins: no statistics can lead it to read a whole table. Where hardly a row
meets all that is asked for, a page ends after ``LOOKED_AT`` rows with what it has found, and the next one goes on.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from django.db import connection
from django.db.models import (
    BigIntegerField,
    BooleanField,
    ExpressionWrapper,
    F,
    Func,
    IntegerField,
    Model,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
)
from django.db.models.expressions import RawSQL
from django.db.models.fields import TextField
from django.db.models.lookups import GreaterThan, IsNull, LessThan
from django_scopes import scopes_disabled

# How many rows are looked at to say how many there are.
COUNTED = 1000
# How many, of all Ordini together, when each must be looked at whether it is wanted: for a page, and to count.
LOOKED_AT = 500
_MOST_KEYS = 2
_Row = TypeVar("_Row", bound=Model)


@dataclass(frozen=True)
class Source:
    """Rows in the order of one index: the Ordine, ``keys`` (texts, two at most), and ``pk``.

    ``pk`` is what the list's rows are found by: they have it in their column ``finds``.
    """

    rows: QuerySet[Any]
    keys: tuple[str, ...] = ()
    pk: str = "pk"
    finds: str = "pk"
    # Rows of a lower rank come first; sources of one rank are merged by their keys.
    rank: int = 0
    # What no index says of them: looked at row by row.
    only: Q | None = None


@dataclass(frozen=True)
class Condition:
    """What somebody asked for: as a ``Q`` on the rows of the list, and where to read what meets it from, in order."""

    q: Q
    sources: tuple[Source, ...] = ()


@dataclass(frozen=True)
class Position:
    """The place of a row: which source, the keys there, the primary key."""

    rank: int
    keys: tuple[str, str]
    pk: int

    def __str__(self) -> str:
        text = json.dumps([self.rank, *self.keys, self.pk], ensure_ascii=False)
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    @classmethod
    def parse(cls, text: str) -> Position | None:
        """What ``str`` made; None for anything else."""
        try:
            rank, one, two, pk = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        except (binascii.Error, ValueError, TypeError):
            return None
        sound = type(rank) is type(pk) is int and type(one) is type(two) is str and "\0" not in one + two
        return cls(rank, (one, two), pk) if sound and abs(pk) < 2**63 else None


@dataclass(frozen=True)
class Count:
    """How many rows, and whether there may be more."""

    number: int
    more: bool


@dataclass
class Page:
    """Positions in the order of the list, and the places from which what is before and after them is read, if any.

    ``unfinished``: rows enough for one page have been looked at, and on that side the next ones may be wanted here.
    """

    positions: list[Position] = field(default_factory=list)
    before: Position | None = None
    after: Position | None = None
    unfinished: Literal["", "before", "after"] = ""


class Listing:
    """What was asked for, of the rows of one model in some Ordini."""

    def __init__(
        self,
        model: type[Model],
        ordini: Sequence[int] | Sequence[str],
        everything: Source,
        conditions: Sequence[Condition],
        *,
        newest_first: bool = False,
        by_code: bool = False,
    ) -> None:
        """``by_code``: the rows know their Ordine by its code, in ``ordine``, and ``ordini`` are codes."""
        self._model, self._ordini, self._by_code = model, list(ordini), by_code
        self._conditions, self._newest_first = list(conditions), newest_first
        self.sources = self._choose() or (everything,)
        # What is found by a name or an address is in its order.
        self._newest_first &= not any(source.keys for source in self.sources)

    def page(self, size: int, *, after: Position | None = None, before: Position | None = None) -> Page:
        """The page that follows a row, or comes before one."""
        if before is not None:
            page = self._backwards(size, before)
            if page.before or len(page.positions) == size:
                page.after = page.positions[-1] if page.positions else page.before
                return page
            after = None
        found, stopped = self._read(size + 1, start=after)
        if after is not None and not found and not stopped:
            return self.last(size)
        rows = found[:size]
        first = rows[0] if rows else stopped
        following = stopped or (rows[-1] if len(found) > size else None)
        return Page(rows, first if after else None, following, "after" if stopped else "")

    def walk(self, size: int) -> Iterator[list[Position]]:
        """All of the list, so many positions at a time."""
        start = None
        while True:
            found, stopped = self._read(size + 1, start=start)
            yield found[:size]
            start = stopped or (found[size - 1] if len(found) > size else None)
            if start is None:
                return

    def last(self, size: int) -> Page:
        """The page that the list ends with."""
        return self._backwards(size)

    def _backwards(self, size: int, start: Position | None = None) -> Page:
        found, stopped = self._read(size + 1, start=start, backwards=True)
        rows = found[:size][::-1]
        return Page(rows, stopped or (rows[0] if len(found) > size else None), unfinished="before" if stopped else "")

    def finds(self, position: Position) -> str:
        """The column of the list's rows that the position names a value of."""
        return next(source.finds for source in self.sources if source.rank == position.rank)

    def knows(self, position: Position) -> bool:
        """Whether a row of this list may stand there."""
        return any(source.rank == position.rank for source in self.sources)

    def count(self) -> Count:
        """How many rows there are, as far as that costs the same for every list.

        Of the source no more than ``COUNTED`` rows are looked at; where only some of them may be meant, no more than
        ``LOOKED_AT``, and that is how many there are at least.
        """
        exact = all(source.finds == "pk" and source.only is None for source in self.sources)
        exact = exact and len(self._conditions) < 2
        most = COUNTED if exact else LOOKED_AT
        sql, params = self._merged(self.sources, most + 1, checked=False)
        rows = _fetch(sql, params)
        if exact:
            return Count(len(rows), len(rows) > most)
        found = Q(pk__in=[])
        for column in {source.finds for source in self.sources}:
            ranks = {source.rank for source in self.sources if source.finds == column}
            found |= Q(**{f"{column}__in": [pk for rank, _one, _two, pk, *_said in rows if rank in ranks]})
        met = rows_of(self._model).filter(found, *(c.q for c in self._conditions)).count()
        return Count(met, len(rows) > most)

    def _choose(self) -> tuple[Source, ...]:
        """The sources of the condition that fewest meet; it is the others that are looked up row by row."""
        choices = [condition.sources for condition in self._conditions if condition.sources]
        if len(choices) < 2:
            return choices[0] if choices else ()
        counts, params = [], []
        for sources in choices:
            sql, more = self._merged(sources, COUNTED + 1, checked=False)
            counts.append(f"(SELECT count(*) FROM ({sql}) AS counted)")  # noqa: S608  (Django made it)
            params += more
        found = _fetch(f"SELECT {', '.join(counts)}", params)[0]
        return choices[found.index(min(found))]

    def _read(
        self, number: int, *, start: Position | None = None, backwards: bool = False
    ) -> tuple[list[Position], Position | None]:
        """So many positions, and, where enough rows have been looked at before, the place of the last of these."""
        sources = [
            source
            for source in self.sources
            if start is None or source.rank == start.rank or (source.rank < start.rank) == backwards
        ]
        sql, params = self._merged(sources, number, start=start, backwards=backwards)
        found: list[Position] = []
        for rank, one, two, pk, wanted, is_last in _fetch(sql, params) if sql else []:
            position = Position(rank, (one, two), pk)
            if wanted:
                found.append(position)
            if len(found) == number:
                break
            if is_last:
                return found, position
        return found, None

    def _merged(
        self,
        sources: Sequence[Source],
        number: int,
        *,
        start: Position | None = None,
        backwards: bool = False,
        checked: bool = True,
    ) -> tuple[str, list[Any]]:
        """SQL for the first rows of all sources in all Ordini; what people typed is in the parameters.

        ``checked``: in order, and of each whether it meets the other conditions and is the last that was looked at.
        """
        parts: list[str] = []
        params: list[Any] = [self._ordini]
        for source in sources:
            place = start if start is not None and start.rank == source.rank else None
            checks = self._checks(source) if checked else []
            most = max(LOOKED_AT // max(len(self._ordini), 1), number) if checks else number
            sql, more = self._part(source, place, checks, backwards=backwards)[:most].query.sql_with_params()
            if checks:
                sql = (
                    f"SELECT rank, one, two, pk, wanted, nth = {most:d} FROM"  # noqa: S608  (Django made it)
                    f" (SELECT *, row_number() OVER () AS nth FROM ({sql}) AS looked(rank, one, two, pk, wanted))"
                    f" AS numbered WHERE wanted OR nth = {most:d} LIMIT {number + 1:d}"
                )
            else:
                sql = f"SELECT *, FALSE FROM ({sql}) AS looked"  # noqa: S608  (Django made it)
            parts.append(f"({sql})")
            params += more
        if not parts:
            return "", []
        down, pk_down = ("DESC" if backwards else "ASC"), ("DESC" if backwards != self._newest_first else "ASC")
        order = f'ORDER BY rank {down}, one COLLATE "C" {down}, two COLLATE "C" {down}, pk {pk_down}' if checked else ""
        tenants = "%s::text[]" if self._by_code else "%s::bigint[]"
        merged = (
            f"SELECT page.* FROM unnest({tenants}) AS scope(ordine) CROSS JOIN LATERAL "  # noqa: S608  (Django made it)
            f"({' UNION ALL '.join(parts)}) AS page(rank, one, two, pk, wanted, is_last) "
            f"{order} LIMIT {number + checked:d}"
        )
        return merged, params

    def _part(
        self, source: Source, place: Position | None, checks: list[IsNull | Q], *, backwards: bool
    ) -> QuerySet[Any, Any]:
        """One source in one Ordine, from a place on; last of each row, whether it passes."""
        keys = [F(key) for key in source.keys]
        descending = backwards != self._newest_first
        tenant: Any = TextField() if self._by_code else BigIntegerField()
        column = "ordine" if self._by_code else "ordine_id"
        rows = source.rows.filter(**{column: RawSQL("scope.ordine", (), output_field=tenant)})
        if place is not None:
            here = [Value(key) for key in place.keys[: len(keys)]]
            beyond = LessThan if descending else GreaterThan
            rows = rows.filter(beyond(_row(*keys, F(source.pk)), _row(*here, Value(place.pk))))
        order = [key.desc() if descending else key.asc() for key in (*keys, F(source.pk))]
        blanks = [Value("", output_field=TextField())] * (_MOST_KEYS - len(keys))
        rank_value = Value(source.rank, output_field=IntegerField())
        passes = ExpressionWrapper(Q(*checks), BooleanField()) if checks else Value(True)
        return rows.order_by(*order).values_list(rank_value, *keys, *blanks, F(source.pk), passes)

    def _checks(self, source: Source) -> list[IsNull | Q]:
        """Whether a row of the list that this row of the source stands for is there, and meets the other conditions."""
        others = [condition.q for condition in self._conditions if self.sources is not condition.sources]
        if source.finds != "pk" and not others:
            others = [Q()]
        rows = rows_of(self._model).filter(**{source.finds: OuterRef(source.pk)}).order_by().values("pk")
        found: list[IsNull | Q] = [IsNull(Subquery(rows.filter(other)[:1]), False) for other in others]
        return found if source.only is None else [source.only, *found]


def rows_of(model: type[_Row]) -> QuerySet[_Row]:
    """Rows of whatever Ordine, for what is read below those of one: a ``Source``, which a ``Listing`` reads in the
    Ordini of the scope and in no other, and what hangs on rows that the scope has found (to join the members for it
    once more would be for nothing).
    """
    with scopes_disabled():
        return model._default_manager.all()


def prefixed(column: str, beginning: str) -> Q:
    """A range of a column that is sorted by bytes and holds nothing beyond ASCII."""
    return Q(**{f"{column}__gte": beginning, f"{column}__lt": beginning + "\x7f"})


def _row(*values: Any) -> Func:
    return Func(*values, template="(%(expressions)s)", output_field=TextField())


def _fetch(sql: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return list(cursor.fetchall())
