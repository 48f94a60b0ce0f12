"""Faults: each kind, how often, for which call."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from tests.sandbox.partner import ACCOUNTS, NAME, Partner, account_data, ok, refused


def test_latency_delays_and_then_answers(partner: Partner) -> None:
    partner.sandbox.fault("types", "latency", 0.3)
    started = time.monotonic()
    ok(partner.get(f"{ACCOUNTS}/types"))
    assert time.monotonic() - started >= 0.3


def test_status_answers_with_an_error(partner: Partner) -> None:
    partner.sandbox.fault("create", "status", 503)
    partner.owner()
    refused(partner.post(ACCOUNTS, account_data()), 503)
    assert partner.sandbox.accounts() == []


def test_drop_before_does_nothing(partner: Partner) -> None:
    partner.owner()
    partner.sandbox.fault("create", "drop_before")
    with pytest.raises(requests.ConnectionError):
        partner.post(ACCOUNTS, account_data())
    assert partner.sandbox.accounts() == []


def test_drop_after_does_the_work(partner: Partner) -> None:
    partner.owner()
    partner.sandbox.fault("create", "drop_after")
    with pytest.raises(requests.ConnectionError):
        partner.post(ACCOUNTS, account_data())
    assert partner.sandbox.calls()["create"] == {NAME: 1}


@pytest.mark.parametrize(("value", "status"), [(None, 200), (502, 502)])
def test_garbage_is_no_json(partner: Partner, value: int | None, status: int) -> None:
    partner.sandbox.fault("info", "garbage", value)
    answer = partner.act("info")
    assert (answer.status_code, answer.text[:6]) == (status, "<html>")


def test_partial_has_data_and_errors(partner: Partner) -> None:
    partner.owner()
    partner.sandbox.fault("create", "partial")
    answer = partner.post(ACCOUNTS, account_data())
    assert answer.status_code == 200
    assert answer.json()["data"]["name"] == NAME
    assert answer.json()["errors"]


@pytest.mark.parametrize(("kind", "value"), [("status", 500), ("garbage", None), ("truncated", None), ("latency", 0)])
@pytest.mark.parametrize("after", [False, True])
def test_a_bad_answer_comes_after_the_work_or_in_its_place(
    partner: Partner, kind: str, value: float | None, after: bool
) -> None:
    partner.owner()
    order = {"call": "create", "kind": kind, "value": value, "after": after}
    partner.http.post(f"{partner.sandbox.url}/_sandbox/faults", json=order, timeout=10).raise_for_status()
    partner.post(ACCOUNTS, account_data())
    assert partner.sandbox.calls().get("create", {}) == ({NAME: 1} if after or kind == "latency" else {})


def test_truncated_is_half_of_an_answer(partner: Partner) -> None:
    partner.sandbox.fault("info", "truncated")
    answer = partner.act("info")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    with pytest.raises(requests.JSONDecodeError):
        answer.json()


def test_a_held_call_goes_on_when_the_faults_are_cleared(partner: Partner) -> None:
    partner.owner()
    order = {"call": "create", "kind": "hold", "after": True}
    partner.http.post(f"{partner.sandbox.url}/_sandbox/faults", json=order, timeout=10).raise_for_status()
    with ThreadPoolExecutor(1) as thread:
        answer = thread.submit(partner.post, ACCOUNTS, account_data())
        while not partner.sandbox.calls().get("create"):
            assert not answer.done()
        assert not answer.done()
        partner.sandbox.clear_faults()
        ok(answer.result(10))


def test_what_was_delayed_is_done_once_the_faults_are_cleared(partner: Partner) -> None:
    partner.owner()
    partner.sandbox.fault("create", "latency", 300, times=1)
    with ThreadPoolExecutor(1) as thread:
        answer = thread.submit(partner.post, ACCOUNTS, account_data())
        while partner.sandbox.faults_left():
            assert not answer.done()
        partner.sandbox.clear_faults()
        assert partner.sandbox.calls()["create"] == {NAME: 1}
        ok(answer.result(10))


def test_rate_limit_says_when_to_come_back(partner: Partner) -> None:
    partner.sandbox.fault("search", "rate_limit", 7)
    answer = partner.post(f"{ACCOUNTS}/search")
    refused(answer, 429)
    assert answer.headers["Retry-After"] == "7"


def test_a_fault_ends_after_its_times_or_when_cleared(partner: Partner) -> None:
    partner.sandbox.fault("types", "status", 500, times=2)
    assert [partner.get(f"{ACCOUNTS}/types").status_code for _ in range(3)] == [500, 500, 200]
    partner.sandbox.fault("types", "status", 500)
    partner.sandbox.clear_faults()
    ok(partner.get(f"{ACCOUNTS}/types"))


def test_a_fault_concerns_its_call_its_undoing_or_all(partner: Partner) -> None:
    partner.account()
    partner.sandbox.fault("suspend", "status", 500)
    assert [partner.act(call).status_code for call in ("suspend", "suspend-undo", "info")] == [500, 500, 200]
    partner.sandbox.clear_faults()
    partner.sandbox.fault("*", "status", 500)
    assert [partner.act("info").status_code, partner.authenticate().status_code] == [500, 500]


def test_a_delay_goes_with_another_fault_but_of_those_only_the_first_counts(partner: Partner) -> None:
    partner.sandbox.fault("types", "latency", 0.1, times=1)
    partner.sandbox.fault("types", "status", 500, times=1)
    partner.sandbox.fault("types", "status", 502, times=1)
    assert [partner.get(f"{ACCOUNTS}/types").status_code for _ in range(3)] == [500, 502, 200]


def test_an_improbable_fault_never_comes(partner: Partner) -> None:
    partner.sandbox.fault("types", "status", 500, probability=0)
    ok(partner.get(f"{ACCOUNTS}/types"))


@pytest.mark.parametrize(
    "order",
    [
        {"call": "dance", "kind": "latency", "value": 1},
        {"call": "info", "kind": "explode"},
        {"call": "info", "kind": "latency"},
        {"call": "info", "kind": "status", "value": 200},
        {"call": "info", "kind": "drop_after", "probability": 2},
        {"call": "info", "kind": "drop_after", "times": 0},
        {"call": "info", "kind": "drop_before", "after": True},
    ],
)
def test_a_bad_order_is_refused_with_a_sentence(partner: Partner, order: dict[str, Any]) -> None:
    answer = partner.http.post(f"{partner.sandbox.url}/_sandbox/faults", json=order, timeout=10)
    assert answer.status_code == 400
    assert answer.json()["error"]
