"""Who is in, for how long, and turning people out."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from allauth.account.adapter import get_adapter
from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from members import devices
from members.current import AnyUser, is_staff
from members.entry_models import Session
from members.models import User
from members.session_store import ENTRY_KEY, entered_at

# How closely it is known when somebody was last seen: to write it at each page would cost more than the page.
SEEN_EVERY = timedelta(minutes=1)
_AGENT_LENGTH = 200


@dataclass(frozen=True)
class OpenSession:
    """One of somebody's own. ``handle`` names it on a page: its key would let whoever reads it come in."""

    handle: str
    device: str
    ip: str
    began_at: datetime
    seen_at: datetime
    current: bool


def begin(request: HttpRequest) -> None:
    """Somebody has come in, all the way: from here on the session has its end."""
    request.session[ENTRY_KEY] = {
        "at": timezone.now().isoformat(),
        "ip": get_adapter().get_client_ip(request),
        "agent": request.META.get("HTTP_USER_AGENT", "")[:_AGENT_LENGTH],
    }


def idle_limit(user: AnyUser) -> timedelta:
    """After how long without a page somebody is out."""
    return timedelta(minutes=settings.STAFF_IDLE_MINUTES if is_staff(user) else settings.IDLE_MINUTES)


def was_idle(request: HttpRequest) -> bool:
    """Whether the session of whoever is in was left alone for too long."""
    seen_at = _seen_at(request)
    return seen_at is not None and timezone.now() - seen_at >= idle_limit(request.user)


def saw(request: HttpRequest) -> None:
    """Somebody has asked for a page."""
    seen_at = _seen_at(request)
    if seen_at is not None and timezone.now() - seen_at >= SEEN_EVERY:
        Session.objects.filter(pk=request.session.session_key).update(seen_at=timezone.now())


def all_of(request: HttpRequest) -> list[OpenSession]:
    """Whoever asks: their own sessions, the present one first, then by when they were last seen."""
    user = cast(User, request.user)
    found = [_as_open(row, request) for row in _live(user)]
    return sorted(found, key=lambda session: (session.current, session.seen_at), reverse=True)


def end(user: User, handle: str) -> bool:
    """End one of this user's sessions; False where there is none of this name any more."""
    keys = [row.pk for row in Session.objects.filter(user=user) if constant_time_compare(_handle(row.pk), handle)]
    return bool(Session.objects.filter(pk__in=keys, user=user).delete()[0])


def end_others(request: HttpRequest) -> int:
    """End every other session of whoever asks, who is then known by this device alone. Return how many."""
    user = cast(User, request.user)
    devices.forget_all(user, but=request)
    others = Session.objects.filter(user=user).exclude(pk=request.session.session_key)
    return int(others.delete()[0])


def end_all(user: User) -> int:
    """End every session of a user at once, also of who is about to give a second factor. Return how many.

    A request that is under way cannot bring its session back: what it saves finds no row.
    """
    devices.forget_all(user)
    return int(Session.objects.filter(user=user).delete()[0])


def forget() -> None:
    """Every night: sessions that have ended."""
    Session.objects.filter(expire_date__lt=timezone.now()).delete()


def _seen_at(request: HttpRequest) -> datetime | None:
    return cast("datetime | None", getattr(request.session, "seen_at", None))


def _live(user: User) -> list[Session]:
    """Those that a browser could go on with: somebody is all the way in, by the present password, not too long ago."""
    now = timezone.now()
    rows = Session.objects.filter(user=user, expire_date__gt=now, seen_at__gt=now - idle_limit(user))
    return [row for row in rows if _is_in(row, user)]


def _is_in(row: Session, user: User) -> bool:
    data = row.get_decoded()
    return SESSION_KEY in data and data.get(HASH_SESSION_KEY) == user.get_session_auth_hash()


def _as_open(row: Session, request: HttpRequest) -> OpenSession:
    data = row.get_decoded()
    entry = data.get(ENTRY_KEY, {})
    return OpenSession(
        handle=_handle(row.pk),
        device=devices.in_words(entry.get("agent", "")),
        ip=entry.get("ip", ""),
        began_at=entered_at(data) or row.seen_at,
        seen_at=row.seen_at,
        current=row.pk == request.session.session_key,
    )


def _handle(key: str) -> str:
    return hashlib.sha256(f"session:{key}".encode()).hexdigest()[:32]
