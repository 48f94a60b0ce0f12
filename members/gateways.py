"""The gateways through which people come with SPID or CIE: which this installation has, and how they are reached."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl

from django.conf import settings

# In the session of who came in with SPID or CIE: by which gateway, at which level. None after a password.
SESSION_KEY = "identity"


@dataclass(frozen=True)
class Gateway:
    """One, as the settings describe it. ``params`` go along with every request: most name the identity's kind."""

    key: str
    name: str
    issuer: str
    client_id: str
    client_secret: str
    params: str = ""

    @property
    def extra(self) -> dict[str, str]:
        return dict(parse_qsl(self.params))


def configured() -> list[Gateway]:
    """Those that are there, in the order of their buttons."""
    gateways = [Gateway(key=key, **values) for key, values in settings.IDENTITY_GATEWAYS.items()]
    return [gateway for gateway in gateways if gateway.issuer and gateway.client_id and gateway.client_secret]


def find(key: str) -> Gateway | None:
    return next((gateway for gateway in configured() if gateway.key == key), None)
