"""What comes of an operation once the provider has answered, or has not: one short transaction each."""

from __future__ import annotations

import random

import structlog
from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from audit import log
from audit.actors import Actor
from pec_requests import health, lifecycle, notices, operations
from pec_requests.models import PecRequest, ProviderOperation
from pec_requests.operations import Claim
from pec_requests.performing import AddressTaken, Done, NeverRepeat, Outcome
from pec_requests.provider import Misconfigured, ProviderError, Refused, UnknownOutcome
from pec_requests.states import Kind, Status

logger = structlog.get_logger(__name__)
State = ProviderOperation.State
_WORKER = Actor.process("worker")
# Repeated pauses double up to this many seconds.
_LONGEST_PAUSE = 3600.0
# One operation can meet these alone; many in a row mean that the provider is away.
_AS_IF_AWAY = {"timed_out", "connection_lost", "unexpected_answer"}


def settle(claim: Claim, answer: Outcome | Exception) -> None:
    """Write down what came of a claimed operation; nothing when somebody else holds it by now."""
    with transaction.atomic():
        operation = operations.held(claim)
        if operation is None:
            logger.warning("claim_lost", operation=claim.operation.pk)
            return
        if isinstance(answer, Exception):
            _settle_error(claim, operation, answer)
        else:
            health.succeeded()
            _settle_outcome(operation, answer)


def _settle_outcome(operation: ProviderOperation, outcome: Outcome) -> None:
    match outcome:
        case Done(result):
            operations.finish(operation, State.DONE, result=result)
            _after_done(operation, result)
        case AddressTaken() if operation.request.status != Status.RICHIESTA:
            operations.finish(operation, State.WITHDRAWN)
        case AddressTaken() if operation.attempts >= settings.OPERATION_MAX_ATTEMPTS:
            words = _("Il gestore dà per assegnati tutti gli indirizzi proposti.")
            _attention(operation, words, look_first=False)
        case AddressTaken():
            lifecycle.readdress(operation.request, _WORKER)
            operations.postpone(operation, 0, error="", look_first=False)
        case NeverRepeat():
            operations.finish(operation, State.UNKNOWN)
            _record("pec.reset.unknown", operation)


def _after_done(operation: ProviderOperation, result: str) -> None:
    match Kind(operation.kind):
        case Kind.RESET:
            _record("pec.reset.sent", operation, email=result)
        case Kind.RECOVERY_EMAIL:
            _recovery_email_changed(operation)
        case Kind.CLOSE if not operation.request.is_live:
            _record("operation.closed_there", operation)
        case _:
            lifecycle.confirm(operation, _WORKER)


def _recovery_email_changed(operation: ProviderOperation) -> None:
    old, new = operation.request.recovery_email, operation.recovery_email
    PecRequest.objects.filter(pk=operation.request_id).update(recovery_email=new)
    _record("pec.recovery.changed", operation, email=notices.masked(new))
    notices.recovery_email_changed(operation.request, old, new)


def _settle_error(claim: Claim, operation: ProviderOperation, error: Exception) -> None:
    """The four kinds of error, and the one that is ours: an unexpected one is an unknown outcome."""
    if not isinstance(error, ProviderError):
        logger.error("operation_failed", operation=operation.pk, exc_info=error)
        error = UnknownOutcome(_("Errore imprevisto del portale: l'assistenza è stata avvisata."))
    unsure = claim.look_first or error.maybe_done
    spare = _count(error, probe=claim.probe)
    match error:
        case _ if operation.kind == Kind.CREATE and not operation.request.is_live:
            operations.finish(operation, State.WITHDRAWN, error=str(error))  # the closing behind it looks what is there
        case Misconfigured():
            if health.stop(str(error)):
                notices.provider_stopped(str(error))
            operations.postpone(operation, 0, error=str(error), look_first=unsure, spare_attempt=True)
        case Refused():
            _attention(operation, str(error), look_first=False)
        case UnknownOutcome() if operation.kind == Kind.RESET:
            _settle_outcome(operation, NeverRepeat())
        case _ if operation.attempts >= settings.OPERATION_MAX_ATTEMPTS and not spare:
            _attention(operation, str(error), look_first=unsure)
        case _:
            seconds = error.retry_after if error.retry_after is not None else _pause(operation.attempts)
            operations.postpone(operation, seconds, error=str(error), look_first=unsure, spare_attempt=spare)


def _count(error: ProviderError, *, probe: bool) -> bool:
    """Tell the breaker; True where the error is the whole provider's, and no attempt of this operation."""
    if isinstance(error, Misconfigured):
        return False
    if error.outage or error.code in _AS_IF_AWAY:
        return health.failed(str(error), probe=probe) or error.outage
    health.succeeded()
    return False


def _attention(operation: ProviderOperation, words: str, *, look_first: bool) -> None:
    operation.look_first = look_first
    operations.finish(operation, State.ATTENTION, error=words)
    _record("operation.attention", operation, kind=operation.get_kind_display(), error=words)


def _pause(attempts: int) -> float:
    """Seconds before the next try: doubling, with jitter, so that what failed together does not come back together."""
    longest: float = min(settings.OPERATION_RETRY_SECONDS * 2 ** max(attempts - 1, 0), _LONGEST_PAUSE)
    return longest * random.uniform(0.5, 1.0)  # noqa: S311  (no secret)


def _record(action: str, operation: ProviderOperation, **detail: str) -> None:
    request = operation.request
    log.record(
        action,
        _WORKER,
        request,
        person=request.member_id,
        ordine=request.member.ordine.code,
        address=request.address,
        **detail,
    )
