"""Figures about the queue and the provider, for ``/metrics``."""

from __future__ import annotations

from django.db.models import Count, Min
from django.utils import timezone
from django_scopes import scopes_disabled

from pec_requests import health
from pec_requests.models import PecRequest, ProviderOperation


def text() -> str:
    """Prometheus' text format: gauges only, counted over every Ordine."""
    # Totals of the whole installation: nothing of any one Ordine can be read from them.
    with scopes_disabled():
        states = dict(ProviderOperation.objects.values_list("state").annotate(Count("pk")).order_by())
        requests = dict(PecRequest.objects.values_list("status").annotate(Count("pk")).order_by())
        waiting = ProviderOperation.objects.filter(state__in=ProviderOperation.OPEN)
        oldest = waiting.aggregate(at=Min("created_at"))["at"]
    age = (timezone.now() - oldest).total_seconds() if oldest else 0
    row = health.current()
    lines = [
        *_gauge("pec_requests", "Requests by status", "status", requests),
        *_gauge("pec_operations", "Operations by state", "state", states),
        *_gauge("pec_provider_state", "State of the provider's breaker", "state", {row.state: 1}),
        "# HELP pec_oldest_operation_seconds Age of the oldest open operation",
        "# TYPE pec_oldest_operation_seconds gauge",
        f"pec_oldest_operation_seconds {age:.3f}",
    ]
    return "\n".join(lines) + "\n"


def _gauge(name: str, text: str, label: str, values: dict[str, int]) -> list[str]:
    rows = [f'{name}{{{label}="{value}"}} {count}' for value, count in sorted(values.items())]
    return [f"# HELP {name} {text}", f"# TYPE {name} gauge", *rows]
