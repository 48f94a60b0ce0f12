"""The only writer of ``PecRequest.status``. Every function works on a set of requests: one is a set of one.

Each locks the rows in order, reads them again, returns quietly where the wanted state is already there, refuses with
``IllegalMove`` what the table of states does not know, and else saves, writes the log and queues what follows, all in
one transaction. The caller's tenancy scope decides which rows exist.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from audit import log
from audit.actors import Actor
from members.models import Member
from members.sets import among
from pec_requests import addresses, corrections, eligibility, notices, operations
from pec_requests.eligibility import Reason
from pec_requests.models import PecDomain, PecRequest, ProviderOperation, RequestBatch
from pec_requests.states import FINAL, LIVE, MOVES, IllegalMove, Kind, Move, Status, Who, move, move_by, target_of

# How many members are read, judged and written at once.
_SOME = 5000
_INSERT = f"""
INSERT INTO {PecRequest._meta.db_table}
    (public_id, member_id, ordine_id, domain_id, batch_id, address, recovery_email, status, reason)
SELECT gen_random_uuid(), member_id, ordine_id, %(domain)s, %(batch)s::bigint, address, email, %(status)s, ''
FROM unnest(%(members)s::bigint[], %(ordini)s::bigint[], %(addresses)s::text[], %(emails)s::text[]) WITH ORDINALITY
    AS asked(member_id, ordine_id, address, email, place)
ORDER BY place
RETURNING member_id, id
"""  # noqa: S608  (names of our own)
_REQUESTED_LOG = """
SELECT object_id, person, jsonb_build_object('address', address) AS detail
FROM unnest(%(requests)s::bigint[], %(members)s::bigint[], %(addresses)s::text[]) AS made(object_id, person, address)
"""


@dataclass
class Requested:
    """What came of asking for some members, by primary keys: requests ``made``, and who was ``kept_out`` for which
    reason. With many of them ``created`` and ``refused`` are long to read.
    """

    domain: PecDomain
    made: array[int] = field(default_factory=lambda: array("q"))
    kept_out: dict[Reason, array[int]] = field(default_factory=dict)

    @property
    def created(self) -> QuerySet[PecRequest]:
        """The requests made, in the order of their members."""
        return PecRequest.objects.filter(pk__in=self.made).select_related("member__ordine").order_by("pk")

    @property
    def refused(self) -> list[tuple[Member, str]]:
        """The members who cannot have one, each with a sentence that says why."""
        whys = {pk: reason.sentence(self.domain) for reason, ids in self.kept_out.items() for pk in ids}
        return [(member, whys[member.pk]) for member in Member.objects.filter(pk__in=whys).order_by("pk")]

    def keep_out(self, refusals: Mapping[int, Reason]) -> None:
        for pk, reason in refusals.items():
            self.kept_out.setdefault(reason, array("q")).append(pk)


@transaction.atomic
def request_pec(
    member_ids: Iterable[int],
    domain: PecDomain,
    actor: Actor,
    *,
    batch: RequestBatch | None = None,
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> Requested:
    """Make a request, with an address reserved, for each member who can be given a PEC.

    Of however many, a few thousand at a time are in memory; ``tell`` is told how many are done, of how many. All the
    members are locked before the domain is: whoever waits for a member keeps nobody else from reserving addresses.
    """
    ids = _lock_members(member_ids)
    rules, outcome = eligibility.Rules(domain), Requested(domain)
    for start in range(0, len(ids), _SOME):
        tell(start, len(ids))
        members = eligibility.look_at(ids[start : start + _SOME])
        refusals = rules.refusals(members)
        outcome.keep_out(refusals)
        if able := [m for m in members if m.pk not in refusals]:
            outcome.made.extend(_request_some(able, rules, actor, batch))
    tell(len(ids), len(ids))
    return outcome


def _lock_members(member_ids: Iterable[int]) -> array[int]:
    """In the one order of primary keys; those that there are."""
    wanted, locked = sorted(set(member_ids)), array("q")
    for start in range(0, len(wanted), _SOME):
        rows = Member.objects.filter(among('"members_member"."id"', wanted[start : start + _SOME])).order_by("pk")
        locked.extend(rows.select_for_update(of=("self",), no_key=True).values_list("pk", flat=True))
    return locked


def _request_some(
    members: Sequence[Member], rules: eligibility.Rules, actor: Actor, batch: RequestBatch | None
) -> Collection[int]:
    """Reserve, insert, log and queue for members who can be given a PEC; the primary keys of the requests."""
    reservation = addresses.reserve(members, rules.domain)
    reserved = reservation.addresses
    values = {
        "domain": rules.domain.pk,
        "batch": batch.pk if batch else None,
        "status": Status.RICHIESTA,
        "members": [m.pk for m in members],
        "ordini": [m.ordine_id for m in members],
        "addresses": [reserved[m.pk] for m in members],
        "emails": [m.usable_email for m in members],
    }
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, values)
        requests: dict[int, int] = dict(cursor.fetchall())
    if reservation.again:  # no other address can have been closed before
        operations.withdraw_closings(reservation.again)
    for ordine_id in dict.fromkeys(m.ordine_id for m in members):
        ids = [m.pk for m in members if m.ordine_id == ordine_id]
        made = {"requests": [requests[pk] for pk in ids], "members": ids, "addresses": [reserved[pk] for pk in ids]}
        log.record_rows("pec.request", actor, PecRequest, _REQUESTED_LOG, made, ordine=rules.ordini[ordine_id])
    operations.enqueue_for({requests[m.pk]: reserved[m.pk] for m in members if m.usable_email}, Kind.CREATE)
    return requests.values()


@transaction.atomic
def cancel_untried(request_ids: Iterable[int], actor: Actor, *, reason: str) -> int:
    """Cancel those of these requests of which the provider certainly knows nothing: nobody has tried to create the
    mailbox, or nobody could yet. The others stay. Return how many were cancelled.
    """
    requests = [r for r in _lock(request_ids) if r.status == Status.RICHIESTA]
    untried = operations.hold_untried([r.pk for r in requests])
    chosen = [r for r in requests if r.pk in untried or not r.recovery_email]
    for row in {_legal(request, "cancel") for request in chosen}:
        _carry_out(row, chosen, actor, reason)
    return len(chosen)


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

    The operations are held by the caller: their requests are locked and as they are now. What was done for one that has
    moved on is in the log all the same.
    """
    changed: dict[Move, list[PecRequest]] = {}
    for operation in done:
        if row := move_by(operation.kind, operation.request.status):
            changed.setdefault(row, []).append(operation.request)
        else:
            _record("operation.done", [operation.request], actor, kind=str(Kind(operation.kind).label))
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
