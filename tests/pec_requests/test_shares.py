"""What the provider allows at once and in a second, shared out among workers that know nothing of one another."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from django.utils import timezone

from pec_requests import shares
from pec_requests.models import WorkerShare
from pec_requests.provider.pace import Pace
from pec_requests.shares import Share

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def ten_at_once(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.PROVIDER_CONCURRENCY, settings.PROVIDER_RATE = 10, 0.0
    monkeypatch.setattr(shares, "_RENEWED_AFTER", 0.0)


def test_alone_a_worker_has_everything_and_gives_it_back() -> None:
    with Share("a") as a:
        assert a.slots == 10
    assert not WorkerShare.objects.exists()


def test_a_second_gets_its_half_once_the_first_can_spare_it() -> None:
    with Share("a") as a, Share("b") as b:
        assert (a.slots, b.slots) == (10, 0)
        a.renew(busy=8)  # eight calls under way keep their slots, but no more of them begin
        b.renew(busy=0)
        assert (a.slots, b.slots) == (5, 2)
        assert sorted(WorkerShare.objects.values_list("slots", flat=True)) == [2, 8]
        a.renew(busy=1)
        b.renew(busy=2)
        assert (a.slots, b.slots) == (5, 5)


@pytest.mark.parametrize(("total", "parts"), [(10, [4, 3, 3]), (2, [1, 1, 0])])
def test_what_cannot_be_divided_goes_to_the_first(settings: Any, total: int, parts: list[int]) -> None:
    settings.PROVIDER_CONCURRENCY = total
    with Share("a") as a, Share("b") as b, Share("c") as c:
        for _round in range(2):
            for share in (a, b, c):
                share.renew(busy=0)
        assert [a.slots, b.slots, c.slots] == parts


def test_the_share_of_a_dead_worker_ends_by_itself() -> None:
    WorkerShare.objects.create(worker="dead", slots=10, ends_at=timezone.now())
    with Share("a") as a:
        assert a.slots == 10


def test_a_share_that_was_not_renewed_in_time_is_worth_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with Share("a") as a:
        later = time.monotonic() + 3600
        monkeypatch.setattr("pec_requests.shares.time.monotonic", lambda: later)
        assert a.slots == 0 == a.useful_slots


def test_the_rate_goes_with_the_slots(settings: Any) -> None:
    settings.PROVIDER_RATE = 2.0
    with Share("a") as a, Share("b") as b:
        a.renew(busy=0)
        b.renew(busy=0)
        assert a.rate == b.rate == 1.0
        # More would only stand in the queue.
        assert a.useful_slots == 5


def test_without_slots_what_is_under_way_still_keeps_a_pace(settings: Any) -> None:
    settings.PROVIDER_RATE = 10.0
    with Share("a"), Share("b") as b:
        assert (b.slots, b.rate) == (0, 1.0)  # 0 would be no limit at all


def test_threads_keep_the_pace_together() -> None:
    pace, began = Pace(), time.monotonic()
    pace.limit(200)
    threads = [threading.Thread(target=lambda: [pace.wait() for _call in range(10)]) for _thread in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - began >= 39 / 200  # the first waits for nobody
