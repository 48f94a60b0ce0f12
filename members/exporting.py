"""Members as the lines of a file that ``importing`` reads back: one for each enrolment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from members.import_columns import HEADERS
from members.models import Member
from members.table_files import Cell

COLUMNS = [headers[0] for headers in HEADERS.values()]
_OF_ENROLMENT = {
    "albo": "enrolments__albo__name",
    "number": "enrolments__number",
    "enrolled_on": "enrolments__enrolled_on",
    "status": "enrolments__status",
    "cancelled_on": "enrolments__cancelled_on",
}


def lines(members: Sequence[int]) -> Iterator[tuple[int, list[Cell]]]:
    """The lines of these members of the scope (primary keys), each with whose it is, in this order.

    Whoever has no enrolment has a line all the same. Without objects: a list may have a million rows.
    """
    place = {pk: number for number, pk in enumerate(members)}
    fields = (_OF_ENROLMENT.get(field, field) for field in HEADERS)
    rows = Member.objects.filter(pk__in=members).order_by("pk", "enrolments__pk").values_list("pk", *fields)
    for pk, *cells in sorted(rows, key=lambda row: place[row[0]]):
        yield pk, cells
