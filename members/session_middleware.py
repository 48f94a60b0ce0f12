"""Turns out whoever has left the portal alone for too long, and notes that the others are there."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import messages
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from audit import log
from audit.actors import Actor
from members import sessions
from members.current import record_of
from members.middleware import MACHINES


class IdleSessionsMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path not in MACHINES and request.user.is_authenticated:
            if sessions.was_idle(request):
                _turn_out(request)
            elif not _by_itself(request):
                sessions.saw(request)
        return self.get_response(request)


def _turn_out(request: HttpRequest) -> None:
    minutes = int(sessions.idle_limit(request.user).total_seconds()) // 60
    member = record_of(request.user)
    person, ordine = (member.pk, member.ordine.code) if member else (None, "")
    log.record("access.idle", Actor.of(request), member, person=person, ordine=ordine, minutes=minutes)
    logout(request)
    told = _("Per la tua sicurezza sei uscito dal portale: non lo usavi da %(minutes)s minuti. Entra di nuovo.")
    messages.info(request, told % {"minutes": minutes})


def _by_itself(request: HttpRequest) -> bool:
    """A page that looks by itself how something goes on is nobody's presence."""
    return request.method == "GET" and "HX-Request" in request.headers
