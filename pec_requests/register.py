"""Following the register: what a change of the albo, or of a member's record, means for a live request.

Whoever is in no albo any more keeps the casella for the days that the Ordine leaves to save the messages, counted from
when the portal learns of it and told to the member; then it is closed, or, not yet accepted, its request is annulled.
Whoever is enrolled again before that keeps it. It is the same whether an import, the office's form or the act of
cancellation ended the enrolment: the act does not wait for the sweep, that is all.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django_scopes import scopes_disabled

from audit import log
from audit.actors import Actor
from members.models import Member, Ordine
from pec_requests import attention, lifecycle, notices
from pec_requests.eligibility import CURRENT
from pec_requests.models import PecRequest, ProviderOperation
from pec_requests.states import LIVE, Kind, Status, Who, moves_from

_SWEEP = Actor.process("sweep")
_AT_ONCE = 1000


def follow() -> int:
    """Bring live requests in step with the register. Return how many this changed."""
    # The sweep serves every Ordine.
    with scopes_disabled():
        waiting = PecRequest.objects.filter(status=Status.RICHIESTA, recovery_email="", member__email_problem="")
        served = lifecycle.give_recovery_email(waiting.values_list("pk", flat=True)[:_AT_ONCE], _SWEEP)
        return served + _follow_leavers() + _follow_returned() + _close_due()


def closing_day(ordine: Ordine) -> date:
    """Until when somebody who leaves the albo today keeps the casella."""
    return timezone.localdate() + timedelta(days=ordine.closing_days)


def leave(requests: Iterable[PecRequest], actor: Actor) -> list[PecRequest]:
    """Of these requests, locked by the caller, note until when those of people in no albo stay open, and tell them."""
    leaving = [r for r in requests if r.status in LIVE and not r.closes_on and not _enrolled(r)]
    for request in leaving:
        request.closes_on = closing_day(request.member.ordine)
        PecRequest.objects.filter(pk=request.pk).update(closes_on=request.closes_on)
    _record("pec.leaving", leaving, actor)
    notices.moved(leaving, "leaving")
    return leaving


def _follow_leavers() -> int:
    with transaction.atomic():
        # The database keeps, and has in an index, who stands without an albo among those that wait for staff.
        return len(leave(_locked(PecRequest.objects.filter(needs_staff=True, closes_on=None), enrolled=False), _SWEEP))


@transaction.atomic
def _follow_returned() -> int:
    returned = _locked(PecRequest.objects.filter(closes_on__isnull=False), enrolled=True)
    _record("pec.returned", returned, _SWEEP)
    PecRequest.objects.filter(pk__in=[r.pk for r in returned]).update(closes_on=None)
    notices.moved(returned, "returned")
    return len(returned)


@transaction.atomic
def _close_due() -> int:
    """Where the days are over. What staff or the member have in hand with the provider comes first."""
    decided = ProviderOperation.objects.filter(
        request=OuterRef("pk"), kind__in=[Kind.CLOSE, Kind.ACTIVATE], state__in=ProviderOperation.UNSETTLED
    )
    due = PecRequest.objects.filter(~Exists(decided), closes_on__lte=timezone.localdate())
    acts: dict[str, list[int]] = {}
    for request in _locked(due, enrolled=False):
        possible = {m.act for m in moves_from(request.status, Who.STAFF, accepted=request.accepted_at is not None)}
        for act in sorted(possible & {"close", "cancel"}):
            acts.setdefault(act, []).append(request.pk)
    reason = _("Cancellazione dall'albo: i giorni previsti dall'Ordine sono trascorsi.")
    return sum(len(lifecycle.decide(ids, act, _SWEEP, reason=reason)) for act, ids in acts.items())


def _locked(wanted: QuerySet[PecRequest], *, enrolled: bool) -> list[PecRequest]:
    """Live requests of people who are in an albo, or in none; with the record locked, which every change of an
    enrolment locks as well. Whatever somebody else has in hand is left to the next sweep.
    """
    enrolments = Exists(attention.current_enrolments(OuterRef("member")))
    wanted = wanted.filter(enrolments if enrolled else ~enrolments, status__in=LIVE)
    ids = list(wanted.order_by("pk").values_list("pk", flat=True)[:_AT_ONCE])
    if not ids:
        return []
    rows = Member.objects.select_for_update(of=("self",), skip_locked=True, no_key=True)
    people = list(rows.filter(pec_requests__in=ids).order_by("pk").values_list("pk", flat=True))
    requests = PecRequest.objects.select_for_update(of=("self",), skip_locked=True).select_related("member__ordine")
    return list(requests.filter(pk__in=wanted.filter(pk__in=ids, member__in=people).values("pk")).order_by("pk"))


def _enrolled(request: PecRequest) -> bool:
    return request.member.enrolments.filter(status__in=CURRENT).exists()


def _record(action: str, requests: Iterable[PecRequest], actor: Actor) -> None:
    log.record_many(
        log.entry(
            action,
            actor,
            r,
            person=r.member_id,
            ordine=r.member.ordine.code,
            address=r.address,
            day=date_format(r.closes_on, "SHORT_DATE_FORMAT") if r.closes_on else "",
        )
        for r in requests
    )
