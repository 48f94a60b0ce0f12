"""The token: got once, renewed in time, replaced when refused."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import sleep
from typing import Any

import pytest

from pec_requests.provider import Misconfigured, Temporary
from pec_requests.provider import tokens as tokens_module
from pec_requests.provider.aruba import ArubaProvider
from tests.provider.conftest import PASSWORD
from tests.provider.examples import ACCOUNTS, ADDRESS, REFRESH_PATH, TOKEN_PATH, account, envelope, token_data
from tests.provider.wire import Call, Reply, Wire, in_json

INFO = f"{ACCOUNTS}/info"


class Clock:
    """The monotonic clock of the token store, moved by the test."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Issuer:
    """An imagined provider that counts what it was asked and accepts its latest token alone."""

    def __init__(self, wire: Wire) -> None:
        self.asked: list[tuple[str, Any]] = []
        self.token_status = self.refresh_status = 200
        self.latency = 0.0
        self.accepts: Callable[[str], bool] = lambda token: token == f"token-{len(self.asked)}"
        wire.answer_with(TOKEN_PATH, self._token)
        wire.answer_with(REFRESH_PATH, self._refresh)
        wire.answer_with(INFO, self._info)

    def _token(self, call: Call) -> Reply:
        return self._issue("token", call, self.token_status)

    def _refresh(self, call: Call) -> Reply:
        return self._issue("refresh", call, self.refresh_status)

    def _issue(self, name: str, call: Call, status: int) -> Reply:
        sleep(self.latency)
        self.asked.append((name, call.json))
        number = len(self.asked)
        data = token_data(f"token-{number}", f"refresh-{number}") if status == 200 else None
        return in_json(envelope(data), status=status)

    def _info(self, call: Call) -> Reply:
        known = self.accepts(call.headers["Authorization"].removeprefix("Bearer "))
        return in_json(envelope(account())) if known else in_json(envelope(None), status=401)

    @property
    def calls(self) -> list[str]:
        return [name for name, _ in self.asked]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(tokens_module, "monotonic", clock)
    return clock


@pytest.fixture
def issuer(wire: Wire) -> Issuer:
    return Issuer(wire)


def test_one_token_serves_until_shortly_before_its_end(issuer: Issuer, aruba: ArubaProvider, clock: Clock) -> None:
    aruba.find(ADDRESS)
    clock.now += 269
    aruba.find(ADDRESS)
    assert issuer.calls == ["token"]
    clock.now += 2
    aruba.find(ADDRESS)
    assert issuer.asked[1:] == [("refresh", {"refreshToken": "refresh-1"})]


def test_refresh_token_out_of_date(issuer: Issuer, aruba: ArubaProvider, clock: Clock) -> None:
    aruba.find(ADDRESS)
    clock.now += 43200
    aruba.find(ADDRESS)
    assert issuer.calls == ["token", "token"]


@pytest.mark.parametrize("status", [400, 401, 403])
def test_refresh_refused_falls_back_to_the_credentials(
    issuer: Issuer, aruba: ArubaProvider, clock: Clock, status: int
) -> None:
    aruba.find(ADDRESS)
    issuer.refresh_status = status
    clock.now += 1000
    aruba.find(ADDRESS)
    assert issuer.calls == ["token", "refresh", "token"]


def test_a_failed_early_renewal_leaves_the_token_in_use(issuer: Issuer, aruba: ArubaProvider, clock: Clock) -> None:
    aruba.find(ADDRESS)
    issuer.refresh_status = 500
    issuer.accepts = lambda token: token == "token-1"
    clock.now += 280
    assert aruba.find(ADDRESS)
    clock.now += 30
    with pytest.raises(Temporary):
        aruba.find(ADDRESS)


def test_revoked_token_is_replaced_from_the_credentials_and_the_call_repeated_once(
    issuer: Issuer, aruba: ArubaProvider
) -> None:
    aruba.find(ADDRESS)
    issuer.accepts = lambda token: token == "token-2"
    assert aruba.find(ADDRESS)
    assert issuer.calls == ["token", "token"]


def test_fresh_token_refused(issuer: Issuer, aruba: ArubaProvider, wire: Wire) -> None:
    issuer.accepts = lambda token: False
    with pytest.raises(Misconfigured):
        aruba.find(ADDRESS)
    assert issuer.calls == ["token", "token"]
    assert [call.path for call in wire.calls].count(INFO) == 2


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_credentials_refused(issuer: Issuer, aruba: ArubaProvider, status: int) -> None:
    issuer.token_status = status
    with pytest.raises(Misconfigured) as caught:
        aruba.find(ADDRESS)
    assert PASSWORD not in str(caught.value) + caught.value.detail
    assert issuer.calls == ["token"]


@pytest.mark.parametrize("status", [429, 500, 503])
def test_no_token_for_now(issuer: Issuer, aruba: ArubaProvider, status: int) -> None:
    issuer.token_status = status
    with pytest.raises(Temporary) as caught:
        aruba.suspend(ADDRESS)
    assert not caught.value.maybe_done
    issuer.token_status = 200
    assert aruba.find(ADDRESS)


def test_no_credentials_set(wire: Wire, aruba: ArubaProvider) -> None:
    aruba._tokens._username = ""
    with pytest.raises(Misconfigured):
        aruba.find(ADDRESS)
    assert not wire.calls


@pytest.mark.parametrize("data", [{}, token_data(seconds=0), token_data(access=""), token_data(access="a\r\nb")])
def test_unusable_token(wire: Wire, aruba: ArubaProvider, data: dict[str, Any]) -> None:
    wire.post(TOKEN_PATH, json=envelope(data))
    with pytest.raises(Temporary):
        aruba.find(ADDRESS)


def in_threads(count: int, act: Callable[[], object]) -> list[object]:
    """What each of so many threads got, or the error it raised."""

    def caught() -> object:
        try:
            return act()
        except Exception as error:
            return error

    with ThreadPoolExecutor(count) as pool:
        return [future.result() for future in [pool.submit(caught) for _ in range(count)]]


def test_many_threads_share_one_flight(issuer: Issuer, aruba: ArubaProvider) -> None:
    issuer.latency = 0.1
    assert all(in_threads(50, lambda: aruba.find(ADDRESS)))
    assert issuer.calls == ["token"]


def test_many_threads_refused_at_once_sign_in_once(issuer: Issuer, aruba: ArubaProvider) -> None:
    aruba.find(ADDRESS)
    issuer.accepts = lambda token: token == "token-2"
    issuer.latency = 0.1
    found = in_threads(50, lambda: aruba.find(ADDRESS))
    assert not [error for error in found if isinstance(error, Exception)]
    assert issuer.calls == ["token", "token"]


def test_many_threads_share_the_error_of_a_flight(issuer: Issuer, aruba: ArubaProvider) -> None:
    issuer.token_status, issuer.latency = 503, 0.3
    errors = in_threads(20, lambda: aruba.find(ADDRESS))
    assert all(isinstance(error, Temporary) and error.outage for error in errors)
    assert len(issuer.calls) < 5
    assert len(set(map(id, errors))) == 20


def test_nobody_waits_for_an_early_renewal(issuer: Issuer, aruba: ArubaProvider, clock: Clock) -> None:
    aruba.find(ADDRESS)
    issuer.accepts = lambda token: token in ("token-1", "token-2")
    issuer.latency = 0.5
    clock.now += 280
    with ThreadPoolExecutor(2) as pool:
        renewing = pool.submit(aruba.find, ADDRESS)
        sleep(0.1)
        assert pool.submit(aruba.find, ADDRESS).result()
        assert not renewing.done()
    assert issuer.calls == ["token", "refresh"]
