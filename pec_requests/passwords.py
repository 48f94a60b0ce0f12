"""The password-reset link of a mailbox, asked for from the panel. The provider sends it, and at most once per wish."""

from __future__ import annotations

import datetime

from django.db import transaction
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from audit import log
from audit.actors import Actor
from pec_requests import mail_limits, operations, recovery
from pec_requests.models import PecRequest, ProviderOperation
from pec_requests.recovery_in_force import RecoveryRefused
from pec_requests.states import Kind, Status

# Between one link and the next: time for the mail to arrive.
_PAUSE = datetime.timedelta(minutes=2)
_MAYBE_SENT = (ProviderOperation.State.DONE, ProviderOperation.State.UNKNOWN)


class ResetRefused(Exception):
    """No link can be sent now. ``str()`` says why, to the member."""


def check(request: PecRequest) -> None:
    """Raise ``ResetRefused`` where there is no password, or nobody can say for sure where the link would go."""
    if request.status not in (Status.ATTIVO, Status.SOSPESO):
        raise ResetRefused(_("La casella non è attiva: non ha ancora una password da reimpostare."))
    try:
        recovery.check_frozen(request)
    except RecoveryRefused as why:
        raise ResetRefused(str(why)) from None
    changing = request.operations.filter(kind=Kind.RECOVERY_EMAIL, state__in=ProviderOperation.OPEN)
    if changing.exists():
        raise ResetRefused(_("Il gestore sta registrando la nuova email di recupero: chiedi il link appena ha finito."))


@transaction.atomic
def ask_reset(request_id: int, actor: Actor) -> None:
    """Queue one reset link for an active mailbox."""
    request = PecRequest.objects.select_for_update(of=("self",)).select_related("member__ordine").get(pk=request_id)
    check(request)
    resets = request.operations.filter(kind=Kind.RESET)
    if resets.filter(state__in=ProviderOperation.OPEN).exists():
        raise ResetRefused(_("Il link è già stato chiesto e sta per essere spedito."))
    if resets.filter(state__in=_MAYBE_SENT, finished_at__gt=Now() - _PAUSE).exists():
        raise ResetRefused(_("Un link è appena stato spedito: attendere due minuti prima di chiederne un altro."))
    if why := mail_limits.why_not_yet(resets):
        raise ResetRefused(why)
    resets.filter(state=ProviderOperation.State.ATTENTION).update(state=ProviderOperation.State.WITHDRAWN)
    log.record(
        "pec.reset.asked",
        actor,
        request,
        person=request.member_id,
        ordine=request.member.ordine.code,
        address=request.address,
    )
    operations.enqueue([request], Kind.RESET)
