"""The member's pages: requests to accept or refuse, and the panel of the mailbox. Thin: translate and call."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from audit import log
from audit.actors import Actor
from members.current import record_of, record_required
from members.models import Member
from pec_requests import figures, lifecycle, recovery, wording
from pec_requests.forms import AcceptForm
from pec_requests.models import PecRequest
from pec_requests.states import IllegalMove, Status, Who, moves_from

P = ParamSpec("P")
HISTORY = 30


def fragment(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """For the parts that a page asks for again by itself: once the session is over, the whole page is loaded anew."""

    @wraps(view)
    def inner(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not request.user.is_authenticated:
            return HttpResponse(status=204, headers={"HX-Refresh": "true"})
        return view(request, *args, **kwargs)

    return inner


def own_request(view: Callable[Concatenate[HttpRequest, PecRequest, P], HttpResponse]) -> Callable[..., HttpResponse]:
    """Hand the view a request of the signed-in member; anybody else's is 404, like one that never was."""

    @wraps(view)
    @never_cache
    @login_required
    def inner(request: HttpRequest, public_id: uuid.UUID, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        record = record_of(request.user)
        found = next(iter(wording.requests_of(record, public_id)), None) if record else None
        if found is None:
            raise Http404
        return view(request, found, *args, **kwargs)

    return inner


def posted(request: HttpRequest) -> QueryDict | None:
    """What a form is bound to: also an empty POST is one."""
    return request.POST if request.method == "POST" else None


@require_GET
@never_cache
@record_required
def request_list(request: HttpRequest, record: Member) -> HttpResponse:
    """*Richieste PEC*: the request that stands, in words, with what can be done; and those that ended."""
    rows = wording.requests_of(record)
    operations = wording.newest(rows)
    live = next((r for r in rows if r.is_live), None)
    ended = [(r, wording.situation(r, operations[r.pk])) for r in rows if not r.is_live]
    context = {**_standing(live, operations), "ended": ended, "ordine": record.ordine}
    return render(request, "pec_requests/list.html", context)


def standing(record: Member) -> dict[str, object]:
    """What ``_standing.html`` shows of the request that stands, for another page that says so, too."""
    live = next((pec for pec in wording.requests_of(record) if pec.is_live), None)
    return _standing(live, wording.newest([live]) if live else {})


@require_GET
@fragment
@own_request
def request_status(request: HttpRequest, pec: PecRequest) -> HttpResponse:
    """The part of *Richieste PEC* that changes by itself."""
    return render(request, "pec_requests/_standing.html", _standing(pec, wording.newest([pec])))


def _standing(pec: PecRequest | None, operations: dict[int, wording.Operations]) -> dict[str, object]:
    if pec is None:
        return {"pec": None}
    acts = {m.act for m in moves_from(pec.status, Who.MEMBER, accepted=pec.accepted_at is not None)}
    away = wording.was_away(pec)
    situation = wording.situation(pec, operations[pec.pk], away=away)
    seconds = wording.look_again_seconds(pec, operations[pec.pk]) if situation.moving else 0
    return {"pec": pec, "situation": situation, "acts": acts, "seconds": seconds, "away": away}


@require_http_methods(["GET", "HEAD", "POST"])
@own_request
def accept(request: HttpRequest, pec: PecRequest) -> HttpResponse:
    """The conditions, and **Accetta**."""
    form = AcceptForm(posted(request))
    if request.method == "POST" and form.is_valid():
        return _decide(request, pec, "accept", _("Hai accettato la casella %(address)s: ora il gestore la attiva."))
    if pec.status != Status.NON_ATTIVO or pec.accepted_at:
        return redirect("pec_requests:list")
    return render(request, "pec_requests/accept.html", {"pec": pec, "form": form})


@require_http_methods(["GET", "HEAD", "POST"])
@own_request
def refuse(request: HttpRequest, pec: PecRequest) -> HttpResponse:
    """What refusing means, and **Rifiuta**."""
    if request.method == "POST":
        return _decide(request, pec, "refuse", _("Hai rifiutato la casella %(address)s."))
    if pec.status != Status.NON_ATTIVO or pec.accepted_at:
        return redirect("pec_requests:list")
    return render(request, "pec_requests/refuse.html", {"pec": pec})


def _decide(request: HttpRequest, pec: PecRequest, act: str, done: str) -> HttpResponse:
    try:
        if lifecycle.decide([pec.pk], act, Actor.of(request)):
            messages.success(request, done % {"address": pec.address})
    except IllegalMove as why:
        messages.error(request, str(why))
    return redirect("pec_requests:list")


@require_GET
@own_request
def panel(request: HttpRequest, pec: PecRequest) -> HttpResponse:
    """The PEC panel: address, state, recovery e-mail, password, history."""
    return render(request, "pec_requests/panel.html", {**_panel(pec), "history": log.sentences_about(pec, HISTORY)})


@require_GET
@fragment
@own_request
def panel_status(request: HttpRequest, pec: PecRequest) -> HttpResponse:
    """The part of the panel that changes by itself."""
    return render(request, "pec_requests/_panel.html", _panel(pec))


def _panel(pec: PecRequest) -> dict[str, object]:
    frozen, wish = recovery.standing(pec) if wording.may_have_change(pec) else (False, None)
    operations = wording.newest([pec])[pec.pk]
    away = wording.was_away(pec)
    told = {
        "situation": wording.situation(pec, operations, away=away),
        "reset": wording.reset_situation(pec, operations),
        "recovery": wording.FROZEN if frozen else wording.recovery_situation(pec, operations, wish),
    }
    moving = any(s.moving for s in told.values() if s)
    return {
        **told,
        "pec": pec,
        "seconds": wording.look_again_seconds(pec, operations) if moving else 0,
        "away": away,
        "wish": wish,
        "frozen": frozen,
        "moving": moving,
        "has_password": pec.status in (Status.ATTIVO, Status.SOSPESO),
        "webmail_url": settings.WEBMAIL_URL,
    }


@require_GET
def metrics(request: HttpRequest) -> HttpResponse:
    """``/metrics``: figures for a scraper, in the Prometheus text format. No personal data."""
    return HttpResponse(figures.text(), content_type="text/plain; version=0.0.4; charset=utf-8")
