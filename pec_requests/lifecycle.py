"""The only writer of ``PecRequest.status``. Every function works on a set of requests: one is a set of one.

Each locks the rows in order, reads them again, returns quietly where the wanted state is already there, refuses with
``IllegalMove`` what the table of states does not know, and else saves, writes the log and queues what follows, all in
one transaction. The caller's tenancy scope decides which rows exist.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from audit import log
from audit.actors import Actor
from members.models import Member
from pec_requests import addresses, corrections, eligibility, notices, operations
from pec_requests.models import PecDomain, PecRequest, ProviderOperation
from pec_requests.states import FINAL, LIVE, MOVES, IllegalMove, Kind, Move, Status, Who, move, move_by, target_of


@dataclass
class Requested:
    """What came of a set of requests: those made, and a sentence for each member who cannot have one."""

    created: list[PecRequest] = field(default_factory=list)
    refused: list[tuple[Member, str]] = field(default_factory=list)


@transaction.atomic
def request_pec(member_ids: Iterable[int], domain: PecDomain, actor: Actor) -> Requested:
    """Make a request, with an address reserved, for each member who can be given a PEC."""
    members = list(
        Member.objects.select_for_update(of=("self",), no_key=True).filter(pk__in=list(member_ids)).order_by("pk")
    )
    refusals = eligibility.refusals(members, domain)
    outcome = Requested(refused=[(m, refusals[m.pk]) for m in members if m.pk in refusals])
    able = [m for m in members if m.pk not in refusals]
    reserved = addresses.reserve(able, domain)
    outcome.created = PecRequest.objects.bulk_create(
        [PecRequest(member=m, domain=domain, address=reserved[m.pk], recovery_email=m.usable_email) for m in able],
        batch_size=1000,
    )
    operations.withdraw_closings(reserved.values())
    _record("pec.request", outcome.created, actor)
    operations.enqueue([r for r in outcome.created if r.recovery_email], Kind.CREATE)
    return outcome


@transaction.atomic
def decide(request_ids: Iterable[int], act: str, actor: Actor, *, reason: str = "") -> list[PecRequest]:
    """What a person decides: ``accept``, ``refuse``, ``cancel``, ``suspend``, ``resume``, ``close``.

    The status changes at once, or, where the provider has a part in it, when a worker confirms. Deciding again what is
    already decided, or done, changes nothing. Return the requests that this call changed.
    """
    changed: list[tuple[PecRequest, Move]] = []
    targets = target_of(act)
    for request in _lock(request_ids, ending=not targets.isdisjoint(FINAL)):
        if request.status not in targets and not _already_decided(request, act):
            changed.append((request, _legal(request, act)))
    for row in {row for _request, row in changed}:
        _carry_out(row, [request for request, its_row in changed if its_row == row], actor, reason)
    return [request for request, _row in changed]


def confirm(done: Iterable[ProviderOperation], actor: Actor) -> None:
    """The provider has done these operations: make the moves that waited for them, where a request still stands there.

    The operations are held by the caller: their requests are locked and as they are now.
    """
    changed: dict[Move, list[PecRequest]] = {}
    for operation in done:
        if row := move_by(operation.kind, operation.request.status):
            changed.setdefault(row, []).append(operation.request)
    for row, requests in changed.items():
        _change(requests, row, actor)


@transaction.atomic
def readdress(request: PecRequest, actor: Actor) -> str:
    """The provider has given this address to somebody else: reserve the next one for the member and return it."""
    request = _lock([request.pk])[0]
    old, request.address = request.address, addresses.give_up(request)
    PecRequest.objects.filter(pk=request.pk).update(address=request.address)
    operations.follow(request)
    _record("pec.readdressed", [request], actor, old=old)
    return request.address


@transaction.atomic
def give_recovery_email(request_ids: Iterable[int], actor: Actor) -> int:
    """Requests that wait for a recovery e-mail take the member's, where it is usable now. Return how many did."""
    served = []
    for request in _lock(request_ids):
        email = request.member.usable_email
        if request.status == Status.RICHIESTA and not request.recovery_email and email:
            set_recovery_email(request, email, actor)
            served.append(request)
    return len(served)


def set_recovery_email(request: PecRequest, email: str, actor: Actor) -> None:
    """Give a request, locked by the caller, the recovery e-mail it waits for, and have the mailbox created."""
    request.recovery_email = email
    PecRequest.objects.filter(pk=request.pk).update(recovery_email=email)
    _record("pec.recovery.set", [request], actor, email=notices.masked(email))
    operations.enqueue([request], Kind.CREATE)
    operations.retry(request.operations.filter(kind=Kind.CREATE))


@transaction.atomic
def drop_operation(operation_id: int, actor: Actor) -> None:
    """Staff give up an operation that the provider refused; the decision behind it is taken back with it."""
    operation = ProviderOperation.objects.get(pk=operation_id)
    request = _lock([operation.request_id])[0]
    operation = ProviderOperation.objects.select_for_update(of=("self",)).get(pk=operation_id)
    if operation.state == ProviderOperation.State.WITHDRAWN:
        return
    if not can_drop(operation):
        raise IllegalMove(_("A questa operazione non si può rinunciare: riprovare, o annullare la richiesta."))
    ProviderOperation.objects.filter(pk=operation.pk).update(state=ProviderOperation.State.WITHDRAWN, finished_at=Now())
    if operation.kind == Kind.ACTIVATE:
        PecRequest.objects.filter(pk=request.pk).update(accepted_at=None)
    if operation.kind == Kind.CLOSE:
        PecRequest.objects.filter(pk=request.pk).update(closes_on=None)  # the Ordine's days begin again
    if operation.kind == Kind.TAX_CODE and not corrections.take_back(request, operation, actor):
        raise IllegalMove(_("Il codice fiscale di prima lo ha ora un'altra scheda: unire le due schede."))
    _record("operation.dropped", [request], actor, kind=operation.get_kind_display())


def can_drop(operation: ProviderOperation) -> bool:
    """Whether staff may give up an operation: it certainly had no effect, because nobody tried or the provider refused.

    What the member decided can only be given up once the provider has refused it.
    """
    if operation.look_first or operation.kind == Kind.CREATE:
        return False
    untried = operation.state == ProviderOperation.State.WAITING and not operation.attempts
    by_staff = any(m.operation == operation.kind and m.who == Who.STAFF for m in MOVES)
    wanted = operation.kind != Kind.CLOSE or operation.request.is_live
    return operation.state == ProviderOperation.State.ATTENTION or (untried and by_staff and wanted)


@transaction.atomic
def retry_operations(operation_ids: Iterable[int], actor: Actor) -> int:
    """Staff ask to try again what needs attention. Return how many operations went back to the queue."""
    chosen = ProviderOperation.objects.filter(pk__in=list(operation_ids)).values_list("request_id", flat=True)
    requests = {r.pk: r for r in _lock(chosen)}
    _drop_what_came_too_late(operation_ids)
    stuck = ProviderOperation.objects.filter(pk__in=list(operation_ids), state=ProviderOperation.State.ATTENTION)
    rows = list(stuck.select_for_update(of=("self",)).order_by("pk"))
    for kind in Kind:
        _record(
            "operation.retry", [requests[o.request_id] for o in rows if o.kind == kind], actor, kind=str(kind.label)
        )
    operations.retry(rows)
    return len(rows)


def _drop_what_came_too_late(operation_ids: Iterable[int]) -> None:
    """What a request asked for before it ended is void; so is closing a mailbox that a later request has taken up."""
    stuck = ProviderOperation.objects.filter(pk__in=list(operation_ids), state=ProviderOperation.State.ATTENTION)
    ended = stuck.filter(request__status__in=FINAL)
    taken_up = PecRequest.objects.filter(address=OuterRef("request__address"), status__in=LIVE)
    void = ended.filter(~Q(kind=Kind.CLOSE) | Exists(taken_up))
    ProviderOperation.objects.filter(pk__in=[o.pk for o in void]).update(
        state=ProviderOperation.State.WITHDRAWN, finished_at=Now()
    )


def _lock(request_ids: Iterable[int], *, ending: bool = False) -> list[PecRequest]:
    """Requests in order; where they may end, their members first, who may then be without a PEC."""
    ids = list(request_ids)
    if ending:
        operations.lock_members(ids)
    rows = PecRequest.objects.select_for_update(of=("self",)).select_related("member__ordine", "domain")
    return list(rows.filter(pk__in=ids).order_by("pk"))


def _already_decided(request: PecRequest, act: str) -> bool:
    """The act waits for the provider: an operation that carries it out is there and not settled."""
    if act == "accept":
        return request.status == Status.NON_ATTIVO and request.accepted_at is not None
    awaited = [m.operation for m in MOVES if m.act == act and m.source == request.status and m.operation]
    return request.operations.filter(kind__in=awaited, state__in=ProviderOperation.UNSETTLED).exists()


def _legal(request: PecRequest, act: str) -> Move:
    row = move(act, request.status)
    if row.before_acceptance and request.accepted_at is not None:
        raise IllegalMove(_("L'iscritto ha già accettato la casella %(address)s.") % {"address": request.address})
    if act == "accept" and operations.former_tax_codes([request]):
        # With the acceptance recognition begins: then the provider corrects nobody's code any more.
        raise IllegalMove(_("L'Ordine sta correggendo il codice fiscale presso il gestore: riprovare più tardi."))
    return row


def _carry_out(row: Move, requests: list[PecRequest], actor: Actor, reason: str) -> None:
    if row.operation is None:
        _change(requests, row, actor, reason=reason)
        return
    if row.act == "accept":
        PecRequest.objects.filter(pk__in=[r.pk for r in requests]).update(accepted_at=Now())
    elif reason:
        PecRequest.objects.filter(pk__in=[r.pk for r in requests]).update(reason=reason)
    _record(f"pec.{row.act}.decided", requests, actor, reason=reason)
    operations.enqueue(requests, row.operation)


def _change(requests: list[PecRequest], row: Move, actor: Actor, *, reason: str = "") -> None:
    """Write the new status, the log, the mails and what the provider must still do."""
    for request in requests:
        request.status = row.target
    changes = {"status": row.target, "status_at": Now()} | ({"reason": reason} if reason else {})
    PecRequest.objects.filter(pk__in=[r.pk for r in requests]).update(**changes)
    _record(f"pec.{row.act}", requests, actor, reason=reason)
    if row.target in FINAL:
        _close_there(requests)
    notices.moved(requests, row.act)


def _close_there(requests: list[PecRequest]) -> None:
    """After the end of a request, close the mailbox that the provider has, or may have, for it."""
    former = operations.former_tax_codes(requests)
    maybe_known = operations.withdraw(requests)
    created = ProviderOperation.objects.filter(kind=Kind.CREATE, state=ProviderOperation.State.DONE)
    known = maybe_known | set(created.filter(request__in=requests).values_list("request_id", flat=True))
    closing = [r for r in requests if r.status != Status.CESSATO and r.pk in known]
    operations.enqueue(closing, Kind.CLOSE, former_tax_codes=former)


def _record(action: str, requests: Iterable[PecRequest], actor: Actor, **detail: str) -> None:
    log.record_many(
        log.entry(action, actor, r, person=r.member_id, ordine=r.member.ordine.code, address=r.address, **detail)
        for r in requests
    )


@transaction.atomic
def found_closed(request_ids: Iterable[int], actor: Actor) -> list[PecRequest]:
    """The provider has closed these mailboxes, or is closing them, without our asking. Return the requests that ended.

    From a status that no closing leads away from, nothing changes.
    """
    ended: dict[Move, list[PecRequest]] = {}
    for request in _lock(request_ids, ending=True):
        if row := move_by(Kind.CLOSE, request.status):
            ended.setdefault(row, []).append(request)
    for row, requests in ended.items():
        _change(requests, row, actor, reason=_("Chiusura trovata presso il gestore."))
    return [request for requests in ended.values() for request in requests]
