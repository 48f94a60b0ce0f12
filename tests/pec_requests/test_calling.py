"""The threads of a worker: never more calls than allowed, nothing begun that its lease does not cover, nothing lost."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import pytest

from pec_requests import calling, engine, lifecycle, operations, settling
from pec_requests.calling import NOT_BEGUN, Calls
from pec_requests.models import PecDomain, PecRequest, ProviderOperation
from pec_requests.operations import Claim
from pec_requests.performing import Done
from tests.factories import MemberFactory
from tests.pec_requests.conftest import STAFF
from tests.sandbox_process import SandboxProcess

NOWHERE: Any = object()
State = ProviderOperation.State


def claims(number: int) -> list[Claim]:
    return [Claim(ProviderOperation(pk=n), uuid.uuid4(), False, False) for n in range(number)]


def gathered(calls: Calls, number: int) -> calling.Answers:
    answers: calling.Answers = []
    until = time.monotonic() + 20
    while len(answers) < number:
        assert time.monotonic() < until, "they never came"
        answers += calls.gather()
    return answers


class Counter:
    """A provider's side that lets calls pass only when told to, and counts how many there are at once."""

    def __init__(self) -> None:
        self.now = self.most = 0
        self.go = threading.Event()
        self._lock = threading.Lock()

    def __call__(self, claim: Claim, provider: object) -> Done:
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)
        assert self.go.wait(20)
        with self._lock:
            self.now -= 1
        return Done()


@contextmanager
def performing(act: Callable[[Claim, Any], Any]) -> Iterator[Calls]:
    with patch.object(calling, "perform", act), Calls(NOWHERE) as calls:
        yield calls


def until(condition: Callable[[], bool]) -> None:
    ends = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < ends, "it never came true"
        time.sleep(0.005)


FAR = time.monotonic() + 1e6


def test_never_more_at_once_than_allowed() -> None:
    counter = Counter()
    with performing(counter) as calls:
        calls.allow(3, 0, FAR)
        calls.start(claims(10), FAR)
        until(lambda: counter.now == 3)
        assert (calls.busy, calls.in_hand) == (3, 10)
        counter.go.set()
        assert len(gathered(calls, 10)) == 10
    assert counter.most == 3


def test_a_smaller_share_counts_from_the_next_call_on() -> None:
    counter = Counter()
    with performing(counter) as calls:
        calls.allow(4, 0, FAR)
        calls.start(claims(4), FAR)
        until(lambda: counter.now == 4)
        calls.allow(1, 0, FAR)
        calls.start(claims(4), FAR)
        counter.go.set()
        gathered(calls, 8)
        counter.most = 0
        calls.start(claims(5), FAR)
        gathered(calls, 5)
    assert counter.most == 1


def test_what_waited_too_long_for_its_lease_is_not_begun() -> None:
    begun: list[Claim] = []
    with performing(lambda claim, _provider: begun.append(claim)) as calls:
        calls.allow(2, 0, FAR)
        calls.start(claims(3), time.monotonic() - 1)
        assert [answer for _claim, answer in gathered(calls, 3)] == [NOT_BEGUN] * 3
    assert not begun


def test_nothing_begins_once_the_permission_has_ended() -> None:
    begun: list[Claim] = []
    with performing(lambda claim, _provider: begun.append(claim)) as calls:
        calls.allow(2, 0, time.monotonic())
        calls.start(claims(3), FAR)
        assert calls.gather() == []  # after waiting a while
        assert not begun
        calls.allow(2, 0, FAR)
        assert len(gathered(calls, 3)) == 3


def test_what_has_not_begun_can_be_given_back() -> None:
    counter = Counter()
    with performing(counter) as calls:
        calls.allow(1, 0, FAR)
        calls.start(claims(3), FAR)
        until(lambda: counter.now == 1)
        assert len(calls.give_back()) == 2
        assert calls.in_hand == 1
        counter.go.set()
        assert len(gathered(calls, 1)) == 1


@pytest.mark.django_db
def test_a_released_claim_is_as_if_it_had_never_been(pec: PecRequest) -> None:
    before = ProviderOperation.objects.values("attempts", "look_first", "state").get()
    operations.release(operations.claim(1, "here"))
    assert ProviderOperation.objects.values("attempts", "look_first", "state").get() == before
    assert len(operations.claim(1, "there")) == 1


@pytest.mark.django_db
def test_when_the_provider_goes_away_what_was_claimed_ahead_is_not_tried(
    aruba: SandboxProcess, domain: PecDomain, settings: Any
) -> None:
    members = [MemberFactory().pk for _n in range(8)]
    PecDomain.objects.get(pk=domain.pk).ordini.set(PecDomain.objects.get(pk=domain.pk).ordini.model.objects.all())
    lifecycle.request_pec(members, domain, STAFF)
    settings.PROVIDER_CONCURRENCY, settings.BREAKER_THRESHOLD, settings.BREAKER_SECONDS = 4, 1, 60
    aruba.fault("*", "status", 503)
    engine.run()
    assert set(ProviderOperation.objects.values_list("state", "attempts")) == {(State.WAITING, 0)}
    assert not aruba.calls().get("create")


@pytest.mark.django_db
def test_one_that_cannot_be_written_keeps_no_other_from_being_written(
    pec: PecRequest, member: Any, domain: PecDomain, monkeypatch: pytest.MonkeyPatch
) -> None:
    domain.ordini.add(other := MemberFactory().ordine)
    second = lifecycle.request_pec([other.members.get().pk], domain, STAFF).created[0]
    real = lifecycle.confirm

    def confirm(done: Any, actor: Any) -> None:
        done = list(done)
        if any(o.request_id == pec.pk for o in done):
            raise ValueError("cannot be written")
        real(done, actor)

    monkeypatch.setattr(lifecycle, "confirm", confirm)
    settling.settle_all([(claim, Done()) for claim in operations.claim(5, "here")])
    assert dict(PecRequest.objects.values_list("pk", "status")) == {pec.pk: "RICHIESTA", second.pk: "NON_ATTIVO"}
    assert pec.operations.get().state == State.RUNNING  # until its lease is over
