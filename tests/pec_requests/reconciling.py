"""What the tests of the comparison stand on: a register in any state, providers that say what a test wants."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.utils import timezone

from pec_requests.models import Difference, PecRequest
from pec_requests.provider import Holder, Mailbox, MailboxPage, MailboxStatus, Provider, provider
from tests.factories import tax_code

STRANGER = Holder(
    tax_code(999), "Mario", "Rossi", "altro@example.com", "Via Po, 2", "Torino", "10100", "TO", "3330000000"
)


def fresh(pec: PecRequest) -> PecRequest:
    return PecRequest.objects.get(pk=pec.pk)


def found() -> list[tuple[str, str]]:
    """The open differences: kind and what could be done about each."""
    return [(d.kind, d.repair) for d in Difference.objects.filter(closed_at=None).order_by("address", "kind")]


_WAYS = {
    "RICHIESTA": [],
    "NON_ATTIVO": ["NON_ATTIVO"],
    "RIFIUTATO": ["NON_ATTIVO", "RIFIUTATO"],
    "ANNULLATO": ["ANNULLATO"],
    "ATTIVO": ["NON_ATTIVO", "ATTIVO"],
    "SOSPESO": ["NON_ATTIVO", "ATTIVO", "SOSPESO"],
    "CESSATO": ["NON_ATTIVO", "ATTIVO", "CESSATO"],
}


def force(pec: PecRequest, status: str) -> None:
    """The register in a status, by the moves that the database allows, with nothing asked of the provider."""
    for step in _WAYS[status]:
        accepted = {"accepted_at": timezone.now()} if step == "ATTIVO" else {}
        PecRequest.objects.filter(pk=pec.pk).update(status=step, **accepted)


class Between(Provider):
    """The real provider, with something happening before each ``find`` is answered."""

    def __init__(self, happens: Callable[[], object]) -> None:
        self._happens = happens

    def __getattribute__(self, name: str) -> Any:
        return object.__getattribute__(self, name) if name in ("find", "_happens") else getattr(provider(), name)

    def find(self, address: str) -> Mailbox | None:
        box = provider().find(address)
        self._happens()
        return box


class Listing(Provider):
    """A provider whose list and whose answers about one mailbox are given."""

    def __init__(self, listed: list[Mailbox], known: dict[str, Mailbox | Exception] | None = None) -> None:
        self._listed, self._known = listed, known
        self.asked: list[str] = []

    def mailbox_page(self, number: int, size: int) -> MailboxPage:
        rows = self._listed[number * size : (number + 1) * size]
        return MailboxPage(tuple(rows), last=(number + 1) * size >= len(self._listed))

    def find(self, address: str) -> Mailbox | None:
        self.asked.append(address)
        answer = self._known.get(address) if self._known is not None else {b.name: b for b in self._listed}.get(address)
        if isinstance(answer, Exception):
            raise answer
        return answer


def box(address: str, code: str, status: MailboxStatus = MailboxStatus.CERTIFIED, **changes: Any) -> Mailbox:
    return Mailbox(
        **{"name": address, "status": status, "holder_tax_code": code, "recovery_email": None, "suspended": False}
        | changes
    )
