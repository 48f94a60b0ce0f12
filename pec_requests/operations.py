"""The queue of what is asked of the provider: rows of PostgreSQL, claimed for a while, settled by their claimer."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, Model, Prefetch, Q, QuerySet
from django.db.models.functions import Now

from members.models import Member
from members.wake import wake
from pec_requests import health
from pec_requests.models import PecRequest, ProviderOperation
from pec_requests.states import Kind

State = ProviderOperation.State
WORKER_TASK = "pec_requests.tasks.run_operations"

# Only the oldest open operation of an account, whatever request it is of, can be claimed: nothing overtakes anything.
# A queue that has just been filled has no statistics, and yet the planner must not look at all of it to claim a few:
# hence _IN_ORDER, which leaves it the index that has the queue in order; a count and no NOT EXISTS, which may become a
# join with the whole queue; and finished_at, as state would lead it to another index.
_IN_ORDER = "SET LOCAL enable_sort = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_seqscan = off"
_CLAIM = """
WITH picked AS (
    SELECT o.id, o.look_first
      FROM pec_requests_provideroperation o
     WHERE o.state IN ('WAITING', 'RUNNING') AND o.not_before <= statement_timestamp()
       AND (SELECT count(*) FROM pec_requests_provideroperation earlier
             WHERE earlier.address = o.address AND earlier.id < o.id AND earlier.finished_at IS NULL) = 0
     ORDER BY o.not_before, o.id
     LIMIT %s
       FOR UPDATE OF o SKIP LOCKED
)
UPDATE pec_requests_provideroperation o
   SET state = 'RUNNING', claim = gen_random_uuid(), claimed_by = %s, claimed_at = clock_timestamp(),
       not_before = clock_timestamp() + make_interval(secs => %s), attempts = o.attempts + 1, look_first = TRUE
  FROM picked WHERE o.id = picked.id
RETURNING o.id, o.claim, picked.look_first
"""

# By hand: a request for many writes as many of these as of requests.
_ENQUEUE = f"""
INSERT INTO {ProviderOperation._meta.db_table}
    (request_id, address, former_tax_code, kind, state, recovery_email, attempts, look_first, claimed_by, result,
     last_error)
SELECT request_id, address, former_tax_code, %(kind)s, %(state)s, %(recovery_email)s, 0, FALSE, '', '', ''
FROM unnest(%(requests)s::bigint[], %(addresses)s::text[], %(former_tax_codes)s::text[]) WITH ORDINALITY
    AS asked(request_id, address, former_tax_code, place)
ORDER BY place
ON CONFLICT DO NOTHING
"""  # noqa: S608  (names of our own)


@dataclass(frozen=True)
class Claim:
    """An operation in our hands until its lease ends.

    ``look_first``: an earlier call may have had its effect. ``probe``: it tries whether an outage is over.
    """

    operation: ProviderOperation
    token: uuid.UUID
    look_first: bool
    probe: bool


def enqueue(
    requests: Iterable[PecRequest],
    kind: Kind,
    *,
    recovery_email: str = "",
    former_tax_codes: Mapping[int, str] | None = None,
) -> None:
    """Write one operation for each request, in the transaction of the decision, and wake the workers when it commits.

    An operation of this kind that is still unsettled for a request stands for the new one. ``former_tax_codes`` are by
    request: under which other code the provider may know the holder.
    """
    asked = {r.pk: r.address for r in requests}
    enqueue_for(asked, kind, recovery_email=recovery_email, former_tax_codes=former_tax_codes)


def enqueue_for(
    addresses: Mapping[int, str],
    kind: Kind,
    *,
    recovery_email: str = "",
    former_tax_codes: Mapping[int, str] | None = None,
) -> None:
    """The same for requests by primary key, each with its address."""
    if addresses:
        former = former_tax_codes or {}
        values: dict[str, Any] = {
            "kind": kind,
            "state": State.WAITING,
            "recovery_email": recovery_email,
            "requests": list(addresses),
            "addresses": list(addresses.values()),
            "former_tax_codes": [former.get(pk, "") for pk in addresses],
        }
        with connection.cursor() as cursor:
            cursor.execute(_ENQUEUE, values)
    wake(WORKER_TASK)


def follow(request: PecRequest) -> None:
    """The request has another address: what is not settled goes with it."""
    request.operations.filter(state__in=ProviderOperation.UNSETTLED).update(address=request.address)


def former_tax_codes(requests: Iterable[PecRequest]) -> dict[int, str]:
    """By request, the code that the provider may still have where correcting it there is not settled."""
    corrections = ProviderOperation.objects.filter(kind=Kind.TAX_CODE, state__in=ProviderOperation.UNSETTLED)
    return dict(corrections.filter(request__in=list(requests)).values_list("request_id", "former_tax_code"))


def withdraw(requests: Iterable[PecRequest]) -> set[int]:
    """Take back what no worker holds. Return the ids of the requests of which the provider may know something."""
    unsettled = ProviderOperation.objects.filter(request__in=list(requests), state__in=ProviderOperation.UNSETTLED)
    maybe_known = set(unsettled.filter(Q(attempts__gt=0) | Q(look_first=True)).values_list("request_id", flat=True))
    unsettled.exclude(state=State.RUNNING).update(state=State.WITHDRAWN, finished_at=Now())
    return maybe_known


def hold_untried(request_ids: Iterable[int]) -> set[int]:
    """Keep creations that nobody has tried from being claimed until the end of the transaction; whose they are."""
    creations = ProviderOperation.objects.select_for_update(of=("self",), skip_locked=True).filter(untried_creation())
    return set(creations.filter(request__in=list(request_ids)).order_by("pk").values_list("request_id", flat=True))


def untried_creation() -> Q:
    """Of a creation like this the provider certainly knows nothing."""
    return Q(kind=Kind.CREATE, state=State.WAITING, attempts=0, look_first=False)


def withdraw_closings(addresses: Iterable[str]) -> None:
    """A new request takes these addresses up again: an old wish to close them that nobody has tried yet is void."""
    untried = ProviderOperation.objects.filter(
        request__address__in=list(addresses),
        kind=Kind.CLOSE,
        state__in=[State.WAITING, State.ATTENTION],
        look_first=False,
    )
    if requests := sorted(untried.values_list("request_id", flat=True)):
        _lock(PecRequest, requests)
        untried.filter(request__in=requests).update(state=State.WITHDRAWN, finished_at=Now())


def lock_members(request_ids: Iterable[int]) -> None:
    """Lock the members of requests that may end; always before the requests, as whoever writes members does."""
    _lock(Member, PecRequest.objects.filter(pk__in=list(request_ids)).order_by().values("member"))


def _lock(model: type[Model], ids: Any) -> None:
    rows = model._default_manager.select_for_update(of=("self",), no_key=True).filter(pk__in=ids)
    list(rows.order_by("pk").values_list("pk"))


def claim(limit: int, worker: str) -> list[Claim]:
    """Claim up to ``limit`` operations for ``OPERATION_LEASE_SECONDS``, as far as the provider's health allows."""
    with transaction.atomic():
        allowed, probe = health.allowance(limit)
        if not allowed:
            return []
        with connection.cursor() as cursor:
            cursor.execute(_IN_ORDER)
            cursor.execute(_CLAIM, [allowed, worker, settings.OPERATION_LEASE_SECONDS])
            rows = {pk: (token, look_first) for pk, token, look_first in cursor.fetchall()}
        if rows and probe:
            health.probing()
        return [Claim(operation, *rows[operation.pk], probe) for operation in _claimed(rows)]


def _claimed(ids: Iterable[int]) -> QuerySet[ProviderOperation]:
    """Operations with their requests and members, but for what nobody asks: a moment costs as much as all the rest.

    Each table by its keys, no joins: an ANALYZE in the middle of a big transaction leaves the statistics of an empty
    table, with which the planner may join the whole of another to forty rows.
    """
    operations = ProviderOperation.objects.filter(pk__in=ids).order_by("pk")
    return operations.defer("created_at", "not_before", "claimed_at", "finished_at").prefetch_related(
        Prefetch("request", PecRequest.objects.defer("requested_at", "accepted_at", "status_at")),
        Prefetch("request__member", Member.objects.defer("birth_date", "email_confirmed_at", "created_at")),
        "request__member__ordine",
    )


def held(claims: Iterable[Claim]) -> dict[uuid.UUID, ProviderOperation]:
    """Lock claimed operations, their requests first; by token, without those whose claim is not ours any more.

    What may have changed of the requests since they were claimed is read again: status, address and recovery e-mail.
    """
    claims = list(claims)
    if ending := [c.operation.request_id for c in claims if c.operation.kind == Kind.CLOSE]:
        lock_members(ending)
    by_request = {c.operation.request_id: c.operation.request for c in claims}
    requests = PecRequest.objects.select_for_update(of=("self",)).filter(pk__in=by_request).order_by("pk")
    for pk, *now in requests.values_list("pk", "status", "address", "recovery_email"):
        request = by_request[pk]
        request.status, request.address, request.recovery_email = now
    ours = ProviderOperation.objects.select_for_update().filter(
        pk__in=[c.operation.pk for c in claims], claim__in=[c.token for c in claims], state=State.RUNNING
    )
    tokens = set(ours.order_by("pk").values_list("claim", flat=True))
    for claim in claims:
        claim.operation.request = by_request[claim.operation.request_id]
    return {c.token: c.operation for c in claims if c.token in tokens}


def release(claims: Iterable[Claim]) -> None:
    """Give back claims for which nothing was begun: as if they had never been claimed."""
    for look_first in (True, False):
        tokens = [c.token for c in claims if c.look_first == look_first]
        ProviderOperation.objects.filter(claim__in=tokens, state=State.RUNNING).update(
            state=State.WAITING, claim=None, not_before=Now(), look_first=look_first, attempts=F("attempts") - 1
        )


def finish(
    ended: Iterable[ProviderOperation],
    state: State,
    *,
    result: str = "",
    error: str = "",
    look_first: bool = False,
    refused_field: str = "",
) -> None:
    """End operations that are held: done, needing attention, or with an unknown outcome."""
    ProviderOperation.objects.filter(pk__in=[o.pk for o in ended]).update(
        state=state,
        result=result[:200],
        last_error=error[:600],
        refused_field=refused_field,
        finished_at=Now(),
        claim=None,
        look_first=look_first,
    )


def postpone(
    operation: ProviderOperation, seconds: float, *, error: str, look_first: bool, spare_attempt: bool = False
) -> None:
    """Put an operation that is held back into the queue for ``seconds``; a spared attempt does not count."""
    ProviderOperation.objects.filter(pk=operation.pk).update(
        state=State.WAITING,
        claim=None,
        last_error=error[:600],
        look_first=look_first,
        not_before=Now() + datetime.timedelta(seconds=seconds),
        attempts=F("attempts") - (1 if spare_attempt else 0),
    )


def retry(operations: Iterable[ProviderOperation]) -> None:
    """Put operations that need attention back into the queue, with all their attempts."""
    ids = [o.pk for o in operations]
    ProviderOperation.objects.filter(pk__in=ids, state=State.ATTENTION).update(
        state=State.WAITING, attempts=0, not_before=Now(), finished_at=None
    )
    wake(WORKER_TASK)
