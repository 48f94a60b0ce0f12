"""What must not stand in a log line, or an error report: the secret of a link, a whole codice fiscale, an e-mail.

Lines are masked last, when they are text: then nothing that a library says, no argument and no traceback gets past.
"""

from __future__ import annotations

import logging
import re
from typing import Any

_LINKS = re.compile(r"(/(?:invito|nuova-password|conferma-email|conferma|non-sono-stato-io|avvisi)/)[^/\s?\"']+")
# What a gateway of SPID or CIE sends people back with.
_ANSWERS = re.compile(r"([?&](?:code|state)=)[^&\s\"']+")
# Also where letters stand for digits, as homonyms have them, and in the small letters of an address.
_TAX_CODES = re.compile(
    r"(?<![A-Z0-9])([A-Z]{3})[A-Z]{3}[0-9LMNPQRSTUV]{2}[A-EHLMPRST][0-9LMNPQRSTUV]{2}[A-Z][0-9LMNPQRSTUV]{3}([A-Z])"
    r"(?![A-Z0-9])",
    re.IGNORECASE,
)
# A PEC is an e-mail as well; in an address of the portal the sign in the middle is written otherwise.
_EMAILS = re.compile(r"([A-Z0-9])[A-Z0-9.!#$%&'*+/=?^_`{|}~-]{0,80}?(@|%40)((?:[A-Z0-9-]+\.)+[A-Z]{2,})", re.IGNORECASE)


def masked(text: str) -> str:
    """The text without secrets in addresses, with codici fiscali and e-mails cut to what their owner recognises."""
    text = _ANSWERS.sub(r"\1•••", _LINKS.sub(r"\1•••", text))
    if "@" in text or "%40" in text:
        text = _EMAILS.sub(r"\1•••\2\3", text)
    return _TAX_CODES.sub(r"\1•••\2", text)


def mask_line(_logger: Any, _method: str, line: str) -> str:
    """The last of structlog's processors: the line is text by now."""
    return masked(line)


class MaskingFormatter(logging.Formatter):
    """Another's lines, masked: for programs that have a log of their own, as gunicorn does."""

    def __init__(self, inner: logging.Formatter | None) -> None:
        super().__init__()
        self._inner = inner or logging.Formatter()

    def format(self, record: logging.LogRecord) -> str:
        return masked(self._inner.format(record))
