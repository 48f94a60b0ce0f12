"""Following the register: what a change of the albo, or of a member's record, means for a live request."""

from __future__ import annotations

from django_scopes import scopes_disabled

from audit.actors import Actor
from pec_requests import lifecycle
from pec_requests.models import PecRequest
from pec_requests.states import Status


def follow() -> int:
    """Requests that wait for a recovery e-mail take the one the record has by now. Return how many did."""
    # The sweep serves every Ordine.
    with scopes_disabled():
        waiting = PecRequest.objects.filter(status=Status.RICHIESTA, recovery_email="", member__email_problem="")
        return lifecycle.give_recovery_email(waiting.values_list("pk", flat=True)[:1000], Actor.process("sweep"))
