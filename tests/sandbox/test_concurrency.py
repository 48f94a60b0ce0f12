"""Many at once: one winner, exact counts, no error page."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import requests

from tests.sandbox.partner import ACCOUNTS, MARIO, NAME, OWNERS, Partner, account_data, owner_data

AT_ONCE = 16


def statuses(call: Callable[[], requests.Response], times: int = AT_ONCE) -> Counter[int]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return Counter(answer.status_code for answer in pool.map(lambda _: call(), range(times)))


def test_one_of_many_creates_wins(partner: Partner) -> None:
    partner.owner()
    assert statuses(lambda: partner.post(ACCOUNTS, account_data())) == {200: 1, 400: AT_ONCE - 1}
    assert partner.sandbox.calls()["create"] == {NAME: 1}


def test_one_of_many_holders_wins(partner: Partner) -> None:
    assert statuses(lambda: partner.post(OWNERS, owner_data())) == {200: 1, 400: AT_ONCE - 1}
    assert partner.sandbox.calls()["owners"] == {MARIO: 1}


def test_one_of_many_activations_wins(partner: Partner) -> None:
    partner.account()
    assert statuses(lambda: partner.act("activate")) == {200: 1, 400: AT_ONCE - 1}
    assert len(partner.sandbox.mail()) == 1


def test_a_limited_fault_strikes_exactly_so_often(partner: Partner) -> None:
    partner.sandbox.fault("types", "status", 503, times=20)
    assert statuses(lambda: partner.get(f"{ACCOUNTS}/types"), times=100) == {503: 20, 200: 80}
