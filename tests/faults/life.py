"""A batch of members whose mailboxes live through every kind of operation together."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from stdnum.it import codicefiscale

from audit.actors import Actor
from members.models import Member, Ordine
from pec_requests import corrections, lifecycle, operations, passwords
from pec_requests.models import PecDomain, PecRequest, ProviderOperation
from pec_requests.states import Kind
from tests.factories import MemberFactory, OrdineFactory
from tests.faults.matrix import Cell
from tests.faults.scene import World

STAFF = Actor(name="segreteria")
State = ProviderOperation.State


@dataclass
class Life:
    """The members, their requests once made, and the recovery e-mail that each address must have by now."""

    members: list[Member]
    requests: tuple[int, ...] = ()
    emails: dict[str, str] = field(default_factory=dict)

    def decide(self, kind: Kind) -> None:
        """The decision that leads to one operation of this kind for everybody."""
        match kind:
            case Kind.CREATE:
                domain = PecDomain.objects.get(name="tsrm.org")
                made = lifecycle.request_pec([m.pk for m in self.members], domain, STAFF).created
                self.requests = tuple(r.pk for r in made)
                self.emails = {r.address: r.recovery_email for r in made}
            case Kind.TAX_CODE:
                for member in Member.objects.filter(pec_requests__in=self.requests):
                    corrections.correct_tax_code(member.pk, _born_elsewhere(member.tax_code), STAFF)
            case Kind.ACTIVATE:
                lifecycle.decide(self.requests, "accept", STAFF)
            case Kind.RESET:
                for pk in self.requests:
                    passwords.ask_reset(pk, STAFF)
            case Kind.RECOVERY_EMAIL:
                self._change_emails()
            case Kind.SUSPEND | Kind.RESUME | Kind.CLOSE:
                lifecycle.decide(self.requests, kind.lower(), STAFF, reason="Prova")

    def go_on_without(self, addresses: set[str]) -> None:
        """What is lost cannot live on, and would only be lost again."""
        kept = PecRequest.objects.filter(pk__in=self.requests).exclude(address__in=addresses)
        self.requests = tuple(kept.order_by("pk").values_list("pk", flat=True))

    def _change_emails(self) -> None:
        for request in PecRequest.objects.filter(pk__in=self.requests):
            self.emails[request.address] = f"nuova{request.pk}@example.com"
            operations.enqueue([request], Kind.RECOVERY_EMAIL, recovery_email=self.emails[request.address])


@dataclass(frozen=True)
class Batch:
    """The operations of one cell."""

    cell: Cell
    life: Life

    def __len__(self) -> int:
        return len(self.life.requests or self.life.members)

    def decide(self) -> None:
        """Have them queued."""
        with transaction.atomic():
            self.life.decide(self.cell.kind)

    def claims(self) -> set[tuple[Any, ...]]:
        """What workers have in hand: operation, claim, since when, until when, and the last error known of it."""
        rows = self._operations().filter(state=State.RUNNING)
        return set(rows.values_list("pk", "claim", "claimed_at", "not_before", "last_error"))

    def finished(self) -> bool:
        """Nothing of it waits or runs any more."""
        return not self._operations().filter(state__in=ProviderOperation.OPEN).exists()

    def effects(self, world: World) -> int:
        """How many of them the provider has done."""
        requests = PecRequest.objects.select_related("member").filter(pk__in=self.life.requests)
        done = world.provider.calls()
        return sum(self.cell.ends.effects(done, request) > 0 for request in requests)

    def _operations(self) -> QuerySet[ProviderOperation]:
        return ProviderOperation.objects.filter(request__in=self.life.requests, kind=self.cell.kind)


def _born_elsewhere(code: str) -> str:
    """A code of the same person that nobody else has: those of ``members`` all have an A there."""
    plain = f"{code[:11]}B{code[12:15]}"
    return plain + codicefiscale.calc_check_digit(plain)


def members(first_number: int, size: int) -> list[Member]:
    """New members of one Ordine, each with a number that nobody else may have."""
    ordine = Ordine.objects.filter(code="prova").first() or OrdineFactory(code="prova")
    with transaction.atomic():
        return [
            MemberFactory(number=n, birth_date=date(1950 + n // 1000, 1, 1), ordine=ordine, user=None)
            for n in range(first_number, first_number + size)
        ]
