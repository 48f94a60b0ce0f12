"""What must not stand in a log line: the secret of a link, a whole codice fiscale."""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from typing import Any

_LINKS = re.compile(r"(/(?:invito|nuova-password|conferma-email|conferma|non-sono-stato-io)/)[^/\s?\"']+")
# What a gateway of SPID or CIE sends people back with.
_ANSWERS = re.compile(r"([?&](?:code|state)=)[^&\s\"']+")
_TAX_CODES = re.compile(r"\b([A-Z]{3})[A-Z]{3}[0-9A-Z]{2}[A-Z][0-9A-Z]{2}[A-Z][0-9A-Z]{3}([A-Z])\b")


def masked(text: str) -> str:
    """The text without the secrets in addresses and with codici fiscali cut to their first three and last letters."""
    return _TAX_CODES.sub(r"\1•••\2", _ANSWERS.sub(r"\1•••", _LINKS.sub(r"\1•••", text)))


def mask_secrets(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor: every text of the event is masked."""
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = masked(value)
    return event
