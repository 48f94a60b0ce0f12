"""Members as the lines of a file that ``importing`` reads back: one for each enrolment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from members.import_columns import HEADERS
from members.models import Enrolment, Member
from members.table_files import Cell

COLUMNS = [headers[0] for headers in HEADERS.values()]
_OF_ENROLMENT = {"number", "enrolled_on", "status", "cancelled_on"}


def lines(members: Iterable[Member]) -> Iterator[tuple[Member, list[Cell]]]:
    """The lines of each member, whose enrolments and albi have been fetched; one without enrolments has one all the
    same.
    """
    for member in members:
        enrolments: list[Enrolment | None] = [*member.enrolments.all()]
        for enrolment in enrolments or [None]:
            yield member, [_cell(field, member, enrolment) for field in HEADERS]


def _cell(field: str, member: Member, enrolment: Enrolment | None) -> Cell:
    if field == "albo":
        return enrolment.albo.name if enrolment else None
    value: Cell = getattr(enrolment if field in _OF_ENROLMENT else member, field, None)
    return value
