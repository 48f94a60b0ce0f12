"""Where sessions are kept: in ``Session``, beside whose they are and when they were last seen.

One row and one query for all of it, as with Django's own. allauth's ``usersessions`` would be a second table beside the
sessions, read and written at every request to know when each was last seen.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from allauth.account.utils import url_str_to_user_pk
from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.utils import timezone

from members.by_hand import columns, objects, rows_by_hand
from members.entry_models import Session

# In the session of who has come in: when, from where, with what.
ENTRY_KEY = "entry"
_HALF_IN = "account_login"  # allauth's: who has given the right password, and not yet the second factor
_FIND = f"""
SELECT {columns(Session)} FROM {Session._meta.db_table} WHERE session_key = %s AND expire_date > %s
"""  # noqa: S608  (names of our own)


class SessionStore(DatabaseStore):
    seen_at: datetime | None = None

    @classmethod
    def get_model_class(cls) -> type[Session]:
        return Session

    def _get_session_from_db(self) -> Session | None:
        """Django's own, which its ``load`` calls; without a row, whoever comes next gets a new key."""
        # PostgreSQL keeps no NUL in a text, and a cookie can say one: it is nobody's key.
        possible = "\x00" not in (self.session_key or "")
        found = rows_by_hand(_FIND, [self.session_key, timezone.now()]) if possible else []
        if not found:
            self._session_key, self.seen_at = None, None
            return None
        row: Session = objects(found[0], Session)[0]
        self.seen_at = row.seen_at
        return row

    def create_model_instance(self, data: dict[str, Any]) -> Session:
        return Session(
            session_key=self._get_or_create_session_key(),  # type: ignore[attr-defined]  # Django's own, not in its stubs
            session_data=self.encode(data),
            expire_date=_end_of(data),
            user_id=_owner_of(data),
            seen_at=timezone.now(),
        )


def entered_at(session: Any) -> datetime | None:
    """When whoever is in has come in."""
    at = session.get(ENTRY_KEY, {}).get("at")
    return datetime.fromisoformat(at) if at else None


def _owner_of(data: dict[str, Any]) -> int | None:
    if owner := data.get(SESSION_KEY):
        return int(owner)
    half_in = (data.get(_HALF_IN) or {}).get("user_pk")
    return int(url_str_to_user_pk(half_in)) if half_in else None


def _end_of(data: dict[str, Any]) -> datetime:
    """So long after somebody came in, however busy they are: what is saved in between moves it no further."""
    return (entered_at(data) or timezone.now()) + timedelta(seconds=settings.SESSION_COOKIE_AGE)
