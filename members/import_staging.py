"""The lines of a file on their way into the database: judged one by one and copied into a table of this transaction."""

from __future__ import annotations

from collections.abc import Iterator
from operator import itemgetter

from django.db import connection

from members.import_lines import Said

# One row a line, in the order in which they are copied. NULL is what a line does not say.
_COLUMNS = {
    "line": "integer",
    "code": "text",
    "tax_code": 'text COLLATE "C"',
    "albo_id": "bigint",
    "closed_albo": "boolean",
    "surname": "text",
    "name": "text",
    "sex": "text",
    "birth_date": "date",
    "birth_place": "text",
    "birth_province": "text",
    "file_number": "text",
    "personal_email": "text",
    "mobile": "text",
    "own_pec": "text",
    "address": "text",
    "postcode": "text",
    "town": "text",
    "province": "text",
    "number": "text",
    "enrolled_on": "date",
    "status": "text",
    "cancelled_on": "date",
    "says_cancelled": "boolean",
    "search_key": "text",
    "name_agrees": "boolean",
    "code_born": "text",
    "code_sex": "text",
    "email_problem": "text",
    "email_key": "text",
    "pec_key": "text",
}
_SAID = [name for name in _COLUMNS if name not in ("line", "code")]
_VALUES = itemgetter(*_SAID)
_NOTHING = "\t" * len(_SAID) + "\n"
# Lines that are sent together.
_BATCH = 500


def stage(lines: Iterator[tuple[int, str, Said]]) -> int:
    """Fill ``import_line``, while the lines are being read, and return how many there were.

    The table and those made from it live as long as the transaction; in memory there are a few hundred lines.
    """
    columns = ", ".join(f"{name} {kind}" for name, kind in _COLUMNS.items())
    count = 0
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS import_line")
        cursor.execute(f"CREATE TEMPORARY TABLE import_line ({columns}) ON COMMIT DROP")
        with cursor.copy("COPY import_line FROM STDIN (NULL '')") as copy:
            batch: list[str] = []
            for line in lines:
                batch.append(_row(*line))
                if len(batch) == _BATCH:
                    copy.write("".join(batch))
                    count += len(batch)
                    batch.clear()
            copy.write("".join(batch))
            count += len(batch)
        # Of the columns that lines are joined and grouped by: looking at all of them takes half a second.
        cursor.execute("ANALYZE import_line (line, code, tax_code, albo_id)")
    return count


def _row(number: int, code: str, said: Said) -> str:
    """A line in the text format of COPY. Values have been cleaned of controls, so that of what it escapes only the
    backslash is left.
    """
    if code:
        return f"{number}\t{code}{_NOTHING}"
    row = "\t".join(_VALUES(said))
    if "\\" in row:
        row = row.replace("\\", "\\\\")
    return f"{number}\t\t{row}\n"
