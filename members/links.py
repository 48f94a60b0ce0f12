"""What single-use links have in common: a secret that only the mail holds, its digest, and what became of the link."""

from __future__ import annotations

import enum
import hashlib
import secrets

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.urls import reverse


class LinkState(enum.StrEnum):
    """What became of a link."""

    VALID = "valid"
    EXPIRED = "expired"
    USED = "used"
    REPLACED = "replaced"
    UNKNOWN = "unknown"


def new_secret() -> str:
    """For the link in a mail; of it only the ``digest`` is kept."""
    return secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """SHA-256, hexadecimal."""
    return hashlib.sha256(secret.encode()).hexdigest()


def address(view: str, secret: str) -> str:
    """The link itself, as it stands in a mail."""
    return f"{settings.PORTAL_URL}{reverse(view, args=[secret])}"


class SignedNumber:
    """In an address of the member's side, a primary key that the portal has signed: none can be guessed."""

    regex = r"\d{1,18}:[\w-]{43}"
    _signer = Signer(salt="members.links.SignedNumber")

    def to_python(self, value: str) -> int:
        try:
            return int(self._signer.unsign(value))
        except BadSignature as forged:
            raise ValueError(value) from forged  # no such address

    def to_url(self, value: int) -> str:
        return str(self._signer.sign(str(value)))
