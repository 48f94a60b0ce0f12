"""The provider of the process: built once from the settings, and anew after a fork."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from pytest_django import Settings

from pec_requests import provider as package
from pec_requests.provider import Misconfigured, provider, reset
from pec_requests.provider.aruba import ArubaProvider
from tests.provider.examples import ADDRESS, account
from tests.provider.raw_server import RawServer, answered


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    reset()
    yield
    reset()


def test_one_for_all_threads() -> None:
    with ThreadPoolExecutor(20) as pool:
        assert len({id(future.result()) for future in [pool.submit(provider) for _ in range(100)]}) == 1


def test_reset_reads_the_settings_again(settings: Settings) -> None:
    settings.ARUBA_USERNAME, settings.ARUBA_PASSWORD = "partner", "segreta"
    for _ in range(2):
        with RawServer(answered(account())) as server:
            settings.ARUBA_BASE_URL = server.url
            reset()
            assert provider().find(ADDRESS)


def test_settings_reach_the_provider(settings: Settings) -> None:
    settings.ARUBA_CONVENTION_CALLS, settings.ARUBA_RENEWAL_YEARS = False, 3
    settings.PROVIDER_CONNECT_TIMEOUT, settings.PROVIDER_READ_TIMEOUT = 1.5, 2.5
    settings.PROVIDER_OPERATION_SECONDS, settings.PROVIDER_CONCURRENCY = 9.0, 4
    built = provider()
    assert isinstance(built, ArubaProvider)
    assert (built._convention_calls, built._renewal_years) == (False, 3)
    limits = built._transport.limits
    assert (limits.connect, limits.read, limits.operation, limits.connections) == (1.5, 2.5, 9.0, 4)


def test_a_child_process_has_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = provider()
    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert provider() is not mine
    monkeypatch.undo()
    assert provider() is mine


def test_an_address_that_is_none_is_said_at_once(settings: Settings) -> None:
    settings.ARUBA_BASE_URL = "gestore.example"
    with pytest.raises(Misconfigured):
        package.provider()
