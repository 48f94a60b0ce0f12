"""What an import would do: the staged lines against what is on record, in SQL, without writing to the register.

A line is one enrolment; the lines with one codice fiscale are one person, whose data are, field by field, those of the
first line that has them. A line that brings none of a change to its person or enrolment is unchanged.

Two tables of the transaction hold the comparison. ``import_enrolment`` has every line that nothing is wrong with by
itself; ``import_person`` everybody of whom a line is accepted, with the values the record will have. In both,
``changes`` is field → [value on record, value of the file], and NULL where nothing changes.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.db import connection, models

from members.emails import EmailProblem
from members.import_rules import Outcome, Rejection, Warn
from members.models import Albo, Enrolment, Member, Ordine

PERSON_FIELDS = (
    "birth_date",
    "surname",
    "name",
    "birth_place",
    "file_number",
    "personal_email",
    "mobile",
    "own_pec",
    "address",
    "postcode",
    "town",
    "sex",
    "birth_province",
    "province",
)
# Computed by ``Member.derive``, here from what the lines bring along.
DERIVED = ("search_key", "tax_code_mismatch", "email_problem")
# What an enrolment ``e`` on record becomes by a line ``l``.
FINAL_ENROLMENT = {
    "number": "COALESCE(l.number, e.number)",
    "enrolled_on": "COALESCE(l.enrolled_on, e.enrolled_on)",
    "status": "COALESCE(l.status, e.status)",
    "cancelled_on": "CASE WHEN l.says_cancelled THEN l.cancelled_on ELSE e.cancelled_on END",
}
_MEMBER, _ENROLMENT = Member._meta.db_table, Enrolment._meta.db_table


def _type(field: str) -> str:
    return "date" if isinstance(Member._meta.get_field(field), models.DateField) else "text"


def _lines(values: Iterable[str]) -> str:
    return ",\n    ".join(values)


def _changes(pairs: dict[str, tuple[str, str]]) -> str:
    """SQL of the changes among fields with an old and a new value, NULL where there is none."""
    differ = " OR ".join(f"{old} IS DISTINCT FROM {new}" for old, new in pairs.values())
    each = ", ".join(
        f"'{field}', CASE WHEN {old} IS DISTINCT FROM {new} THEN jsonb_build_array({old}, {new}) END"
        for field, (old, new) in pairs.items()
    )
    return f"CASE WHEN {differ} THEN jsonb_strip_nulls(jsonb_build_object({each})) END"


_TABLES = f"""
DROP TABLE IF EXISTS import_enrolment, import_person;
CREATE TEMPORARY TABLE import_enrolment (
    line integer, first_line integer, tax_code text COLLATE "C", code text, member_id bigint, enrolment_id bigint,
    changes jsonb
) ON COMMIT DROP;
CREATE TEMPORARY TABLE import_person (
    tax_code text COLLATE "C", line integer, lines integer, member_id bigint,
    confirmed_email text, own_mobile text, said_mobile text,
    {_lines(f"{field} {_type(field)}" for field in PERSON_FIELDS)},
    search_key text, tax_code_mismatch boolean, email_problem text, email_key text, pec_key text, changes jsonb
) ON COMMIT DROP
"""

_CONTENT = ", ".join(f"{{0}}.{name}" for name in (*PERSON_FIELDS, *FINAL_ENROLMENT, "says_cancelled"))
_JUDGE = f"""
INSERT INTO import_enrolment
SELECT l.line, min(l.line) OVER (PARTITION BY l.tax_code, l.albo_id), l.tax_code,
    CASE WHEN l.closed_albo AND e.id IS NULL THEN '{Rejection.ALBO_CLOSED}'
        WHEN m.ordine_id <> %(ordine)s THEN '{Rejection.OTHER_ORDINE}' ELSE '' END,
    m.id, e.id,
    CASE WHEN e.id IS NOT NULL THEN {_changes({f: (f"e.{f}", new) for f, new in FINAL_ENROLMENT.items()})} END
FROM import_line l
LEFT JOIN {_MEMBER} m ON m.tax_code = l.tax_code COLLATE "default"
LEFT JOIN {_ENROLMENT} e ON e.member_id = m.id AND e.albo_id = l.albo_id
WHERE l.code IS NULL {{only}}
"""  # noqa: S608  (names of our own)
# A further line of an albo in which the person is already says the same again, or is in conflict with the first.
_REFUSE_CONFLICTS = f"""
UPDATE import_enrolment e SET code = '{Rejection.DUPLICATE_CONFLICT}'
FROM import_line one, import_line first
WHERE e.code = '' AND e.line <> e.first_line AND one.line = e.line AND first.line = e.first_line
    AND ({_CONTENT.format("one")}) IS DISTINCT FROM ({_CONTENT.format("first")})
"""  # noqa: S608  (names of our own)


def _first(field: str, of: str = "") -> str:
    """SQL of the first value that a person's lines have; with ``of``, that of the first line that has the other."""
    return f"(array_agg({field} ORDER BY line) FILTER (WHERE {of or field} IS NOT NULL))[1] AS {field}"


_SAID = ("search_key", "name_agrees", "code_born", "code_sex", "email_key", "pec_key")
_PICKED = [*map(_first, (*PERSON_FIELDS, *_SAID)), _first("email_problem", of="personal_email")]
# Compared without regard to case, and plain ASCII: else it could not have been confirmed.
_CONFIRMED = "m.email_confirmed_at IS NOT NULL AND m.personal_email <> ''"
_FINAL = {f: f"COALESCE(s.{f}, m.{f})" if _type(f) == "date" else f"COALESCE(s.{f}, m.{f}, '')" for f in PERSON_FIELDS}
# The member wrote it, be it that there is none.
_OWN_MOBILE = "m.mobile_set_at IS NOT NULL"
_FINAL["mobile"] = f"CASE WHEN {_OWN_MOBILE} THEN m.mobile ELSE {_FINAL['mobile']} END"
_FINAL["personal_email"] = f"CASE WHEN {_CONFIRMED} THEN m.personal_email ELSE {_FINAL['personal_email']} END"


def _agrees(code: str, born: str, sex: str) -> str:
    """SQL of ``tax_codes.agrees``, for a row that has what the code says and whether names agree with it."""
    return (
        f"({code}.name_agrees AND COALESCE(to_char({born}, 'YYMMDD') = {code}.code_born, TRUE)"
        f" AND {sex} IN ('', {code}.code_sex))"
    )


_MEET = f"""
INSERT INTO import_person
WITH said AS (
    SELECT tax_code, min(line) AS line, count(*) AS lines, min(member_id) AS member_id,
    {_lines(_PICKED)}
    FROM (
        SELECT l.*, e.member_id FROM import_enrolment e JOIN import_line l USING (line) WHERE e.code = '' {{only}}
    ) AS accepted
    GROUP BY tax_code
)
SELECT s.tax_code, s.line, s.lines, s.member_id, CASE WHEN {_CONFIRMED} THEN lower(m.personal_email COLLATE "C") END,
    CASE WHEN {_OWN_MOBILE} THEN m.mobile END, s.mobile,
    p.*, s.search_key, NOT {_agrees("s", "p.birth_date", "p.sex")},
    CASE WHEN s.personal_email IS NOT NULL AND NOT ({_CONFIRMED}) THEN COALESCE(s.email_problem, '')
        ELSE COALESCE(m.email_problem, '{EmailProblem.MISSING}') END,
    s.email_key, s.pec_key,
    CASE WHEN m.id IS NOT NULL THEN {_changes({f: (f"m.{f}", f"p.{f}") for f in PERSON_FIELDS})} END
FROM said s
LEFT JOIN {_MEMBER} m ON m.id = s.member_id
CROSS JOIN LATERAL (SELECT {", ".join(f"{value} AS {field}" for field, value in _FINAL.items())}) p
"""  # noqa: S608  (names of our own)


def _digits(number: str) -> str:
    """SQL of a telephone number however it is written; what one dials from abroad says no more."""
    return f"regexp_replace({number}, '^(\\+|00)39|\\D', '', 'g')"


# A line is warned of what it says; where it says nothing, of what is on record once the import is done.
_CONFLICT = " OR ".join(
    f"l.{own} <> p.{own}" for own in ("email_key", "pec_key", "address", "postcode", "town", "province")
)
_CONFLICT += " OR l.mobile <> p.said_mobile"
_WARNINGS = f"""concat_ws(',',
    CASE WHEN NOT {_agrees("l", "COALESCE(l.birth_date, p.birth_date)", "COALESCE(l.sex, p.sex)")}
        THEN '{Warn.CF_MISMATCH}' END,
    CASE WHEN l.email_key <> p.confirmed_email THEN '{Warn.EMAIL_KEPT}'
        WHEN l.personal_email IS NOT NULL THEN l.email_problem ELSE NULLIF(p.email_problem, '') END,
    CASE WHEN p.own_mobile IS NOT NULL AND {_digits("l.mobile")} <> {_digits("p.own_mobile")}
        THEN '{Warn.MOBILE_KEPT}' END,
    CASE WHEN p.lines > 1 AND ({_CONFLICT}) THEN '{Warn.CONTACT_CONFLICT}' END
)"""
# Of a change to the person is told the first line that has the new value.
_TOLD = f"""
WITH bringing AS (
    SELECT line, jsonb_object_agg(field, value) AS changes
    FROM (
        SELECT min(l.line) AS line, change.key AS field, change.value
        FROM import_person p CROSS JOIN jsonb_each(p.changes) AS change
        JOIN import_enrolment e ON e.tax_code = p.tax_code AND e.code = ''
        JOIN import_line l ON l.line = e.line
        WHERE to_jsonb(l) ->> change.key IS NOT NULL
        GROUP BY p.tax_code, change.key, change.value
    ) AS brought
    GROUP BY line
), told AS (
    SELECT l.line, l.tax_code, l.albo_id, l.number, p.surname, p.name, COALESCE(l.code, e.code) AS code,
        CASE WHEN COALESCE(l.code, e.code) <> '' THEN '{Outcome.REJECTED}'
            WHEN l.line <> e.first_line THEN '{Outcome.UNCHANGED}'
            WHEN e.enrolment_id IS NULL THEN '{Outcome.CREATED}'
            WHEN e.changes IS NOT NULL OR b.line IS NOT NULL THEN '{Outcome.UPDATED}'
            ELSE '{Outcome.UNCHANGED}' END AS outcome,
        CASE WHEN e.code = '' THEN {_WARNINGS} ELSE '' END AS warnings,
        COALESCE(b.changes, '{{}}') || COALESCE(CASE WHEN l.line = e.first_line THEN e.changes END, '{{}}') AS changes
    FROM import_line l
    LEFT JOIN import_enrolment e ON e.line = l.line
    LEFT JOIN import_person p ON e.code = '' AND p.tax_code = l.tax_code
    LEFT JOIN bringing b ON b.line = l.line
)
"""  # noqa: S608  (names of our own)
OUTCOMES = f"""{_TOLD}
SELECT line, outcome, code, warnings FROM told WHERE outcome <> '{Outcome.CREATED}' OR warnings <> '' ORDER BY line
"""  # noqa: S608  (names of our own)
# Every line that is accepted, as somebody may read it: see ``import_preview.Shown``.
DETAILS = f"""{_TOLD}
SELECT outcome, warnings <> '',
    jsonb_build_array(line, t.surname, t.name, tax_code, a.name, t.number, warnings, changes)::text
FROM told t LEFT JOIN {Albo._meta.db_table} a ON a.id = t.albo_id
WHERE outcome <> '{Outcome.REJECTED}' ORDER BY line
"""  # noqa: S608  (names of our own)


def compare(ordine: Ordine) -> int:
    """Fill the two tables from ``import_line`` and return how many people are among the accepted lines."""
    with connection.cursor() as cursor:
        cursor.execute(_TABLES)
    return _compare(ordine)


def compare_again(ordine: Ordine) -> int:
    """The same for those of ``import_locked``, whose records may have changed since."""
    with connection.cursor() as cursor:
        for table in ("import_person", "import_enrolment"):
            cursor.execute(f"DELETE FROM {table} WHERE tax_code IN (SELECT tax_code FROM import_locked)")  # noqa: S608  (ours)
    return _compare(ordine, only="AND {}.tax_code IN (SELECT tax_code FROM import_locked)")


def _compare(ordine: Ordine, only: str = "") -> int:
    with connection.cursor() as cursor:
        cursor.execute(_JUDGE.format(only=only.format("l")), {"ordine": ordine.pk})
        cursor.execute("ANALYZE import_enrolment")
        cursor.execute(_REFUSE_CONFLICTS)
        cursor.execute(_MEET.format(only=only.format("e")))
        cursor.execute("ANALYZE import_person (tax_code, line, lines, member_id, changes)")
        cursor.execute("SELECT count(*) FROM import_person")
        return int(cursor.fetchone()[0])
