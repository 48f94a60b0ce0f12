"""Any sequence of decisions, workers' turns and mishaps, against the table of states.

``Machine`` acts on the real services and the real database. Beside it ``Life`` keeps, in plain Python and from
``states.MOVES`` alone, where each request must be; after every step the two are compared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from audit.models import LogEntry
from members.models import Member
from pec_requests import lifecycle, operations, passwords
from pec_requests.models import PecDomain, PecRequest, ProviderHealth, ProviderOperation, ReservedAddress
from pec_requests.operations import Claim
from pec_requests.performing import AddressTaken, Done, NeverRepeat
from pec_requests.provider import Misconfigured, Refused, Temporary, UnknownOutcome
from pec_requests.settling import settle
from pec_requests.states import FINAL, LIVE, MOVES, IllegalMove, Kind, Move, Status, Who
from tests.factories import MemberFactory, OrdineFactory
from tests.pec_requests.conftest import STAFF

pytestmark = pytest.mark.django_db
State = ProviderOperation.State

MEMBERS = 2
ACTS = sorted({m.act for m in MOVES if m.source and m.who != Who.WORKER})
# The acts of the table, as they are in the log once they have changed the status.
LOGGED = {f"pec.{m.act}": m.act for m in MOVES}
LEGAL = {(m.source, m.target) for m in MOVES}
AWAITED = {m.operation for m in MOVES if m.operation}
# Where a mailbox that was accepted may be: the acceptance itself is decided before the provider confirms it.
ACCEPTED_IN = {Status.NON_ATTIVO, Status.ATTIVO, Status.SOSPESO, Status.CESSATO}
ANSWERS = {
    "done": Done("m***@example.com"),
    "taken": AddressTaken(),
    "refused": Refused("Titolare da bonificare"),
    "temporary": Temporary("Il gestore risponde 503"),
    "outage": Temporary("Il gestore non risponde", outage=True),
    "maybe": Temporary("Tempo scaduto", code="timed_out", maybe_done=True),
    "unknown": UnknownOutcome("Collegamento interrotto"),
    "credentials": Misconfigured("Credenziali rifiutate"),
    "bug": ZeroDivisionError("ours"),
}
# What has been decided before a random sequence begins, so that short ones get everywhere: the last waits for a worker.
BEGINNINGS = ["", "cancel", "refuse", "accept", "accept suspend", "accept suspend resume", "accept suspend close"]
WHICH = st.integers(min_value=0, max_value=9)


@dataclass
class Life:
    """A request as it must be. ``awaited``: what has been decided, and waits for the provider to confirm it."""

    pk: int
    member: int
    address: str
    status: Status = Status.RICHIESTA
    accepted: bool = False
    awaited: set[Kind] = field(default_factory=lambda: {Kind.CREATE})
    acts: list[str] = field(default_factory=lambda: ["request"])
    created_there: bool = False

    def verdict(self, act: str) -> Move | str:
        """What comes of deciding ``act``: ``"quiet"``, ``"illegal"``, or the row of the table that is carried out."""
        rows = [m for m in MOVES if m.act == act]
        row = next((m for m in rows if m.source == self.status), None)
        if any(m.target == self.status for m in rows) or (row and row.operation in self.awaited):
            return "quiet"
        if row is None or (row.before_acceptance and self.accepted):
            return "illegal"
        return row

    def decide(self, row: Move) -> None:
        if row.operation is None:
            self.move(row)
            return
        self.accepted = self.accepted or row.act == "accept"
        self.awaited.add(row.operation)

    def move(self, row: Move) -> None:
        self.status = row.target
        self.acts.append(row.act)
        if row.target in FINAL:
            self.awaited.clear()

    def confirmed(self, kind: Kind) -> None:
        """The provider did it."""
        self.awaited.discard(kind)
        self.created_there = self.created_there or kind == Kind.CREATE
        row = next((m for m in MOVES if m.operation == kind and m.source == self.status), None)
        if row:
            self.move(row)

    def gave_up(self, kind: Kind) -> None:
        """Staff took the decision back."""
        self.awaited.discard(kind)
        self.accepted = self.accepted and kind != Kind.ACTIVATE

    def may_not_be(self, target: Status) -> bool:
        """Not from here: it is not in the table, or not before, or not after, the acceptance."""
        undoes = self.accepted and target in (Status.ANNULLATO, Status.RIFIUTATO)
        skips = not self.accepted and (self.status, target) == (Status.NON_ATTIVO, Status.ATTIVO)
        return self.status != target and ((self.status, target) not in LEGAL or undoes or skips)


class Machine(RuleBasedStateMachine):
    """Two members of the same name, so that their addresses could be confused."""

    def __init__(self, members: list[Member], domain: PecDomain, beginning: tuple[str, ...]) -> None:
        super().__init__()
        self.members, self.domain, self.beginning = members, domain, beginning
        self.undone = transaction.atomic()
        self.undone.__enter__()
        self.lives: dict[int, Life] = {}
        self.claims: list[Claim] = []
        self.holds: dict[int, Claim] = {}
        self.owners: dict[str, int | None] = {}
        self.stuck: set[int] = set()

    def teardown(self) -> None:
        """What only grows is looked at once."""
        try:
            self.every_change_of_status_is_in_the_log()
            assert dict(ReservedAddress.objects.values_list("address", "member_id")) == self.owners
        finally:
            transaction.set_rollback(True)
            self.undone.__exit__(None, None, None)

    def life(self, which: int) -> Life:
        """One of the requests; the newest are the likeliest to be alive."""
        return list(self.lives.values())[-1 - which % len(self.lives)]

    def operation(self, which: int) -> ProviderOperation | None:
        """One of the last operations, whatever its state."""
        rows = list(ProviderOperation.objects.order_by("-pk")[:6])
        return rows[which % len(rows)] if rows else None

    # What people decide

    @rule(chosen=st.sets(st.integers(min_value=0, max_value=MEMBERS - 1), min_size=1))
    def request(self, chosen: set[int]) -> None:
        ids = [self.members[n].pk for n in chosen]
        taken = {life.member for life in self.lives.values() if life.status in LIVE}
        outcome = lifecycle.request_pec(ids, self.domain, STAFF)
        assert {r.member_id for r in outcome.created} == set(ids) - taken
        assert {m.pk for m, _why in outcome.refused} == set(ids) & taken
        for pec in outcome.created:
            self.owned(pec.address, pec.member_id)
            self.lives[pec.pk] = Life(pec.pk, pec.member_id, pec.address)

    @initialize()
    def begin(self) -> None:
        """One member's mailbox is somewhere in its life already, and whatever cannot be done there is tried."""
        self.request({0})
        for act in self.beginning:
            self.turn("done", 2)
            self._decide([self.life(0)], act, 1)
        self.decide_all_that_changes_nothing(0)
        self.go_round(0)

    @precondition(lambda self: self.lives)
    @rule(which=WHICH, nth=WHICH, clicks=st.integers(1, 2), worked=st.booleans())
    def decide_what_is_next(self, which: int, nth: int, clicks: int, worked: bool) -> None:
        """One of the acts that lead on from here, so that lives grow long; often the provider confirms it at once."""
        life = self.life(which)
        if acts := [act for act in ACTS if isinstance(life.verdict(act), Move)]:
            self._decide([life], acts[nth % len(acts)], clicks)
        if worked:
            self.turn("done", 2)

    @precondition(lambda self: self.lives)
    @rule(which=WHICH)
    def decide_all_that_changes_nothing(self, which: int) -> None:
        """Every act that is not possible here, or done, or waiting for the provider."""
        life = self.life(which)
        for act in ACTS:
            if not isinstance(life.verdict(act), Move):
                self._decide([life], act, 1)

    @precondition(lambda self: len(self.lives) > 1)
    @rule(act=st.sampled_from(ACTS))
    def decide_together(self, act: str) -> None:
        self._decide([self.life(0), self.life(1)], act, 1)

    def _decide(self, chosen: list[Life], act: str, clicks: int) -> None:
        """A set is all or nothing; the second click changes nothing."""
        lives = {life.pk: life for life in chosen}
        for _click in range(clicks):
            verdicts = {pk: life.verdict(act) for pk, life in lives.items()}
            if "illegal" in verdicts.values():
                with pytest.raises(IllegalMove):
                    lifecycle.decide(lives, act, STAFF, reason="x")
                continue
            rows = {pk: row for pk, row in verdicts.items() if isinstance(row, Move)}
            assert {r.pk for r in lifecycle.decide(lives, act, STAFF, reason="x")} == set(rows)
            for pk, row in rows.items():
                lives[pk].decide(row)

    @precondition(lambda self: self.lives)
    @rule(which=WHICH)
    def ask_for_a_password(self, which: int) -> None:
        life = self.life(which)
        if life.status in (Status.ATTIVO, Status.SOSPESO):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(passwords, "_PAUSE", passwords._PAUSE * 0)
                try:
                    passwords.ask_reset(life.pk, STAFF)
                except passwords.ResetRefused:
                    assert PecRequest.objects.get(pk=life.pk).operations.filter(kind=Kind.RESET).exists()
        else:
            with pytest.raises(passwords.ResetRefused):
                passwords.ask_reset(life.pk, STAFF)

    @precondition(lambda self: self.stuck)
    @rule(which=st.sets(WHICH, min_size=1, max_size=3))
    def retry(self, which: set[int]) -> None:
        """Whatever the state of the operations: only what needs attention goes back, and no status changes."""
        chosen = {o.pk for o in map(self.operation, which) if o}
        assert lifecycle.retry_operations(chosen, STAFF) <= len(chosen & self.stuck)

    @precondition(lambda self: self.lives)
    @rule(which=WHICH)
    def drop(self, which: int) -> None:
        operation = self.operation(which)
        if operation is None:
            return
        try:
            lifecycle.drop_operation(operation.pk, STAFF)
        except IllegalMove:
            return
        assert operation.kind != Kind.CREATE or operation.state == State.WITHDRAWN
        assert operation.state in (State.WAITING, State.ATTENTION, State.WITHDRAWN)
        if operation.state != State.WITHDRAWN:
            self.lives[operation.request_id].gave_up(Kind(operation.kind))

    # Workers

    @precondition(lambda self: self.lives)
    @rule(limit=st.integers(min_value=1, max_value=3))
    def claim(self, limit: int) -> None:
        for claim in operations.claim(limit, "prova"):
            assert claim.operation.pk not in self.holds
            self.holds[claim.operation.pk] = claim
            self.claims.append(claim)

    @precondition(lambda self: self.holds)
    @rule(which=WHICH)
    def lose(self, which: int) -> None:
        """A worker is not heard of again: its lease ends. It may still come back with its answer."""
        pk = list(self.holds)[which % len(self.holds)]
        ProviderOperation.objects.filter(pk=pk).update(not_before=Now())
        ProviderHealth.objects.update(open_until=Now())
        del self.holds[pk]

    @precondition(lambda self: self.claims)
    @rule(which=WHICH, name=st.sampled_from(sorted(ANSWERS)))
    def answer(self, which: int, name: str) -> None:
        self._settle(self.claims.pop(which % len(self.claims)), name)

    @precondition(lambda self: self.lives)
    @rule(name=st.sampled_from(["done", "refused", *sorted(ANSWERS)]), times=st.integers(1, 2))
    def turn(self, name: str, times: int) -> None:
        """A worker that carries out what it claims; it does so well, the second time."""
        for answer in (name, "done")[:times]:
            before = len(self.claims)
            self.claim(1)
            for claim in self.claims[before:]:
                self.claims.remove(claim)
                self._settle(claim, answer)

    def _settle(self, claim: Claim, name: str) -> None:
        operation = claim.operation
        kind, life = Kind(operation.kind), self.lives[operation.request_id]
        answer: Any = ANSWERS[name]
        if name == "taken" and kind != Kind.CREATE:
            answer = NeverRepeat() if kind == Kind.RESET else ANSWERS["done"]
        held = ProviderOperation.objects.filter(pk=operation.pk, claim=claim.token, state=State.RUNNING).exists()
        settle(claim, answer)
        if not held:
            return  # another worker has it by now, or has done it: the invariants see that nothing changed
        self.holds.pop(operation.pk, None)
        if isinstance(answer, Done):
            life.confirmed(kind)
        elif isinstance(answer, AddressTaken) and life.status == Status.RICHIESTA:
            self.readdressed(life)

    def readdressed(self, life: Life) -> None:
        old, life.address = life.address, PecRequest.objects.get(pk=life.pk).address
        if life.address != old:  # after many tries staff must see to it
            self.owners[old] = None
            self.owned(life.address, life.member)

    def owned(self, address: str, member: int) -> None:
        """An address goes to the member who had it first, and to nobody once the provider says it is taken."""
        assert self.owners.setdefault(address, member) == member

    # Whoever goes round the services

    @precondition(lambda self: self.lives)
    @rule(which=WHICH)
    def go_round(self, which: int) -> None:
        """The database refuses whatever the table does not know, and what must come before the acceptance, after it."""
        life = self.life(which)
        row = PecRequest.objects.filter(pk=life.pk)
        wrongs: list[Callable[[], object]] = [
            *(partial(row.update, status=target) for target in Status if life.may_not_be(target)),
            partial(row._raw_delete, "default"),  # type: ignore[attr-defined]
            partial(self._insert, life),
        ]
        for wrong in wrongs:
            with pytest.raises(IntegrityError), transaction.atomic():
                wrong()

    def _insert(self, life: Life) -> None:
        """A second one for a member who has one, or one that is born too old."""
        born = Status.RICHIESTA if life.status in LIVE else Status.ATTIVO
        PecRequest.objects.create(member_id=life.member, domain=self.domain, address="a.b@tsrm.org", status=born)

    # What always holds

    @invariant()
    def requests_are_where_the_table_says(self) -> None:
        rows = list(PecRequest.objects.values_list("pk", "member_id", "address", "status", "accepted_at"))
        found = {pk: (member, address, status, at is not None) for pk, member, address, status, at in rows}
        lives = self.lives.values()
        assert found == {life.pk: (life.member, life.address, life.status, life.accepted) for life in lives}
        assert all(status in ACCEPTED_IN for *_row, status, at in rows if at)
        assert all(at for *_row, status, at in rows if status in ACCEPTED_IN - {Status.NON_ATTIVO})
        live = [(member, address) for member, address, status, _at in found.values() if status in LIVE]
        for column in zip(*live, strict=True):
            assert len(set(column)) == len(column)

    @invariant()
    def every_decision_that_waits_has_its_operation(self) -> None:
        operations = list(ProviderOperation.objects.values_list("pk", "request_id", "kind", "state"))
        rows = [row for _pk, *row in operations]
        self.stuck = {pk for pk, *_row, state in operations if state == State.ATTENTION}
        unsettled = [(pk, kind) for pk, kind, state in rows if state in ProviderOperation.UNSETTLED]
        assert max(Counter(unsettled).values(), default=1) == 1
        for life in self.lives.values():
            waiting = {Kind(kind) for pk, kind in unsettled if pk == life.pk}
            if life.status in LIVE:
                assert waiting & AWAITED == life.awaited
            elif life.status != Status.CESSATO and life.created_there:
                assert (life.pk, Kind.CLOSE) in {(pk, kind) for pk, kind, _state in rows}

    def every_change_of_status_is_in_the_log(self) -> None:
        entries = LogEntry.objects.filter(action__in=LOGGED, object_id__in=self.lives).order_by("pk")
        logged: dict[int, list[str]] = {pk: [] for pk in self.lives}
        for pk, action in entries.values_list("object_id", "action"):
            logged[pk].append(LOGGED[action])
        assert logged == {life.pk: life.acts for life in self.lives.values()}


@pytest.fixture
def at_once(settings: Any) -> None:
    """What is put off may start again at once: time is no part of the table."""
    settings.OPERATION_RETRY_SECONDS = settings.BREAKER_SECONDS = 0
    settings.OPERATION_MAX_ATTEMPTS = 3


@pytest.mark.timeout(400)  # what fails is made short before it is shown
@pytest.mark.parametrize("beginning", BEGINNINGS)
def test_any_sequence_of_acts_stays_in_the_table(at_once: None, beginning: str) -> None:
    ordine = OrdineFactory()
    members = [MemberFactory(ordine=ordine) for _ in range(MEMBERS)]
    domain = PecDomain.objects.get(name="tsrm.org")
    # Each example is undone at its end.
    run_state_machine_as_test(
        lambda: Machine(members, domain, tuple(beginning.split())),
        settings=settings(max_examples=3, stateful_step_count=20, deadline=None),
    )
