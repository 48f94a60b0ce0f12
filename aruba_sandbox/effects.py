"""Counting the calls that changed something, so that a test can tell "once" from "twice"."""

from django.db.models import Count

from aruba_sandbox.models import Effect


def record(call: str, address: str) -> None:
    """Count one effect; the caller's transaction holds the change itself."""
    Effect.objects.create(call=call, address=address)


def counts() -> dict[str, dict[str, int]]:
    """``{call: {address: count}}``."""
    result: dict[str, dict[str, int]] = {}
    for call, address, count in Effect.objects.values_list("call", "address").annotate(Count("id")).order_by():
        result.setdefault(call, {})[address] = count
    return result
