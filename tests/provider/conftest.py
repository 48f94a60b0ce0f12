"""A provider on an address of this machine, its answers given by each test."""

from collections.abc import Iterator
from itertools import count

import pytest

from pec_requests.provider import Mailbox, Provider
from pec_requests.provider.aruba import ArubaProvider
from pec_requests.provider.session import Limits, Transport
from pec_requests.provider.tokens import TokenStore
from tests.provider.examples import TOKEN_PATH, envelope, token_data
from tests.provider.wire import Wire

PASSWORD = "molto-segreta"
LIMITS = Limits(connect=2.0, read=2.0, operation=10.0, connections=50)


def make_provider(url: str, *, limits: Limits = LIMITS, convention_calls: bool = True) -> ArubaProvider:
    """A provider of its own, with no token yet."""
    transport = Transport(url, limits)
    tokens = TokenStore(transport, "partner", PASSWORD)
    return ArubaProvider(transport, tokens, convention_calls=convention_calls)


def every_mailbox(provider: Provider, size: int = 200) -> Iterator[Mailbox]:
    """A walk over all the pages."""
    for number in count():
        page = provider.mailbox_page(number, size)
        yield from page.mailboxes
        if page.last:
            return


@pytest.fixture
def wire() -> Iterator[Wire]:
    """Canned answers, a token among them; a call without an answer is a broken connection."""
    server = Wire()
    server.post(TOKEN_PATH, json=envelope(token_data()))
    yield server
    server.close()


@pytest.fixture
def aruba(wire: Wire) -> ArubaProvider:
    """The provider whose answers ``wire`` gives."""
    return make_provider(wire.url)
