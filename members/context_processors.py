"""What the base template knows about the signed-in person; each value is looked up only where a page shows it."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.utils.functional import cached_property

from members import gateways
from members.current import is_staff, record_of, staff_ordini
from members.gateways import Gateway
from members.models import Member, Ordine


class Portal:
    """``{{ portal.ordine }}``, ``{{ portal.member }}`` … in every template rendered with a request."""

    site_name = settings.SITE_NAME
    languages = settings.LANGUAGES

    def __init__(self, request: HttpRequest) -> None:
        # An error page may be drawn before anybody was recognised.
        self._user: Any = getattr(request, "user", None) or AnonymousUser()
        self._session: Any = getattr(request, "session", {})
        self._looking = getattr(request, "support_view", None)

    @cached_property
    def member(self) -> Member | None:
        return record_of(self._user)

    @cached_property
    def is_staff(self) -> bool:
        """Whoever looks as a member sees what the member sees."""
        return self._looking is None and is_staff(self._user)

    @cached_property
    def ordine(self) -> Ordine | None:
        """The member's Ordine, else the only one the user works for."""
        if self.member:
            return self.member.ordine
        ordini = staff_ordini(self._user)
        return ordini[0] if len(ordini) == 1 else None

    @property
    def gateways(self) -> list[Gateway]:
        """How one may come in, beside the password."""
        return gateways.configured()

    @property
    def came_with(self) -> str:
        """``SPID`` or ``CIE``, for who came in with it."""
        return str((self._session.get(gateways.SESSION_KEY) or {}).get("gateway", ""))

    @cached_property
    def person_name(self) -> str:
        if self.member:
            return self.member.full_name
        return str(self._user.get_full_name() or self._user.get_username())


def portal(request: HttpRequest) -> dict[str, Any]:
    return {"portal": Portal(request)}
