"""What an import writes, in SQL, once it has been compared: locked rows are brought up to date, new ones inserted."""

from __future__ import annotations

from django.db import connection

from audit import log
from audit.actors import Actor
from members.import_comparing import DERIVED, FINAL_ENROLMENT, PERSON_FIELDS
from members.models import Enrolment, Member, Ordine

_MEMBER, _ENROLMENT = Member._meta.db_table, Enrolment._meta.db_table
_WRITTEN = (*PERSON_FIELDS, *DERIVED)
# The line that stands for an enrolment; those that say it again bring nothing.
_STANDS = "e.code = '' AND e.line = e.first_line"

_TOUCHED = f"""
DROP TABLE IF EXISTS import_locked;
CREATE TEMPORARY TABLE import_locked ON COMMIT DROP AS
    SELECT member_id, tax_code FROM import_person WHERE member_id IS NOT NULL AND changes IS NOT NULL
    UNION
    SELECT member_id, tax_code FROM import_enrolment e
    WHERE {_STANDS} AND member_id IS NOT NULL AND (enrolment_id IS NULL OR changes IS NOT NULL);
ANALYZE import_locked
"""  # noqa: S608  (names of our own)
_LOCK_MEMBERS = f"""
SELECT count(*) FROM (
    SELECT FROM {_MEMBER} m JOIN import_locked k ON k.member_id = m.id ORDER BY m.id FOR NO KEY UPDATE OF m
) AS locked
"""  # noqa: S608  (names of our own)
_LOCK_ENROLMENTS = f"""
SELECT count(*) FROM (
    SELECT FROM {_ENROLMENT} e JOIN import_locked k USING (member_id) ORDER BY e.id FOR NO KEY UPDATE OF e
) AS locked
"""  # noqa: S608  (names of our own)

# In the order of codici fiscali, so that two imports with the same new people never wait for one another in a circle.
_NEW_MEMBERS = f"""
DROP TABLE IF EXISTS import_new;
CREATE TEMPORARY TABLE import_new ON COMMIT DROP AS
    SELECT tax_code, nextval(pg_get_serial_sequence('{_MEMBER}', 'id')) AS id
    FROM (SELECT tax_code FROM import_person WHERE member_id IS NULL ORDER BY tax_code) AS people;
ANALYZE import_new;
INSERT INTO {_MEMBER} (id, ordine_id, tax_code, {", ".join(_WRITTEN)})
    SELECT n.id, %(ordine)s, p.tax_code, {", ".join(f"p.{field}" for field in _WRITTEN)}
    FROM import_new n JOIN import_person p USING (tax_code) ORDER BY n.tax_code
"""  # noqa: S608  (names of our own)
_CHANGED_MEMBERS = f"""
UPDATE {_MEMBER} m SET {", ".join(f"{field} = p.{field}" for field in _WRITTEN)}
FROM import_person p WHERE m.id = p.member_id AND p.changes IS NOT NULL
"""  # noqa: S608  (names of our own)
_NEW_ENROLMENTS = f"""
INSERT INTO {_ENROLMENT} (member_id, albo_id, number, enrolled_on, status, cancelled_on)
    SELECT COALESCE(e.member_id, n.id), l.albo_id, COALESCE(l.number, ''), l.enrolled_on,
        COALESCE(l.status, '{Enrolment.Status.ISCRITTO}'), l.cancelled_on
    FROM import_enrolment e JOIN import_line l USING (line) LEFT JOIN import_new n ON n.tax_code = e.tax_code
    WHERE {_STANDS} AND e.enrolment_id IS NULL ORDER BY 1
"""  # noqa: S608  (names of our own)
_CHANGED_ENROLMENTS = f"""
UPDATE {_ENROLMENT} e SET {", ".join(f"{field} = {value}" for field, value in FINAL_ENROLMENT.items())}
FROM import_enrolment c JOIN import_line l USING (line)
WHERE c.code = '' AND c.line = c.first_line AND c.changes IS NOT NULL AND e.id = c.enrolment_id
"""  # noqa: S608  (names of our own)

_CREATED_LOG = "SELECT id AS object_id, id AS person, '{}'::jsonb AS detail FROM import_new"
_UPDATED_LOG = f"""
SELECT p.member_id AS object_id, p.member_id AS person, jsonb_build_object('fields', concat_ws(', ',
    {", ".join(f"CASE WHEN p.changes ? '{field}' THEN %({field})s END" for field in PERSON_FIELDS)},
    CASE WHEN t.tax_code IS NOT NULL THEN %(enrolment)s END
)) AS detail
FROM import_person p
LEFT JOIN (
    SELECT DISTINCT tax_code FROM import_enrolment e
    WHERE {_STANDS} AND (enrolment_id IS NULL OR changes IS NOT NULL)
) t USING (tax_code)
WHERE p.member_id IS NOT NULL AND (p.changes IS NOT NULL OR t.tax_code IS NOT NULL)
"""  # noqa: S608  (names of our own)


def lock_touched() -> bool:
    """Lock the rows on record of those for whom something would be written, until the end of the transaction, in the
    one order of primary keys. They are in ``import_locked``; False when there is nobody.
    """
    with connection.cursor() as cursor:
        cursor.execute(_TOUCHED)
        cursor.execute("SELECT EXISTS (SELECT FROM import_locked)")
        if not cursor.fetchone()[0]:
            return False
        cursor.execute(_LOCK_MEMBERS)
        cursor.execute(_LOCK_ENROLMENTS)
        return True


def write(ordine: Ordine, actor: Actor) -> None:
    """Write what differs, and an entry of the log for each person created or changed, naming what changed."""
    with connection.cursor() as cursor:
        cursor.execute(_NEW_MEMBERS, {"ordine": ordine.pk})
        cursor.execute(_CHANGED_MEMBERS)
        cursor.execute(_NEW_ENROLMENTS)
        cursor.execute(_CHANGED_ENROLMENTS)
    labels = {field: str(Member._meta.get_field(field).verbose_name) for field in PERSON_FIELDS}  # type: ignore[union-attr]  # plain fields
    labels["enrolment"] = str(Enrolment._meta.verbose_name)
    log.record_rows("member.created", actor, Member, _CREATED_LOG, ordine=ordine.code)
    log.record_rows("member.updated", actor, Member, _UPDATED_LOG, labels, ordine=ordine.code)
