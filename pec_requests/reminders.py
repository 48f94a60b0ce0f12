"""Reminders: a casella that waits to be accepted is called to its member's mind, on the days that the Ordine chose.

One statement finds who is due, through the index ``request_to_accept``, and notes it (``Told``) together with the
notice that becomes the mail. Of the days that have passed only the last counts: after a month without a sweep nobody
gets three mails. The notice is looked at again when it is worded: who has accepted, or wants no reminders, gets none.
"""

from __future__ import annotations

from django.conf import settings
from django.db import connection, transaction

from members.wake import wake
from pec_requests import notices

ACT = "reminder"
# The unique rows of ``told`` are what keeps anybody from being reminded twice; ``reminded`` only spares looking at
# those who were. Two sweeps at once share the requests out by their locks, and look again at what they have locked.
# Step by step through the index, whose order is asked for: the planner, who cannot know that hardly anybody is due,
# would read everybody, or, without statistics, take another index.
_BY_INDEX = "SET LOCAL enable_sort = off; SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off"
_REMIND = """
WITH step AS (
    SELECT o.id AS ordine_id, day, lead(day) OVER (PARTITION BY o.id ORDER BY day) AS next_day
      FROM members_ordine o, unnest(o.reminder_days) AS day),
due AS (
    SELECT r.id, s.day
      FROM step s, LATERAL (
           SELECT id FROM pec_requests_pecrequest
            WHERE ordine_id = s.ordine_id AND status = 'NON_ATTIVO' AND accepted_at IS NULL AND reminded < s.day
              AND status_at <= now() - make_interval(days => s.day)
              AND status_at > coalesce(now() - make_interval(days => s.next_day), '-infinity')
            ORDER BY reminded, status_at LIMIT %(at_once)s
              FOR NO KEY UPDATE SKIP LOCKED) AS r
     LIMIT %(at_once)s),
marked AS (
    UPDATE pec_requests_pecrequest r SET reminded = due.day FROM due WHERE r.id = due.id),
told AS (
    INSERT INTO pec_requests_told (request_id, what) SELECT id, %(act)s || ' ' || day FROM due
    ON CONFLICT DO NOTHING RETURNING request_id)
INSERT INTO pec_requests_notice (act, request_id) SELECT %(act)s, request_id FROM told
"""


@transaction.atomic
def remind() -> int:
    """Note who is to be reminded, at most ``REMINDERS_AT_ONCE``. Return how many."""
    with connection.cursor() as cursor:
        cursor.execute(_BY_INDEX)
        cursor.execute(_REMIND, {"act": ACT, "at_once": settings.REMINDERS_AT_ONCE})
        count: int = cursor.rowcount
    if count:
        wake(notices.WRITE_TASK)
    return count
