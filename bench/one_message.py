"""The counter-example: one Celery message for each operation, claimed, called and settled alone."""

from __future__ import annotations

from django_scopes import scopes_disabled

from albo_pec.celery import app
from pec_requests import operations
from pec_requests.performing import perform
from pec_requests.provider import ProviderError, provider
from pec_requests.settling import Answer, settle

QUEUE = "bench-one"


@app.task(name="bench.one")
def one() -> None:
    """Carry out one operation."""
    with scopes_disabled():
        for claim in operations.claim(1, "bench"):
            try:
                answer: Answer = perform(claim, provider())
            except ProviderError as error:
                answer = error
            settle(claim, answer)
