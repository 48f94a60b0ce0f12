"""An Ordine, a member, and the sandbox as the provider."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django_scopes import scopes_disabled

from audit.actors import Actor
from members.models import Member
from pec_requests import engine, lifecycle, notices
from pec_requests.models import PecDomain, PecRequest
from pec_requests.provider import provider, reset
from tests.factories import MemberFactory
from tests.sandbox_process import SandboxProcess

STAFF = Actor(name="segreteria")


@pytest.fixture(autouse=True)
def all_ordini() -> Iterator[None]:
    """These tests speak to the services, below the tenancy of requests."""
    with scopes_disabled():
        yield


@pytest.fixture
def member(db: None) -> Member:
    return MemberFactory()


@pytest.fixture
def domain(member: Member) -> PecDomain:
    return PecDomain.objects.get(name="tsrm.org")


@pytest.fixture
def pec(member: Member, domain: PecDomain) -> PecRequest:
    """A request just made by staff."""
    return lifecycle.request_pec([member.pk], domain, STAFF).created[0]


@pytest.fixture
def aruba(sandbox: SandboxProcess, settings: Any) -> Iterator[SandboxProcess]:
    """The sandbox, empty, as the portal's provider."""
    sandbox.reset()
    settings.ARUBA_BASE_URL, settings.ARUBA_USERNAME, settings.ARUBA_PASSWORD = (
        sandbox.url,
        sandbox.username,
        sandbox.password,
    )
    settings.OPERATION_RETRY_SECONDS = 0
    settings.BREAKER_SECONDS = 0
    reset()
    yield sandbox
    sandbox.clear_faults()
    reset()


@pytest.fixture
def work(aruba: SandboxProcess) -> Callable[[], int]:
    """A turn of the workers: what is waiting is carried out, and its mails are written."""

    def turn() -> int:
        settled = engine.run(provider())
        notices.write()
        return settled

    return turn


@pytest.fixture
def ready(pec: PecRequest, work: Callable[[], int]) -> PecRequest:
    work()
    return PecRequest.objects.get(pk=pec.pk)


@pytest.fixture
def active(ready: PecRequest, work: Callable[[], int]) -> PecRequest:
    lifecycle.decide([ready.pk], "accept", STAFF)
    work()
    return PecRequest.objects.get(pk=ready.pk)
