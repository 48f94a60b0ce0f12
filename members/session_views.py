"""*I tuoi accessi*: from where one is in, and out of it. Thin: translate and call."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from audit import log
from audit.actors import Actor
from members import sessions
from members.current import record_of
from members.models import User

OTHERS = "others"


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
def mine(request: HttpRequest) -> HttpResponse:
    """One's own sessions; a POST ends one, or all others."""
    if request.method == "POST":
        return _end(request, request.POST.get("session", ""))
    return render(request, "members/sessions.html", {"sessions": sessions.all_of(request), "others": OTHERS})


def _end(request: HttpRequest, which: str) -> HttpResponse:
    user = cast(User, request.user)
    ended = sessions.end_others(request) if which == OTHERS else int(sessions.end(user, which))
    if ended:
        member = record_of(request.user)
        person, ordine = (member.pk, member.ordine.code) if member else (None, "")
        log.record("access.sessions_ended", Actor.of(request), member, person=person, ordine=ordine, ended=ended)
    told = ngettext("Un accesso è stato chiuso.", "Sono stati chiusi %(ended)s accessi.", ended)
    messages.success(request, told % {"ended": ended} if ended else _("Non c'era nessun altro accesso da chiudere."))
    return redirect("sessions")
