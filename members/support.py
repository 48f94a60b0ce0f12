"""*Vedi come questo iscritto*: whoever answers for an office looks at the portal as one of its members sees it.

Nobody becomes somebody else: the session, the account and the second factor stay those of who looks, and only the
record that the member's pages are about is another (``middleware.SupportViewMiddleware``). Begin, every page and end
are in the log, and the member is told.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, Func, QuerySet, Value
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _
from django_scopes import scopes_disabled

from audit import log
from audit.actors import Actor
from audit.models import LogEntry
from members import mail
from members.current import AnyUser, may
from members.history import MERGED
from members.models import Member, SupportView, User
from members.roles import SEE_AS_MEMBER

SESSION_KEY = "support_view"
BEGUN = "support.begun"
_SYSTEM = Actor.process("portale")
# Also of a record that was merged into this one. By hand, like the rest of what members look at all day long.
_PAST = f"""
SELECT at, actor_name, detail ->> 'reason' FROM {LogEntry._meta.db_table}
WHERE action = %s AND (person = %s OR person IN (
    SELECT object_id FROM {LogEntry._meta.db_table} WHERE action = %s AND person = %s))
ORDER BY id DESC LIMIT %s
"""  # noqa: S608  (names of our own)


@transaction.atomic
def begin(member: Member, user: AnyUser, reason: str, actor: Actor) -> SupportView:
    """Look as this member from now on; a look at another ends. A second click finds what the first has begun."""
    User.objects.select_for_update(of=("self",)).get(pk=user.pk)
    for view in _open_views().filter(user=user):
        if view.member_id == member.pk and view.until > timezone.now():
            return view
        end(view, _("ne è cominciata un'altra"), actor)
    until = timezone.now() + timedelta(minutes=settings.SUPPORT_VIEW_MINUTES)
    view = SupportView.objects.create(member=member, user=user, reason=reason, until=until)
    clock = f"{timezone.localtime(until):%H:%M}"
    _record(BEGUN, actor, view, until=clock, reason=reason)
    if member.usable_email:
        context = {
            "member": member,
            "name": member.full_name,
            "who": actor.name,
            "reason": reason,
            "at": timezone.now(),
        }
        mail.send("support_view", to=member.usable_email, ordine=member.ordine, context=context)
    return view


def alive(view_id: object, user: AnyUser) -> SupportView | None:
    """The look that this session has begun, as long as it lasts and its user may."""
    view = _open_views().filter(pk=view_id, user=user.pk).first() if isinstance(view_id, int) else None
    if view is None:
        return None
    if view.until <= timezone.now():
        end(view, _("tempo scaduto"), _SYSTEM)
        return None
    if not may(user, SEE_AS_MEMBER, view.member):
        end(view, _("permesso tolto"), _SYSTEM)
        return None
    return view


def note(view: SupportView, path: str, actor: Actor) -> None:
    """This page was looked at: in the log once, however often it asks for itself again."""
    page = path[:200]
    with transaction.atomic():
        unseen = _every_view().filter(pk=view.pk).exclude(seen__contains=[page])
        if unseen.update(seen=Func(F("seen"), Value(page), function="array_append")):
            _record("support.page", actor, view, page=page)


@transaction.atomic
def end(view: SupportView, how: str, actor: Actor) -> bool:
    """Over, whatever a session still says. False where it was so already."""
    if not _every_view().filter(pk=view.pk, ended_at=None).update(ended_at=Now()):
        return False
    _record("support.ended", actor, view, how=how)
    return True


def end_all_of(member: Member, how: str, actor: Actor) -> None:
    """Nobody looks as this member any more."""
    for view in _open_views().filter(member=member):
        end(view, how, actor)


def end_overdue() -> None:
    """Those whose time is over and whose browser did not come back to be told so."""
    for view in _open_views().filter(until__lt=Now()):
        end(view, _("tempo scaduto"), _SYSTEM)


def past(member: Member, limit: int) -> Iterator[tuple[datetime, str, str]]:
    """When somebody looked as this member, who, and why; newest first."""
    with connection.cursor() as cursor:
        cursor.execute(_PAST, [BEGUN, member.pk, MERGED, member.pk, limit])
        yield from cursor.fetchall()


def _open_views() -> QuerySet[SupportView]:
    return _every_view().filter(ended_at=None).select_related("member__ordine", "member__user")


def _every_view() -> QuerySet[SupportView]:
    """Whoever looks is found by the account: it is before there is a scope, and decides which there will be."""
    with scopes_disabled():
        return SupportView.objects.all()


def _record(action: str, actor: Actor, view: SupportView, **detail: str) -> None:
    member = view.member
    log.record(action, actor, member, person=member.pk, ordine=member.ordine.code, **detail)
