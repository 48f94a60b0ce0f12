"""The provider's own words, made fit to be shown and kept: short, on one line, without a whole codice fiscale."""

import re
from typing import Any

_LIMIT = 300
_ERRORS_SHOWN = 3
_TAX_CODE = re.compile(
    r"(?<![A-Z0-9])([A-Z]{3})[A-Z]{3}[0-9LMNP-V]{2}[A-EHLMPRST][0-9LMNP-V]{2}[A-Z][0-9LMNP-V]{3}[A-Z](?![A-Z0-9])",
    re.IGNORECASE,
)


def masked(text: str) -> str:
    """The text with each codice fiscale in it cut down to its first three letters."""
    return _TAX_CODE.sub(r"\1*************", text)


def cleaned(text: str) -> str:
    """The text masked, on one line, without control characters, at most 300 characters long."""
    line = masked(" ".join("".join(c if c.isprintable() else " " for c in text[: 4 * _LIMIT]).split()))
    return line if len(line) <= _LIMIT else line[: _LIMIT - 1] + "…"


def words_of(errors: list[Any]) -> str:
    """What the envelope's ``errors`` say, ``""`` if nothing readable. The rejected value is never repeated."""
    return cleaned("; ".join(filter(None, map(_words_of_one, errors[:_ERRORS_SHOWN]))))


def code_of(errors: list[Any]) -> str:
    """The code of the first of the envelope's ``errors``, else ``""``."""
    code = errors[0].get("code") if errors and isinstance(errors[0], dict) else None
    return cleaned(str(code))[:40] if isinstance(code, str | int) else ""


def field_of(errors: list[Any]) -> str:
    """The field that the first of the envelope's ``errors`` blames, without what it is a part of, else ``""``."""
    validation = errors[0].get("validationError") if errors and isinstance(errors[0], dict) else None
    field = _text(validation.get("field")) if isinstance(validation, dict) else ""
    return cleaned(field.rpartition(".")[2])[:40]


def _words_of_one(error: Any) -> str:
    if not isinstance(error, dict):
        return ""
    description = _text(error.get("description"))
    validation = error.get("validationError")
    if not isinstance(validation, dict):
        return description
    message = _text(validation.get("defaultMessage"))
    if not message or message in description:
        return description
    field = _text(validation.get("field"))
    precise = f"{field}: {message}" if field else message
    return f"{description} ({precise})" if description else precise


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""
