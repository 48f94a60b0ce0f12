"""The browsers by which somebody has come in: told by a secret in a cookie, not by the address, which changes.

One that is new is told to the owner of the account by mail. One that is known is not kept waiting by what strangers
tried (see ``members.throttle``).
"""

from __future__ import annotations

import re
import secrets
from datetime import timedelta

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _

from members.entry_models import KnownDevice
from members.links import digest
from members.models import User

KEPT = timedelta(days=365)
_SALT = "members.devices"
# What a browser says of itself, most telling first: many name others that they resemble.
_BROWSERS = {
    "Edge": r"Edg(e|A|iOS)?/",
    "Opera": r"OPR/",
    "Samsung Internet": r"SamsungBrowser/",
    "Firefox": r"Firefox/|FxiOS/",
    "Chrome": r"Chrome/|CriOS/",
    "Safari": r"Safari/",
}
_SYSTEMS = {
    "iPhone": r"iPhone",
    "iPad": r"iPad",
    "Android": r"Android",
    "Windows": r"Windows",
    "macOS": r"Mac OS X|Macintosh",
    "ChromeOS": r"CrOS",
    "Linux": r"Linux",
}


def known(request: HttpRequest, user: User | None) -> str:
    """The digest of this browser's secret, if ``user`` has come in by it; empty else. One query, whoever exists."""
    secret = _secret(request)
    if not secret:
        return ""
    mine = KnownDevice.objects.filter(user=user, digest=digest(secret), used_at__gt=timezone.now() - KEPT)
    return digest(secret) if mine.exists() else ""


def remember(request: HttpRequest, response: HttpResponse, user: User) -> bool:
    """``user`` has come in by this browser; whether for the first time."""
    secret = _secret(request) or secrets.token_urlsafe(32)
    _device, new = KnownDevice.objects.update_or_create(
        user=user, digest=digest(secret), defaults={"used_at": timezone.now()}
    )
    response.set_signed_cookie(
        settings.DEVICE_COOKIE_NAME,
        secret,
        salt=_SALT,
        max_age=KEPT,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )
    return new


def forget_all(user: User, *, but: HttpRequest | None = None) -> None:
    """No device is known any more, save the one of this request."""
    mine = KnownDevice.objects.filter(user=user)
    secret = _secret(but) if but else None
    (mine.exclude(digest=digest(secret)) if secret else mine).delete()


def forget_old() -> None:
    """Every night."""
    KnownDevice.objects.filter(used_at__lt=timezone.now() - KEPT).delete()


def in_words(user_agent: str) -> str:
    """``Firefox su Windows``: as far as the browser tells."""
    browser = next((name for name, mark in _BROWSERS.items() if re.search(mark, user_agent)), "")
    system = next((name for name, mark in _SYSTEMS.items() if re.search(mark, user_agent)), "")
    if browser and system:
        return _("%(browser)s su %(system)s") % {"browser": browser, "system": system}
    return browser or system or _("Dispositivo sconosciuto")


def _secret(request: HttpRequest) -> str | None:
    return request.get_signed_cookie(settings.DEVICE_COOKIE_NAME, default=None, salt=_SALT, max_age=KEPT)
