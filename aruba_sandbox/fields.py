"""Reading a JSON object field by field, refusing what does not fit with the envelope's error."""

import json
import math
from collections.abc import Mapping
from datetime import date, datetime, time
from http import HTTPStatus
from typing import NoReturn

from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from aruba_sandbox.wire import ApiError, FieldError, invalid

_LARGEST_ID = 2**63 - 1


class Fields:
    """A JSON object on its way in. Fields nobody reads are ignored; ``null`` counts as absent."""

    def __init__(self, data: Mapping[str, object], name: str = "request") -> None:
        self._data = data
        self._name = name

    @classmethod
    def parse(cls, body: bytes) -> "Fields":
        """The object in a request's body."""
        try:
            data = json.loads(body or b"{}")
        except (ValueError, RecursionError):
            raise invalid("Il corpo della richiesta non è JSON valido.") from None
        if not isinstance(data, dict):
            raise invalid("Il corpo della richiesta non è un oggetto JSON.")
        return cls(data)

    def has(self, field: str) -> bool:
        """Whether the field is there."""
        return self._data.get(field) is not None

    def refuse(self, field: str, message: str, code: str = "Invalid") -> NoReturn:
        """Refuse the request because of this field."""
        error = FieldError(self._name, field, code, self._data.get(field), message)
        raise ApiError(HTTPStatus.BAD_REQUEST, f"{field}: {message}", error)

    def text(self, field: str, *, least: int = 1, most: int = 255) -> str:
        """A text that must be there."""
        value = self._data.get(field)
        if value is None:
            self.refuse(field, "campo obbligatorio", "NotNull")
        if not isinstance(value, str):
            self.refuse(field, "deve essere un testo", "TypeMismatch")
        value = value.strip()
        if not value.isprintable():
            self.refuse(field, "contiene caratteri non ammessi", "Pattern")
        if not least <= len(value) <= most:
            self.refuse(field, f"deve avere da {least} a {most} caratteri", "Size")
        return value

    def optional_text(self, field: str, *, most: int = 255) -> str:
        """A text that may be absent or empty."""
        return self.text(field, least=0, most=most) if self.has(field) else ""

    def integer(self, field: str, *, least: int = 1, most: int = _LARGEST_ID) -> int:
        """A whole number, also when written as text."""
        value = self._data.get(field)
        if value is None:
            self.refuse(field, "campo obbligatorio", "NotNull")
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            self.refuse(field, "deve essere un numero intero", "TypeMismatch")
        if not least <= value <= most:
            self.refuse(field, f"deve essere compreso tra {least} e {most}", "Range")
        return value

    def number(self, field: str, *, least: float, most: float = math.inf, default: float | None = None) -> float:
        """A number between two limits."""
        value = default if not self.has(field) else self._data[field]
        if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
            self.refuse(field, "deve essere un numero", "TypeMismatch")
        if not least <= value <= most:
            self.refuse(field, f"deve essere compreso tra {least:g} e {most:g}", "Range")
        return value

    def choice(self, field: str, options: tuple[str, ...]) -> str:
        """One of a few words."""
        value = self.text(field)
        if value not in options:
            self.refuse(field, f"deve essere uno tra {', '.join(options)}", "Pattern")
        return value

    def flag(self, field: str) -> bool:
        """True or false; absent is false."""
        value = self._data.get(field) or False
        if not isinstance(value, bool):
            self.refuse(field, "deve essere vero o falso", "TypeMismatch")
        return value

    def moment(self, field: str) -> datetime:
        """A date, or date and time, in ISO 8601; without an offset it is Italian time."""
        text = self.text(field)
        try:
            day: date | None = parse_date(text) if len(text) == len("2026-01-31") else None
            value = datetime.combine(day, time()) if day else parse_datetime(text)
        except ValueError:
            value = None
        if value is None:
            self.refuse(field, "non è una data ISO 8601", "Pattern")
        return value if timezone.is_aware(value) else timezone.make_aware(value)

    def child(self, field: str) -> "Fields":
        """An object inside this one that must be there."""
        value = self._data.get(field)
        if value is None:
            self.refuse(field, "campo obbligatorio", "NotNull")
        if not isinstance(value, dict):
            self.refuse(field, "deve essere un oggetto", "TypeMismatch")
        return Fields(value, field)

    def optional_child(self, field: str) -> "Fields":
        """An object inside this one, empty if absent."""
        return self.child(field) if self.has(field) else Fields({}, field)
