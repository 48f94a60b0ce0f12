"""The recovery e-mail of a mailbox: a member asks, the new address confirms by a link, the provider changes it."""

from __future__ import annotations

import datetime
import enum
import hashlib
import secrets
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_scopes import scopes_disabled

from audit import log
from audit.actors import Actor
from members import emails
from members.emails import EmailProblem
from members.models import User
from pec_requests import lifecycle, notices, operations
from pec_requests.models import PecRequest, ProviderOperation, RecoveryEmailChange
from pec_requests.states import LIVE, Kind, Status


class RecoveryRefused(Exception):
    """The recovery e-mail cannot be changed like this. ``str()`` says why, to the member."""


class LinkState(enum.Enum):
    """What a confirmation link is worth now."""

    VALID = "valid"
    EXPIRED = "expired"
    USED = "used"
    REPLACED = "replaced"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Link:
    """A confirmation link, looked at: its state, and the wish behind it where there is one."""

    state: LinkState
    change: RecoveryEmailChange | None = None


_WHY_NOT = {
    EmailProblem.MISSING: gettext_lazy("Indicare l'indirizzo."),
    EmailProblem.INVALID: gettext_lazy("Non è un indirizzo e-mail valido."),
    EmailProblem.IS_PEC: gettext_lazy(
        "È una PEC: il link per la password può arrivare solo a un indirizzo e-mail ordinario."
    ),
}


def check_email(request: PecRequest, email: str) -> None:
    """Raise ``RecoveryRefused`` where this address cannot become the recovery e-mail of the mailbox."""
    problem = EmailProblem(emails.problem(email))
    if problem:
        raise RecoveryRefused(str(_WHY_NOT[problem]))
    if emails.same(email, request.recovery_email):
        raise RecoveryRefused(_("È già l'email di recupero di questa casella."))


@transaction.atomic
def ask(request_id: int, email: str, user: User, actor: Actor) -> RecoveryEmailChange:
    """Write down a member's wish and mail the link to the new address. A newer wish takes the place of an older one."""
    request = _locked(request_id)
    if not request.is_live:
        raise RecoveryRefused(_("La casella non è più in uso."))
    check_email(request, email)
    _refuse_while_running(request)
    request.recovery_changes.filter(confirmed_at=None, dropped_at=None).update(dropped_at=Now())
    secret = secrets.token_urlsafe(32)
    change = RecoveryEmailChange.objects.create(
        request=request,
        asked_by=user,
        new_email=email,
        digest=_digest(secret),
        session_hash=user.get_session_auth_hash(),
        expires_at=timezone.now() + datetime.timedelta(hours=settings.RECOVERY_LINK_HOURS),
    )
    _record("pec.recovery.asked", request, actor, email)
    notices.recovery_email_to_confirm(request, email, secret)
    return change


def inspect(secret: str) -> Link:
    """What a link is worth. Its owner need not be signed in: so this looks in every Ordine, by digest alone."""
    with scopes_disabled():
        change = (
            RecoveryEmailChange.objects.select_related("request__member__ordine", "asked_by")
            .filter(digest=_digest(secret))
            .first()
        )
    if change is None:
        return Link(LinkState.UNKNOWN)
    if change.confirmed_at:
        return Link(LinkState.USED, change)
    if change.dropped_at or _outlived_its_password(change) or change.request.status not in LIVE:
        return Link(LinkState.REPLACED, change)
    if change.expires_at <= timezone.now():
        return Link(LinkState.EXPIRED, change)
    return Link(LinkState.VALID, change)


@transaction.atomic
def confirm(secret: str, actor: Actor) -> Link:
    """The owner of the new address says yes. Return the link as it was found; only a VALID one has had an effect."""
    found = inspect(secret)
    if found.change is None:
        return found
    with scopes_disabled():
        request = _locked(found.change.request_id)
        link = inspect(secret)  # again, now that nobody else can use it
        if link.state is not LinkState.VALID or link.change is None:
            return link
        _refuse_while_running(request)
        RecoveryEmailChange.objects.filter(pk=link.change.pk).update(confirmed_at=Now())
        _record("pec.recovery.confirmed", request, actor, link.change.new_email)
        _apply(request, link.change.new_email, actor)
    return link


@transaction.atomic
def drop(request_id: int, actor: Actor) -> bool:
    """The member takes a wish back before it is confirmed. False when there was none."""
    request = _locked(request_id)
    wish = pending(request)
    if wish is None:
        return False
    request.recovery_changes.filter(pk=wish.pk).update(dropped_at=Now())
    _record("pec.recovery.dropped", request, actor, wish.new_email)
    return True


def pending(request: PecRequest) -> RecoveryEmailChange | None:
    """The wish that still waits for its confirmation, if any."""
    waiting = request.recovery_changes.filter(confirmed_at=None, dropped_at=None, expires_at__gt=timezone.now())
    wish = waiting.select_related("asked_by").order_by("-id").first()
    return wish if wish and not _outlived_its_password(wish) else None


def _outlived_its_password(change: RecoveryEmailChange) -> bool:
    """Whoever changes the portal's password ends the sessions of others, and their wishes with them."""
    return change.session_hash != change.asked_by.get_session_auth_hash()


def _apply(request: PecRequest, email: str, actor: Actor) -> None:
    """Before the mailbox exists the portal alone decides; afterwards the provider must change it first."""
    maybe_made = request.operations.filter(kind=Kind.CREATE, state__in=ProviderOperation.UNSETTLED, look_first=True)
    if request.status == Status.RICHIESTA and not maybe_made.exists():
        lifecycle.set_recovery_email(request, email, actor)
        return
    unsettled = request.operations.filter(kind=Kind.RECOVERY_EMAIL, state__in=ProviderOperation.UNSETTLED)
    unsettled.update(state=ProviderOperation.State.WITHDRAWN, finished_at=Now())
    operations.enqueue([request], Kind.RECOVERY_EMAIL, recovery_email=email)


def _refuse_while_running(request: PecRequest) -> None:
    if request.operations.filter(kind=Kind.RECOVERY_EMAIL, state=ProviderOperation.State.RUNNING).exists():
        raise RecoveryRefused(
            _("Un cambio dell'email di recupero è già in corso presso il gestore: riprovare tra un minuto.")
        )


def _locked(request_id: int) -> PecRequest:
    return PecRequest.objects.select_for_update(of=("self",)).select_related("member__ordine").get(pk=request_id)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _record(action: str, request: PecRequest, actor: Actor, email: str) -> None:
    log.record(
        action,
        actor,
        request,
        person=request.member_id,
        ordine=request.member.ordine.code,
        address=request.address,
        email=notices.masked(email),
    )
