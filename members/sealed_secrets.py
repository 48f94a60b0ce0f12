"""Secrets that the portal must be able to read again, kept so that who reads the database alone cannot.

AES-256-GCM, with a key made from ``SECRET_KEY``; what was sealed by one of ``SECRET_KEY_FALLBACKS`` can be read still.
"""

from __future__ import annotations

import base64
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.utils.crypto import salted_hmac

_MARK = "aesgcm:"
_NONCE = 12


def seal(text: str) -> str:
    """The text as it may stand in the database."""
    nonce = secrets.token_bytes(_NONCE)
    sealed = _cipher(settings.SECRET_KEY).encrypt(nonce, text.encode(), _MARK.encode())
    return _MARK + base64.urlsafe_b64encode(nonce + sealed).decode()


def unseal(kept: str) -> str:
    """What was sealed; what is older than seals comes back as it is. ``InvalidTag``: no key of ours fits."""
    if not kept.startswith(_MARK):
        return kept
    sealed = base64.urlsafe_b64decode(kept.removeprefix(_MARK))
    for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        try:
            return _cipher(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], _MARK.encode()).decode()
        except InvalidTag:
            continue
    raise InvalidTag


def _cipher(key: str) -> AESGCM:
    return AESGCM(salted_hmac("members.sealed_secrets", "", secret=key, algorithm="sha256").digest())
