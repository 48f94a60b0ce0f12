"""What every page's frame needs, whoever it is for."""

from __future__ import annotations

from functools import cache
from typing import Any

from django.http import HttpRequest
from django.urls import reverse

# What header and footer lead to. A dozen on every page, each always the same: to look them up again each time took a
# fourteenth of what a page costs.
_FRAME = {
    "accessibility": "accessibility",
    "help": "help",
    "home": "home",
    "language": "members:language",
    "log_in": "account_login",
    "log_out": "account_logout",
    "member": "members:home",
    "office": "admin:index",
    "privacy": "privacy",
    "record": "members:record",
    "requests": "pec_requests:list",
    "security": "mfa_index",
}


@cache
def _addresses() -> dict[str, str]:
    return {word: reverse(name) for word, name in _FRAME.items()}


def frame(request: HttpRequest) -> dict[str, Any]:
    """``{{ frame.help }}`` and the like."""
    return {"frame": _addresses()}
