"""The recovery e-mail in force, and how another comes to be: the provider has the last word, once the mailbox is made.

Who may want one is the business of ``recovery`` and ``recovery_alarms``; here the request is locked already.
"""

from __future__ import annotations

from django.conf import settings
from django.core import signing
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.urls import reverse
from django.utils.translation import gettext as _

from audit import log
from audit.actors import Actor
from members import emails
from pec_requests import lifecycle, operations, recovery_mails
from pec_requests.models import PecRequest, ProviderOperation, RecoveryEmailChange
from pec_requests.states import Kind, Status

State = ProviderOperation.State
# Of the link that stops a change nothing is kept: when the change is made it is needed again.
STOP_LINK = signing.Signer(sep=".", salt="pec_requests.recovery.stop")


class RecoveryRefused(Exception):
    """The recovery e-mail cannot be changed like this. ``str()`` says why, to the member."""


def locked(request_id: int) -> PecRequest:
    """The request as it is now, for the length of the transaction."""
    return PecRequest.objects.select_for_update(of=("self",)).select_related("member__ordine").get(pk=request_id)


def change(request: PecRequest, email: str, actor: Actor) -> None:
    """Before the mailbox exists the portal alone decides; afterwards the provider must change it first."""
    maybe_made = request.operations.filter(kind=Kind.CREATE, state__in=ProviderOperation.UNSETTLED, look_first=True)
    if request.status == Status.RICHIESTA and not maybe_made.exists():
        old = request.recovery_email
        lifecycle.set_recovery_email(request, email, actor)
        _tell_changed(request, old, email)
        return
    refuse_while_running(request)
    _unsettled(request).update(state=State.WITHDRAWN, finished_at=Now())
    operations.enqueue([request], Kind.RECOVERY_EMAIL, recovery_email=email)


def made(request: PecRequest, email: str, actor: Actor) -> None:
    """The provider has this address now; the request is locked. It may also be the old one, written there again."""
    old = request.recovery_email
    if emails.same(old, email):
        record("pec.recovery.kept", request, actor, email)
        return
    PecRequest.objects.filter(pk=request.pk).update(recovery_email=email)
    request.recovery_email = email
    record("pec.recovery.changed", request, actor, email)
    _tell_changed(request, old, email)


def not_made(request: PecRequest, email: str) -> None:
    """The provider refuses this address: both are told that the old one stays, unless it is that one, written again."""
    if request.is_live and not emails.same(request.recovery_email, email):
        recovery_mails.refused(request, email)


def call_off(request: PecRequest) -> str:
    """Stop what is about to change the address at the provider; the address that it was to be.

    A call that has begun cannot be taken back. Then nothing is made of its answer, and the address in force is written
    over it: not before the lease of whoever makes the call, after which nobody makes it any more.
    """
    unsettled = _unsettled(request).exclude(recovery_email=request.recovery_email)
    operation = unsettled.select_for_update(of=("self",)).first()
    if operation is None:
        return ""
    withdrawn = request.operations.filter(pk=operation.pk)
    withdrawn.update(state=State.WITHDRAWN, claim=None, finished_at=Now())
    if operation.look_first:
        operations.enqueue([request], Kind.RECOVERY_EMAIL, recovery_email=request.recovery_email)
        _unsettled(request).update(not_before=operation.not_before)
    return operation.recovery_email


def refuse_while_running(request: PecRequest) -> None:
    """A worker that would claim one now passes it by until the end of this transaction."""
    held = list(_unsettled(request).select_for_update(of=("self",)).values_list("state", flat=True))
    if State.RUNNING in held:
        raise RecoveryRefused(
            _("Un cambio dell'email di recupero è già in corso presso il gestore: riprovare tra un minuto.")
        )


def stop_link(change: RecoveryEmailChange) -> str:
    """Where one says "it was not me"."""
    address = reverse("pec_requests:stop-recovery", args=[STOP_LINK.sign(str(change.pk))])
    return f"{settings.PORTAL_URL}{address}"


def record(action: str, request: PecRequest, actor: Actor, email: str) -> None:
    log.record(
        action,
        actor,
        request,
        person=request.member_id,
        ordine=request.member.ordine.code,
        address=request.address,
        email=emails.mask(email),
    )


def _tell_changed(request: PecRequest, old: str, new: str) -> None:
    """Who was told of the wish, and the new address; of a change that no member wished, both addresses."""
    wishes = request.recovery_changes.filter(confirmed_at__isnull=False, applied_at=None, new_email=new)
    change = wishes.order_by("-id").first()
    if change is None:
        recovery_mails.changed(request, [old, new], new)
        return
    request.recovery_changes.filter(pk=change.pk).update(applied_at=Now())
    told = change.told_email
    # Whoever has just confirmed the first address there ever was knows it.
    recovery_mails.changed(request, [told, new] if old else [told], new, told=told, stop_link=stop_link(change))


def _unsettled(request: PecRequest) -> QuerySet[ProviderOperation]:
    return request.operations.filter(kind=Kind.RECOVERY_EMAIL, state__in=ProviderOperation.UNSETTLED)
