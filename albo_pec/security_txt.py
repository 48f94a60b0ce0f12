"""Whom to tell of a hole in the portal: ``/.well-known/security.txt`` (RFC 9116), for people and their programs."""

from __future__ import annotations

from datetime import datetime, time, timedelta

from django.conf import settings
from django.urls import reverse
from django.utils import timezone

# RFC 9116 advises less than a year. Counted from today, so that it can never have passed.
_VALID = timedelta(days=180)
_SCHEMES = ("mailto:", "https://", "tel:")
_LANGUAGES = "it, de, en"


def contact() -> str:
    """``SECURITY_CONTACT`` as a URI; empty where it is none that the RFC allows."""
    given: str = settings.SECURITY_CONTACT.strip()
    uri = f"mailto:{given}" if "@" in given and ":" not in given else given
    return uri if uri.startswith(_SCHEMES) and uri.isprintable() and " " not in uri else ""


def document() -> str:
    """The file; empty where nobody is named: a file without a contact would be none."""
    if not contact():
        return ""
    expires = datetime.combine(timezone.localdate() + _VALID, time(), timezone.get_current_timezone())
    fields = {
        "Contact": contact(),
        "Expires": expires.isoformat(),
        "Preferred-Languages": _LANGUAGES,
        "Canonical": f"{settings.PORTAL_URL}{reverse('security_txt')}",
        "Policy": f"{settings.PORTAL_URL}{reverse('help')}#sicurezza",
    }
    return "".join(f"{name}: {value}\n" for name, value in fields.items())
