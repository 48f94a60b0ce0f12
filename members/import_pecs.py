"""Importing the file that an Ordine sends to INI-PEC: the PECs that members already have of their own.

One line is one PEC, its fields in the order that INI-PEC prescribes, with a line of headers or without. A line with
state 1 or 2 gives the member this PEC, one with state 3 takes it away. Of one person the first line that gives counts;
beside it those that take away bring nothing, since they are about the PEC that it replaces.
"""

from __future__ import annotations

from collections.abc import Iterator

from django.db import connection
from django.utils.translation import gettext as _

from audit import log
from audit.actors import Actor
from members import convention, emails, tax_codes
from members.import_columns import key
from members.import_lines import clean
from members.import_result import ImportResult
from members.import_rules import Outcome, Rejection, Warn
from members.importing import NOBODY, Follower, Work, import_table
from members.models import Member, Ordine
from members.spreadsheets import Cell, Table

HEADERS = (
    "PEC",
    "Nome",
    "Cognome",
    "Numero iscrizione",
    "Codice fiscale",
    "Stato",
    "Data iscrizione",
    "Data cancellazione",
)
_NEEDED = 6  # the dates may be left out, separators and all
_PEC, _TAX_CODE, _STATE = 0, 4, 5
# What of a line tells people whose it is.
COLUMNS = {"surname": 2, "name": 1, "tax_code": _TAX_CODE, "number": 3}
_STATES, _REMOVED = {"1", "2", "3"}, "3"
# Its number, why it is refused, codice fiscale, PEC, whether it takes away, and whether the PEC is the convention's.
_Line = tuple[int, str, str, str, bool, bool]
_MEMBER = Member._meta.db_table

_TABLE = """
DROP TABLE IF EXISTS import_pec_line;
CREATE TEMPORARY TABLE import_pec_line (
    line integer, code text, tax_code text COLLATE "C", pec text, removes boolean, of_convention boolean
) ON COMMIT DROP
"""
# ``own_pec`` is the PEC on record, ``becomes`` what the line makes of it: NULL where it stays.
_COMPARE = f"""
DROP TABLE IF EXISTS import_pec;
CREATE TEMPORARY TABLE import_pec ON COMMIT DROP AS
WITH met AS (
    SELECT l.*, m.id AS member_id, m.surname, m.name, m.own_pec,
        CASE WHEN l.code <> '' THEN l.code
            WHEN m.id IS NULL THEN '{Rejection.PERSON_UNKNOWN}'
            WHEN m.ordine_id <> %(ordine)s THEN '{Rejection.OTHER_ORDINE}' ELSE '' END AS verdict
    FROM import_pec_line l LEFT JOIN {_MEMBER} m ON m.tax_code = l.tax_code COLLATE "default"
), ranked AS (
    SELECT met.*,
        min(line) FILTER (WHERE NOT removes AND NOT of_convention) OVER person AS giver,
        min(line) FILTER (WHERE removes AND (pec = '' OR lower(pec) = lower(own_pec))) OVER person AS taker
    FROM met WINDOW person AS (PARTITION BY verdict, member_id)
), judged AS (
    SELECT r.*,
        CASE WHEN r.verdict = '' AND NOT r.removes AND NOT r.of_convention AND lower(r.pec) <> lower(g.pec)
            THEN '{Rejection.DUPLICATE_CONFLICT}' ELSE r.verdict END AS ends,
        CASE WHEN r.verdict <> '' OR r.of_convention THEN NULL
            WHEN r.line = giver AND lower(r.own_pec) <> lower(r.pec) THEN r.pec
            WHEN giver IS NULL AND r.line = taker AND r.own_pec <> '' THEN '' END AS becomes
    FROM ranked r LEFT JOIN import_pec_line g ON g.line = r.giver
)
SELECT line, ends AS code, tax_code, member_id, surname, name, own_pec, becomes,
    CASE WHEN ends <> '' THEN '{Outcome.REJECTED}' WHEN becomes IS NULL THEN '{Outcome.UNCHANGED}'
        ELSE '{Outcome.UPDATED}' END AS outcome,
    CASE WHEN ends <> '' THEN ''
        WHEN of_convention THEN '{Warn.PEC_OF_CONVENTION}'
        WHEN removes AND giver IS NULL AND '' NOT IN (pec, own_pec) AND lower(pec) <> lower(own_pec)
            THEN '{Warn.PEC_KEPT}' ELSE '' END AS warnings
FROM judged
"""  # noqa: S608  (names of our own)
_OUTCOMES = "SELECT line, outcome, code, warnings FROM import_pec ORDER BY line"
_DETAILS = f"""
SELECT outcome, warnings <> '', jsonb_build_array(line, surname, name, tax_code, '', '', warnings,
    CASE WHEN becomes IS NULL THEN '{{}}' ELSE jsonb_build_object('own_pec', jsonb_build_array(own_pec, becomes)) END
)::text
FROM import_pec WHERE outcome <> '{Outcome.REJECTED}' ORDER BY line
"""  # noqa: S608  (names of our own)
_LOCK = f"""
SELECT count(*) FROM (
    SELECT FROM {_MEMBER} m JOIN import_pec p ON p.member_id = m.id WHERE p.becomes IS NOT NULL
    ORDER BY m.id FOR NO KEY UPDATE OF m
) AS locked
"""  # noqa: S608  (names of our own)
# Who was not locked, because the change was not seen yet, keeps what somebody else wrote meanwhile.
_WRITE = f"""
UPDATE {_MEMBER} m SET own_pec = p.becomes
FROM import_pec p WHERE p.member_id = m.id AND p.becomes IS NOT NULL AND m.own_pec = p.own_pec
"""  # noqa: S608  (names of our own)
_LOG = f"""
SELECT m.id AS object_id, m.id AS person, jsonb_build_object('fields', %(field)s::text) AS detail
FROM import_pec p JOIN {_MEMBER} m ON m.id = p.member_id AND m.own_pec = p.becomes
"""  # noqa: S608  (names of our own)


def recognise(table: Table) -> tuple[bool, Table]:
    """Whether this is a file for INI-PEC, by its first two rows or its headers; and the table to read it from."""
    if _is_line(table.head[1]):
        return True, table.without_header(list(HEADERS))
    first, table = table.peek()
    return _is_header(table.headers) or _is_line(first), table


def _is_line(cells: list[Cell]) -> bool:
    texts = [clean(cell) for cell in cells[: len(HEADERS)]]
    if len(texts) < _NEEDED or texts[_STATE] not in _STATES:
        return False
    return tax_codes.is_valid(tax_codes.normalise(texts[_TAX_CODE])) and ("@" in texts[_PEC] or not texts[_PEC])


def _is_header(headers: list[str]) -> bool:
    return [key(header) for header in headers[:_NEEDED]] == [key(header) for header in HEADERS[:_NEEDED]]


def import_pecs(
    table: Table, *, ordine: Ordine, actor: Actor, dry_run: bool = False, follower: Follower = NOBODY
) -> ImportResult:
    """Give the members of an Ordine the PECs of a table that was recognised. As ``import_register`` otherwise."""
    work = Work(
        action="pecs.imported",
        lines=_read(table, convention.domains()),
        stage=_stage,
        compare=_compare,
        carry_out=_carry_out,
        outcomes=_OUTCOMES,
        details=_DETAILS,
    )
    return import_table(table, work, ordine=ordine, actor=actor, dry_run=dry_run, follower=follower)


def _read(table: Table, convention_domains: frozenset[str]) -> Iterator[_Line]:
    for number, cells in table.rows:
        texts = [clean(cell) for cell in cells[:_NEEDED]]
        texts += [""] * (_NEEDED - len(texts))
        pec, code, state = texts[_PEC], tax_codes.normalise(texts[_TAX_CODE]), texts[_STATE]
        of_convention = pec.rpartition("@")[2].lower() in convention_domains
        refusal = _refusal(pec, code, state)
        # Of a line that is refused nothing is kept: who knows what it says.
        yield (
            (number, refusal, "", "", False, False)
            if refusal
            else ((number, "", code, pec, state == _REMOVED, of_convention))
        )


def _refusal(pec: str, code: str, state: str) -> str:
    if not code:
        return Rejection.CF_MISSING.value
    if not tax_codes.is_valid(code):
        return Rejection.CF_INVALID.value
    if state not in _STATES:
        return Rejection.PEC_STATE_UNKNOWN.value
    if state == _REMOVED and not pec:
        return ""
    return "" if emails.is_valid(pec) else Rejection.PEC_INVALID.value


def _stage(lines: Iterator[_Line]) -> int:
    count = 0
    with connection.cursor() as cursor:
        cursor.execute(_TABLE)
        with cursor.copy("COPY import_pec_line FROM STDIN") as copy:
            for line in lines:
                copy.write_row(line)
                count += 1
        cursor.execute("ANALYZE import_pec_line")
    return count


def _compare(ordine: Ordine) -> int:
    with connection.cursor() as cursor:
        cursor.execute(_COMPARE, {"ordine": ordine.pk})
        cursor.execute("SELECT count(DISTINCT member_id) FROM import_pec WHERE code = ''")
        return int(cursor.fetchone()[0])


def _carry_out(ordine: Ordine, actor: Actor, follower: Follower) -> int:
    """Compare, lock whom it changes, compare again, write what differs, with an entry of the log for each person."""
    people = _compare(ordine)
    with connection.cursor() as cursor:
        cursor.execute(_LOCK)
        if cursor.fetchone()[0]:
            people = _compare(ordine)
        follower.phase(_("Scrittura nell'albo"))
        cursor.execute(_WRITE)
    field = str(Member._meta.get_field("own_pec").verbose_name)
    log.record_rows("member.updated", actor, Member, _LOG, {"field": field}, ordine=ordine.code)
    return people
