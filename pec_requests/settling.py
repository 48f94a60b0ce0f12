"""What comes of an operation once the provider has answered, or has not: one short transaction each."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.utils.translation import gettext as _

from audit import log
from audit.actors import Actor
from pec_requests import health, lifecycle, notices, operations, recovery_in_force, recovery_mails
from pec_requests.models import ProviderOperation
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
Answer = Outcome | Exception


def settle_all(answers: Iterable[tuple[Claim, Answer]]) -> None:
    """Write down what came of claimed operations: those that succeeded together, the others one by one.

    One that cannot be written keeps no other from being written; it is looked into when its lease is over.
    """
    answers = list(answers)
    done = [(claim, answer) for claim, answer in answers if isinstance(answer, Done)]
    alone = [(claim, answer) for claim, answer in answers if not isinstance(answer, Done)]
    if len(done) > 1:
        with _logged("settling_together_failed", [claim.operation.pk for claim, _answer in done]) as went_well:
            _settle_done([claim for claim, _answer in done], {claim.token: answer.result for claim, answer in done})
        done = [] if went_well else done
    for claim, answer in [*done, *alone]:
        with _logged("settling_failed", [claim.operation.pk]):
            settle(claim, answer)


@contextmanager
def _logged(event: str, ids: list[int]) -> Iterator[list[bool]]:
    """Note an error and go on, unless the database is gone; what it gives is not empty where all went well."""
    went_well: list[bool] = []
    try:
        yield went_well
        went_well.append(True)
    except Exception as error:
        if not connection.is_usable():
            raise
        logger.error(event, operations=ids, exc_info=error)


def settle(claim: Claim, answer: Answer) -> None:
    """Write down what came of a claimed operation; nothing when somebody else holds it by now."""
    if isinstance(answer, Done):
        _settle_done([claim], {claim.token: answer.result})
        return
    with transaction.atomic():
        operation = operations.held([claim]).get(claim.token)
        if operation is None:
            _lost([claim])
        elif isinstance(answer, Exception):
            _settle_error(claim, operation, answer)
        else:
            health.succeeded()
            _settle_outcome(operation, answer)


def _lost(claims: Iterable[Claim]) -> None:
    for claim in claims:
        logger.warning("claim_lost", operation=claim.operation.pk)


@transaction.atomic
def _settle_done(claims: list[Claim], results: dict[uuid.UUID, str]) -> None:
    held = operations.held(claims)
    _lost(claim for claim in claims if claim.token not in held)
    health.succeeded()
    for result in set(results.values()):
        operations.finish([o for token, o in held.items() if results[token] == result], State.DONE, result=result)
    moving = []
    for token, operation in held.items():
        match Kind(operation.kind):
            case Kind.RESET:
                _record("pec.reset.sent", operation, email=results[token])
                recovery_mails.reset_sent(operation.request)
            case Kind.RECOVERY_EMAIL:
                recovery_in_force.made(operation.request, operation.recovery_email, _WORKER)
            case Kind.TAX_CODE:
                _record("pec.tax_code.corrected", operation)
            case Kind.CLOSE if not operation.request.is_live:
                _record("operation.closed_there", operation)
            case _:
                moving.append(operation)
    lifecycle.confirm(moving, _WORKER)


def _settle_outcome(operation: ProviderOperation, outcome: AddressTaken | NeverRepeat) -> None:
    match outcome:
        case AddressTaken() if operation.request.status != Status.RICHIESTA:
            operations.finish([operation], State.WITHDRAWN)
        case AddressTaken() if operation.attempts >= settings.OPERATION_MAX_ATTEMPTS:
            words = _("Il gestore dà per assegnati tutti gli indirizzi proposti.")
            _attention(operation, words, look_first=False)
        case AddressTaken():
            lifecycle.readdress(operation.request, _WORKER)
            operations.postpone(operation, 0, error="", look_first=False)
        case NeverRepeat():
            _unknown(operation, _("Il lavoro si è interrotto prima che si sapesse l'esito."))


def _settle_error(claim: Claim, operation: ProviderOperation, error: Exception) -> None:
    """The four kinds of error, and the one that is ours: an unexpected one is an unknown outcome."""
    if not isinstance(error, ProviderError):
        logger.error("operation_failed", operation=operation.pk, exc_info=error)
        error = UnknownOutcome(_("Errore imprevisto del portale: l'assistenza è stata avvisata."))
    unsure = claim.look_first or error.maybe_done
    spare = _count(error, probe=claim.probe)
    match error:
        case _ if operation.kind in (Kind.CREATE, Kind.TAX_CODE) and not operation.request.is_live:
            # The closing behind it looks what is there.
            operations.finish([operation], State.WITHDRAWN, error=str(error))
        case Misconfigured():
            if health.stop(str(error)):
                notices.provider_stopped(str(error))
            operations.postpone(operation, 0, error=str(error), look_first=unsure, spare_attempt=True)
        case Refused():
            _attention(operation, str(error), look_first=False, refused_field=error.field)
            if operation.kind == Kind.RECOVERY_EMAIL:
                recovery_in_force.not_made(operation.request, operation.recovery_email)
            else:
                notices.refused(operation, error.field)
        case UnknownOutcome() if operation.kind == Kind.RESET:
            _unknown(operation, str(error))
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


def _unknown(operation: ProviderOperation, words: str) -> None:
    operations.finish([operation], State.UNKNOWN, error=words)
    _record("pec.reset.unknown", operation)


def _attention(operation: ProviderOperation, words: str, *, look_first: bool, refused_field: str = "") -> None:
    operations.finish([operation], State.ATTENTION, error=words, look_first=look_first, refused_field=refused_field)
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
