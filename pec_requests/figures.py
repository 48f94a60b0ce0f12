"""Figures about the queue and the provider, counted once: for the office's page and for ``/metrics``.

What has long been over is never counted: the questions ask for what the partial indexes of the queue hold.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import Count, Min, Q, Sum
from django.db.models.functions import Now
from django.utils import timezone
from django_scopes import scopes_disabled

from pec_requests import health
from pec_requests.models import PecRequest, ProviderHealth, ProviderOperation, WorkerShare
from pec_requests.states import Kind

State = ProviderOperation.State
_MINUTE, _DAY = datetime.timedelta(minutes=1), datetime.timedelta(days=1)


@dataclass(frozen=True)
class Figures:
    """The queue of one tenancy scope, and the provider and the workers, which are everybody's.

    ``waiting`` includes what a worker held and lost: whoever takes it next looks first. ``in_flight``: a worker holds
    it now. ``attention``: how many of each kind wait for staff. ``unknown``: of the last day, those of which nobody
    will ever know whether they had their effect. ``finished``: in the last minute, whatever came of them.
    """

    waiting: int
    in_flight: int
    attention: dict[Kind, int]
    unknown: int
    oldest_at: datetime.datetime | None
    finished: int
    provider: ProviderHealth
    workers: int
    slots: int
    taken_at: datetime.datetime

    @property
    def needing_attention(self) -> int:
        """Of every kind."""
        return sum(self.attention.values())

    @property
    def oldest_seconds(self) -> float:
        """For how long the oldest open operation has been asked for; 0 where none is open."""
        return max((self.taken_at - self.oldest_at).total_seconds(), 0) if self.oldest_at else 0


def current() -> Figures:
    """The figures as they are now, of the Ordini of the active scope."""
    unsettled = list(
        ProviderOperation.objects.filter(state__in=ProviderOperation.UNSETTLED)
        .order_by()
        .values("state", "kind")
        .annotate(
            count=Count("pk"),
            held=Count("pk", filter=Q(state=State.RUNNING, not_before__gt=Now())),
            oldest=Min("created_at"),
        )
    )
    is_open = [row for row in unsettled if row["state"] in ProviderOperation.OPEN]
    in_flight = sum(row["held"] for row in is_open)
    shares = WorkerShare.objects.filter(ends_at__gt=Now()).aggregate(workers=Count("pk"), slots=Sum("slots", default=0))
    return Figures(
        waiting=sum(row["count"] for row in is_open) - in_flight,
        in_flight=in_flight,
        attention={Kind(row["kind"]): row["count"] for row in unsettled if row["state"] == State.ATTENTION},
        oldest_at=min((row["oldest"] for row in is_open), default=None),
        **_over(),
        provider=health.seen(),
        **shares,
        taken_at=timezone.now(),
    )


def _over() -> dict[str, int]:
    """What came to an end lately. A withdrawn operation was no work, and one that needs attention has not ended."""
    worked = Q(finished_at__gt=Now() - _MINUTE, state__in=[State.DONE, State.UNKNOWN])
    lately = ProviderOperation.objects.filter(finished_at__gt=Now() - _DAY)
    return lately.aggregate(finished=Count("pk", filter=worked), unknown=Count("pk", filter=Q(state=State.UNKNOWN)))


def text() -> str:
    """Prometheus' text format: gauges only, counted over every Ordine."""
    # Totals of the whole installation: nothing of any one Ordine can be read from them.
    with scopes_disabled():
        now = current()
        requests = dict(PecRequest.objects.values_list("status").annotate(Count("pk")).order_by())
    operations = {
        "waiting": now.waiting,
        "in_flight": now.in_flight,
        "attention": now.needing_attention,
        "unknown": now.unknown,
    }
    attention = {str(kind): now.attention.get(kind, 0) for kind in Kind}
    provider = {str(state): int(now.provider.state == state) for state in ProviderHealth.State}
    next_try = now.provider.open_until.timestamp() if now.provider.open_until else 0
    lines = [
        *_gauges("pec_requests", "Requests by status", "status", requests),
        *_gauges(
            "pec_operations", "Operations that are not settled; unknown ones of the last day", "state", operations
        ),
        *_gauges("pec_operations_attention", "Operations that wait for staff", "kind", attention),
        *_gauge("pec_oldest_operation_seconds", "Age of the oldest open operation", now.oldest_seconds),
        *_gauge("pec_operations_finished_last_minute", "Operations finished in the last minute", now.finished),
        *_gauges("pec_provider_state", "State of the provider's breaker: 1 for the present one", "state", provider),
        *_gauge("pec_provider_since_seconds", "When that state began", now.provider.since.timestamp()),
        *_gauge("pec_provider_next_try_seconds", "When the provider may be called again; 0 in health", next_try),
        *_gauge("pec_workers", "Workers that have a share of the calls allowed at once", now.workers),
        *_gauge("pec_worker_slots", "Calls that the workers may make at once", now.slots),
    ]
    return "\n".join(lines) + "\n"


def _gauges(name: str, text: str, label: str, values: Mapping[str, int]) -> list[str]:
    rows = [f'{name}{{{label}="{value}"}} {count}' for value, count in sorted(values.items())]
    return [f"# HELP {name} {text}", f"# TYPE {name} gauge", *rows]


def _gauge(name: str, text: str, value: float) -> list[str]:
    number = value if isinstance(value, int) else f"{value:.3f}"
    return [f"# HELP {name} {text}", f"# TYPE {name} gauge", f"{name} {number}"]
