"""The provider of mailboxes: the only package that knows that HTTP exists.

``provider()`` gives the one this installation uses; ``deadline(seconds)`` bounds what is asked of it in one piece;
``pace`` is how fast this process may call.
"""

import os

from django.conf import settings

from pec_requests.provider.aruba import ArubaProvider
from pec_requests.provider.base import (
    Availability,
    Holder,
    Mailbox,
    MailboxPage,
    MailboxStatus,
    Misconfigured,
    Provider,
    ProviderError,
    Refused,
    Temporary,
    UnknownOutcome,
)
from pec_requests.provider.pace import pace
from pec_requests.provider.session import Limits, Transport, deadline
from pec_requests.provider.tokens import TokenStore

__all__ = [
    "Availability",
    "Holder",
    "Mailbox",
    "MailboxPage",
    "MailboxStatus",
    "Misconfigured",
    "Provider",
    "ProviderError",
    "Refused",
    "Temporary",
    "UnknownOutcome",
    "deadline",
    "pace",
    "provider",
    "reset",
]

_by_process: dict[int, Provider] = {}


def provider() -> Provider:
    """The provider of this process, from the settings: all its threads share token and connections.

    By process id, because a forked child must not write on its parent's connections. Without a lock, which a fork could
    leave locked for ever: of two threads that build one at once, both get the first. Raises ``Misconfigured`` where
    ``ARUBA_BASE_URL`` is no address.
    """
    known = _by_process.get(os.getpid())
    return known or _by_process.setdefault(os.getpid(), _build())


def reset() -> None:
    """Forget token and connections, so that the next ``provider()`` reads the settings again."""
    _by_process.clear()


def _build() -> Provider:
    limits = Limits(
        connect=settings.PROVIDER_CONNECT_TIMEOUT,
        read=settings.PROVIDER_READ_TIMEOUT,
        operation=settings.PROVIDER_OPERATION_SECONDS,
        connections=settings.PROVIDER_CONCURRENCY,
    )
    transport = Transport(settings.ARUBA_BASE_URL, limits)
    return ArubaProvider(
        transport,
        TokenStore(transport, settings.ARUBA_USERNAME, settings.ARUBA_PASSWORD),
        convention_calls=settings.ARUBA_CONVENTION_CALLS,
        renewal_years=settings.ARUBA_RENEWAL_YEARS,
    )
