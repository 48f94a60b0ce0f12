"""The recovery e-mail of a mailbox: a member asks, the new address confirms by a link, the provider changes it.

Until the provider has confirmed, the old address is in force and is shown as such. Whoever is told that a change was
asked for may say that it was not the member: see ``recovery_alarms``. While such an alarm is open nothing changes here.
"""

from __future__ import annotations

import datetime
import enum
import hashlib
import secrets
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_scopes import scopes_disabled

from audit.actors import Actor
from members import emails
from members.emails import EmailProblem
from members.models import User
from pec_requests import attention, mail_limits, recovery_mails
from pec_requests import recovery_in_force as in_force
from pec_requests.models import PecRequest, ProviderOperation, RecoveryEmailChange
from pec_requests.recovery_in_force import RecoveryRefused
from pec_requests.states import LIVE, Kind

Dropped = RecoveryEmailChange.Dropped
# Between one link to the same address and the next: time for the mail to arrive.
_PAUSE = datetime.timedelta(minutes=2)


class LinkState(enum.StrEnum):
    """What a confirmation link is worth now."""

    VALID = "valid"
    EXPIRED = "expired"
    USED = "used"
    REPLACED = "replaced"
    WITHDRAWN = "withdrawn"
    STOPPED = "stopped"
    OUTLIVED = "outlived"
    ENDED = "ended"
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
_WHY_DROPPED = {
    Dropped.WITHDRAWN: LinkState.WITHDRAWN,
    Dropped.STOPPED: LinkState.STOPPED,
}


# --- Asking -----------------------------------------------------------------------------------------------------------
def check_email(request: PecRequest, email: str) -> None:
    """Raise ``RecoveryRefused`` where this address cannot become the recovery e-mail of the mailbox."""
    if emails.same(email, request.address):
        raise RecoveryRefused(_("È l'indirizzo della casella stessa: se ne perdi la password il link non lo leggi."))
    if problem := EmailProblem(emails.problem(email)):
        raise RecoveryRefused(str(_WHY_NOT[problem]))
    if emails.same(email, request.recovery_email):
        raise RecoveryRefused(_("È già l'email di recupero di questa casella."))
    wish = pending(request)
    if wish and emails.same(email, wish.new_email):
        raise RecoveryRefused(
            _("A questo indirizzo abbiamo già spedito il link: aprilo, o dalla gestione della casella rispediscilo.")
        )
    changing = request.operations.filter(kind=Kind.RECOVERY_EMAIL, state__in=ProviderOperation.OPEN).first()
    if changing and emails.same(email, changing.recovery_email):
        raise RecoveryRefused(_("L'indirizzo è già confermato: il gestore lo sta registrando."))


def check_frozen(request: PecRequest) -> None:
    """Raise ``RecoveryRefused`` while somebody's "it was not me" waits for the Ordine."""
    if attention.open_alarms(request).exists():
        raise RecoveryRefused(
            _(
                "Qualcuno ha segnalato di non aver chiesto il cambio dell'email di recupero. Finché la segreteria "
                "dell'Ordine non ha verificato, email di recupero e password non si possono cambiare da qui."
            )
        )


@transaction.atomic
def ask(request_id: int, email: str, user: User, actor: Actor) -> RecoveryEmailChange:
    """Write down a member's wish and mail the link to the new address. A newer wish takes the place of an older one."""
    request, email = _changeable(request_id), email.strip()
    check_email(request, email)
    told = _witness(request, email)
    change, secret = _write_down(request, email, user, old_email=request.recovery_email, told_email=told)
    in_force.record("pec.recovery.asked", request, actor, email)
    recovery_mails.to_confirm(request, change, secret)
    if told:
        recovery_mails.asked(request, change, in_force.stop_link(change))
    return change


@transaction.atomic
def resend(request_id: int, user: User, actor: Actor) -> RecoveryEmailChange:
    """A new link for the wish that waits, to the same address; the one before stops working."""
    request = _changeable(request_id)
    wish = pending(request)
    if wish is None:
        raise RecoveryRefused(_("Non c'è un cambio da confermare: chiedilo con Modifica Email di Recupero."))
    if wish.created_at > timezone.now() - _PAUSE:
        raise RecoveryRefused(_("Il link è appena partito: attendi due minuti prima di rispedirlo."))
    change, secret = _write_down(request, wish.new_email, user, old_email=wish.old_email, told_email=wish.told_email)
    in_force.record("pec.recovery.resent", request, actor, wish.new_email)
    recovery_mails.to_confirm(request, change, secret)
    return change


@transaction.atomic
def drop(request_id: int, actor: Actor) -> bool:
    """The member takes a wish back before it is confirmed. False when there was none."""
    request = in_force.locked(request_id)
    wish = pending(request)
    if wish is None:
        return False
    drop_wishes(request, Dropped.WITHDRAWN)
    in_force.record("pec.recovery.dropped", request, actor, wish.new_email)
    return True


def pending(request: PecRequest) -> RecoveryEmailChange | None:
    """The wish that still waits for its confirmation, if any."""
    return standing(request)[1]


def standing(request: PecRequest) -> tuple[bool, RecoveryEmailChange | None]:
    """Whether an alarm is open, and the wish that waits: both in one look."""
    rows = request.recovery_changes.filter(attention.ALARM_OPEN | _waiting())
    changes = list(rows.select_related("asked_by").order_by("-id"))
    if any(change.alarm_at and not change.verdict for change in changes):
        return True, None
    return False, next((change for change in changes if not _outlived_its_password(change)), None)


def drop_wishes(request: PecRequest, why: Dropped, *, called_off: str = "") -> None:
    """Whatever waits for its confirmation is void; so is the wish for an address that was called off."""
    void = Q(confirmed_at=None) | Q(applied_at=None, new_email=called_off)
    request.recovery_changes.filter(void, dropped_at=None).update(dropped_at=Now(), dropped=why)


# --- Confirming -------------------------------------------------------------------------------------------------------
def inspect(secret: str) -> Link:
    """What a link is worth. Its owner need not be signed in: so this looks in every Ordine, by digest alone."""
    with scopes_disabled():
        change = (
            RecoveryEmailChange.objects.select_related("request__member__ordine", "asked_by")
            .filter(digest=_digest(secret))
            .first()
        )
    return Link(_state(change), change) if change else Link(LinkState.UNKNOWN)


@transaction.atomic
def confirm(secret: str, actor: Actor) -> Link:
    """The owner of the new address says yes. Return the link as it was found; only a VALID one has had an effect."""
    found = inspect(secret)
    if found.change is None:
        return found
    with scopes_disabled():
        request = in_force.locked(found.change.request_id)
        link = inspect(secret)  # again, now that nobody else can use it
        if link.state is not LinkState.VALID or link.change is None:
            return link
        in_force.refuse_while_running(request)
        check_frozen(request)
        RecoveryEmailChange.objects.filter(pk=link.change.pk).update(confirmed_at=Now())
        in_force.record("pec.recovery.confirmed", request, actor, link.change.new_email)
        if not link.change.told_email:
            in_force.record("pec.recovery.untold", request, actor, link.change.new_email)
            recovery_mails.nobody_told(request, link.change)
        in_force.change(request, link.change.new_email, actor)
        link.change.request = request
    return link


# --- The pieces -------------------------------------------------------------------------------------------------------
def _changeable(request_id: int) -> PecRequest:
    """The request, locked, where its recovery e-mail can be changed now."""
    request = in_force.locked(request_id)
    if not request.is_live:
        raise RecoveryRefused(_("La casella non è più in uso."))
    check_frozen(request)
    in_force.refuse_while_running(request)
    if why := mail_limits.why_not_yet(request.recovery_changes.all()):
        raise RecoveryRefused(why)
    return request


def _write_down(
    request: PecRequest, email: str, user: User, *, old_email: str, told_email: str
) -> tuple[RecoveryEmailChange, str]:
    drop_wishes(request, Dropped.REPLACED)
    secret = secrets.token_urlsafe(32)
    change = RecoveryEmailChange.objects.create(
        request=request,
        asked_by=user,
        new_email=email,
        old_email=old_email,
        told_email=told_email,
        digest=_digest(secret),
        session_hash=user.get_session_auth_hash(),
        expires_at=timezone.now() + datetime.timedelta(hours=settings.RECOVERY_LINK_HOURS),
    )
    return change, secret


def _witness(request: PecRequest, new_email: str) -> str:
    """Who is told that a change was asked for, and may stop it: the address in force, else the fascicolo's.

    Not one of which staff have found that the member does not read it any more. Nobody where there is none.
    """
    lost = request.recovery_changes.filter(verdict=RecoveryEmailChange.Verdict.MEMBER)
    not_these = {new_email.casefold(), *(email.casefold() for email in lost.values_list("told_email", flat=True))}
    candidates = (request.recovery_email, request.member.usable_email)
    return next((email for email in candidates if email and email.casefold() not in not_these), "")


def _state(change: RecoveryEmailChange) -> LinkState:
    if change.alarm_at and not change.applied_at:
        return LinkState.STOPPED
    if change.dropped_at:
        return _WHY_DROPPED.get(Dropped(change.dropped or Dropped.REPLACED), LinkState.REPLACED)
    if change.confirmed_at:
        return LinkState.USED
    if change.request.status not in LIVE:
        return LinkState.ENDED
    if _outlived_its_password(change):
        return LinkState.OUTLIVED
    return LinkState.EXPIRED if change.expires_at <= timezone.now() else LinkState.VALID


def _waiting() -> Q:
    return Q(confirmed_at=None, dropped_at=None, expires_at__gt=timezone.now())


def _outlived_its_password(change: RecoveryEmailChange) -> bool:
    """Whoever changes the portal's password ends the sessions of others, and their wishes with them."""
    return change.session_hash != change.asked_by.get_session_auth_hash()


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
