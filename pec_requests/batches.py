"""Requests for many at once: written down when somebody confirms, carried out by a worker, cancelled as far as can be.

The row of the batch is the order. Who carries it out holds the row for as long as that takes, and writes in the same
transaction all that comes of it: a worker that is killed leaves nothing, and the next sweep begins again.
"""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from django.db import OperationalError, transaction
from django.db.models import Count, F
from django.db.models.functions import Now
from django.utils.translation import gettext as _
from django_scopes import scope, scopes_disabled

from audit import log
from audit.actors import Actor
from members import progress
from members.keyset import rows_of
from members.models import Member, Ordine
from members.progress import Progress
from members.wake import wake
from pec_requests import lifecycle, operations
from pec_requests.eligibility import Reason
from pec_requests.models import PecDomain, PecRequest, ProviderOperation, RequestBatch
from pec_requests.states import LIVE, IllegalMove, Status

State = RequestBatch.State
TASK = "pec_requests.tasks.carry_out_batches"
# After so many beginnings without an end nobody tries any more: staff are told, and may ask again.
MOST_ATTEMPTS = 3
# How many of those who cannot have a PEC are remembered by name, of each reason.
FIRST = 20
_CANCELLED_AT_ONCE = 1000

logger = structlog.get_logger(__name__)


def order(
    member_ids: Mapping[int, Iterable[int]], domain: PecDomain, actor: Actor, *, asked: str, key: uuid.UUID
) -> list[RequestBatch]:
    """Write down what was confirmed, one batch for each Ordine of the members: ``{ordine id: [member ids]}``.

    The same ``key`` again is the second click: it finds the batches of the first.
    """
    with transaction.atomic():
        batches = [_order(pk, list(ids), domain, actor, asked[:500], key) for pk, ids in member_ids.items()]
        wake(TASK)
    return batches


def ordered(key: uuid.UUID) -> list[RequestBatch]:
    """The batches, of the scope, of a page that was confirmed already."""
    return list(RequestBatch.objects.filter(key=key).defer("member_ids"))


def _order(ordine_id: int, ids: list[int], domain: PecDomain, actor: Actor, asked: str, key: uuid.UUID) -> RequestBatch:
    values = {"domain": domain, "actor": dataclasses.asdict(actor), "asked": asked, "member_ids": ids}
    batch, new = RequestBatch.objects.get_or_create(
        ordine_id=ordine_id, key=key, defaults={**values, "members": len(ids)}
    )
    if new:
        _record("pec.batch.asked", batch, actor, count=len(ids), asked=asked)
    return batch


def carry_out_waiting() -> None:
    """Whatever waits, of every Ordine: requests first, then cancellations."""
    with scopes_disabled():
        waiting = list(RequestBatch.objects.filter(state=State.WAITING).order_by("pk").values_list("pk", flat=True))
        for pk in waiting:
            carry_out(pk)
        asked = RequestBatch.objects.filter(cancel_asked_at__isnull=False, cancel_done_at=None).order_by("pk")
        for pk in list(asked.values_list("pk", flat=True)):
            _cancel(pk)


def carry_out(pk: int) -> None:
    """Make the requests of a batch, if it waits and nobody else is at it."""
    if not _begin(pk):
        return
    try:
        with transaction.atomic():
            if batch := _hold(pk):
                _make(batch)
    except OperationalError as error:  # a deadlock, a server that went away: the next sweep tries again
        logger.warning("batch_interrupted", batch=pk, error=str(error))


def _begin(pk: int) -> bool:
    """Count the attempt where no rollback and no kill takes the count back."""
    with transaction.atomic():
        batch = _hold(pk)
        if batch is None:
            return False
        if batch.attempts >= MOST_ATTEMPTS:
            batch.state, batch.member_ids = State.FAILED, []
            batch.save(update_fields=["state", "member_ids"])
            return False
        batch.attempts += 1
        batch.save(update_fields=["attempts"])
    return True


def _hold(pk: int) -> RequestBatch | None:
    """The batch, locked, where it still waits and nobody else has it."""
    rows = RequestBatch.objects.select_for_update(of=("self",), skip_locked=True).select_related("ordine", "domain")
    return rows.filter(pk=pk, state=State.WAITING).first()


def _make(batch: RequestBatch) -> None:
    def tell(done: int, total: int) -> None:
        progress.tell(work_of(batch), Progress(_("Richiesta delle caselle"), done, total))

    actor = Actor(**batch.actor)
    with scope(ordine=[batch.ordine_id]):
        outcome = lifecycle.request_pec(batch.member_ids, batch.domain, actor, batch=batch, tell=tell)
    batch.made = len(outcome.made)
    batch.refused = sum(map(len, outcome.kept_out.values()))
    batch.refusals = {
        str(reason): {"count": len(ids), "first": list(ids[:FIRST])} for reason, ids in outcome.kept_out.items()
    }
    batch.state, batch.done_at, batch.member_ids = State.DONE, Now(), []
    batch.save(update_fields=["made", "refused", "refusals", "state", "done_at", "member_ids"])
    _record("pec.batch.done", batch, actor, made=batch.made, refused=batch.refused)


def work_of(batch: RequestBatch) -> str:
    """What the progress of a batch is called."""
    return f"batch-{batch.pk}"


@dataclass(frozen=True)
class Standing:
    """How far the requests of a batch have come: how many in each status, and how many of all wait for staff."""

    by_status: dict[Status, int]
    needing_staff: int

    @property
    def under_way(self) -> int:
        """Requests that the provider has still to see to."""
        return self.by_status.get(Status.RICHIESTA, 0)

    @property
    def live(self) -> int:
        return sum(self.by_status.get(status, 0) for status in LIVE)


def standing(batch: RequestBatch) -> Standing:
    """As it is now, from one index."""
    # The batch is of the scope, and its requests with it.
    rows = rows_of(PecRequest).filter(batch=batch).order_by().values_list("status", "needs_staff")
    counts = list(rows.annotate(Count("pk")))
    by_status = {status: sum(n for its, _needs, n in counts if its == status) for status in Status}
    return Standing(
        {status: number for status, number in by_status.items() if number}, sum(n for _its, needs, n in counts if needs)
    )


def untried(batch: RequestBatch) -> int:
    """How many requests of a batch could be cancelled without the provider ever knowing of them."""
    requests = rows_of(PecRequest).filter(batch=batch, status=Status.RICHIESTA)
    waiting = rows_of(ProviderOperation).filter(
        operations.untried_creation(), request__batch=batch, request__status=Status.RICHIESTA
    )
    return waiting.count() + requests.filter(recovery_email="").count()


def refused_first(batch: RequestBatch) -> list[tuple[Reason, int, list[Member]]]:
    """Who cannot have a PEC, by reason: how many, and the first of them."""
    pks = [pk for told in batch.refusals.values() for pk in told["first"]]
    members = Member.objects.in_bulk(pks)
    return [
        (Reason(reason), told["count"], [members[pk] for pk in told["first"] if pk in members])
        for reason, told in batch.refusals.items()
    ]


@transaction.atomic
def ask_to_cancel(pk: int, actor: Actor, reason: str) -> bool:
    """Decide that what has not begun is not to begin; False where that is decided, or nothing is left of it.

    Of a batch that nobody has begun nothing is made. Raises ``IllegalMove`` while somebody is at it.
    """
    batch = RequestBatch.objects.select_for_update(of=("self",), skip_locked=True).filter(pk=pk).first()
    if batch is None:
        raise IllegalMove(_("C'è già chi ci sta lavorando: riprovare tra poco."))
    if batch.state not in (State.WAITING, State.DONE) or batch.is_being_cancelled:
        return False
    if batch.state == State.DONE and not untried(batch):
        return False
    batch.cancel_actor, batch.cancel_reason = dataclasses.asdict(actor), reason
    batch.cancel_asked_at, batch.cancel_done_at = Now(), None
    if batch.state == State.WAITING:
        batch.state, batch.member_ids, batch.cancel_done_at = State.CANCELLED, [], Now()
    batch.save()
    _record("pec.batch.cancel", batch, actor, reason=reason)
    wake(TASK)
    return True


def _cancel(pk: int) -> None:
    """Cancel from the last request on, since workers come from the first; a thousand at a time, each time for good."""
    below: int | None = None
    try:
        while (below := _cancel_some(pk, below)) is not None:
            pass
    except OperationalError as error:  # a deadlock, a server that went away: the next sweep goes on
        logger.warning("batch_cancel_interrupted", batch=pk, error=str(error))


@transaction.atomic
def _cancel_some(pk: int, below: int | None) -> int | None:
    """The lowest request that was looked at; None where all have been, or somebody else is at it."""
    rows = RequestBatch.objects.select_for_update(of=("self",), skip_locked=True).select_related("ordine")
    batch = rows.filter(pk=pk, cancel_asked_at__isnull=False, cancel_done_at=None).first()
    if batch is None:
        return None
    actor = Actor(**(batch.cancel_actor or {}))
    waiting = PecRequest.objects.filter(batch=batch, status=Status.RICHIESTA)
    if below is not None:
        waiting = waiting.filter(pk__lt=below)
    ids = list(waiting.order_by("-pk").values_list("pk", flat=True)[:_CANCELLED_AT_ONCE])
    if ids:
        done = lifecycle.cancel_untried(ids, actor, reason=batch.cancel_reason)
        RequestBatch.objects.filter(pk=pk).update(cancelled=F("cancelled") + done)
        return ids[-1]
    RequestBatch.objects.filter(pk=pk).update(cancel_done_at=Now())
    _record("pec.batch.cancelled", batch, actor, count=batch.cancelled)
    return None


def _record(action: str, batch: RequestBatch, actor: Actor, **detail: Any) -> None:
    ordine = Ordine.objects.get(pk=batch.ordine_id)
    log.record(action, actor, batch, ordine=ordine.code, **detail)
