"""**Non sono stato io**: whoever is told of a change of the recovery e-mail says that the member did not ask for it.

The link is in the mail to the address in force (or to the fascicolo's, where there is none). Its reader need not be the
member: it may be whoever broke into the mailbox that the member is leaving. So the link can keep things as they are,
and never change them:

* Until the provider has the new address, it stops the change: a wish is void, an operation is withdrawn, and a call
  that may have come through is written over with the address that is in force.
* Once the provider has it, it changes nothing there. What to put back only the Ordine decides.
* Either way, until the Ordine has looked, nobody can change the recovery e-mail or reset the mailbox's password from
  the panel, and the portal's password is void: whoever asked knew it, or sat at an open session. The member chooses
  another through the forgotten-password link, which goes to the fascicolo's address.

The Ordine calls the member and says who it was (``settle``). If the member: another change can be asked for, and the
address that raised the alarm is not told of it any more, so that it cannot hold the member for ever. If a stranger: the
address before is put back where the provider has another by now.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.core import signing
from django.db import transaction
from django.utils import timezone
from django_scopes import scopes_disabled

from audit import log
from audit.actors import Actor
from members import access, emails
from pec_requests import attention, recovery, recovery_mails
from pec_requests import recovery_in_force as in_force
from pec_requests.models import PecRequest, RecoveryEmailChange

Verdict = RecoveryEmailChange.Verdict


class LinkState(enum.StrEnum):
    """What the link is worth now."""

    VALID = "valid"
    EXPIRED = "expired"
    USED = "used"
    ENDED = "ended"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Link:
    """The link, looked at: its state, and the change behind it where there is one."""

    state: LinkState
    change: RecoveryEmailChange | None = None


def inspect(secret: str) -> Link:
    """What a link is worth, in whatever Ordine: its owner need not be signed in."""
    try:
        pk = in_force.STOP_LINK.unsign(secret)
    except signing.BadSignature:
        return Link(LinkState.UNKNOWN)
    with scopes_disabled():
        changes = RecoveryEmailChange.objects.select_related("request__member__ordine", "asked_by")
        change = changes.filter(pk=pk).first()
    return Link(_state(change), change) if change else Link(LinkState.UNKNOWN)


@transaction.atomic
def stop(secret: str, actor: Actor) -> Link:
    """Raise the alarm. Return the link as it was found; only a VALID one has had an effect."""
    found = inspect(secret)
    if found.change is None:
        return found
    with scopes_disabled():
        request = in_force.locked(found.change.request_id)
        link = inspect(secret)  # again, now that nobody else can use it
        if link.state is not LinkState.VALID or link.change is None:
            return link
        recovery.drop_wishes(request, recovery.Dropped.STOPPED, called_off=in_force.call_off(request))
        RecoveryEmailChange.objects.filter(pk=link.change.pk).update(alarm_at=timezone.now())
        access.void_password(link.change.asked_by, actor)
        _record("pec.recovery.alarm", request, actor, email=emails.mask(link.change.new_email))
        recovery_mails.alarm(request, link.change, made=came_through(request, link.change))
    return link


@transaction.atomic
def settle(request_id: int, verdict: Verdict, actor: Actor) -> bool:
    """Staff have spoken with the member. False where no alarm is open: somebody was faster.

    Raises ``RecoveryRefused`` while a worker is changing the address.
    """
    request = in_force.locked(request_id)
    first = attention.open_alarms(request).first()
    if first is None:
        return False
    attention.open_alarms(request).update(verdict=verdict)
    _record("pec.recovery.verdict", request, actor, verdict=str(verdict.label))
    if verdict == Verdict.STRANGER and (old := to_put_back(request, first)):
        in_force.change(request, old, actor)
    return True


def came_through(request: PecRequest, change: RecoveryEmailChange) -> bool:
    """Whether the address that was in force before the change is so no more."""
    return not emails.same(change.old_email, request.recovery_email)


def to_put_back(request: PecRequest, alarm: RecoveryEmailChange) -> str:
    """The address before, where there was one and it is no more in force."""
    return alarm.old_email if request.is_live and came_through(request, alarm) else ""


def valid_until(change: RecoveryEmailChange) -> datetime:
    """Some days longer than the wish lives, and than it takes the provider."""
    return max(change.expires_at, change.applied_at or change.expires_at) + timedelta(days=settings.RECOVERY_STOP_DAYS)


def _state(change: RecoveryEmailChange) -> LinkState:
    if change.alarm_at:
        return LinkState.USED
    if not change.request.is_live:
        return LinkState.ENDED
    return LinkState.EXPIRED if valid_until(change) <= timezone.now() else LinkState.VALID


def _record(action: str, request: PecRequest, actor: Actor, **detail: str) -> None:
    ordine = request.member.ordine.code
    log.record(action, actor, request, person=request.member_id, ordine=ordine, address=request.address, **detail)
