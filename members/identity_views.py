"""*Entra con SPID*, *Entra con CIE*: to the gateway and back. Thin: translate and call."""

from __future__ import annotations

import logging

from allauth.account.adapter import get_adapter
from allauth.account.utils import get_next_redirect_url, perform_login
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from audit import log
from audit.actors import Actor
from members import access, digital_identity, gateways, proof, throttle
from members.current import record_of
from members.digital_identity import Identity
from members.gateways import Gateway
from members.identity_problems import SENTENCES, IdentityRefused, Problem
from members.models import Ordine

logger = logging.getLogger(__name__)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def start(request: HttpRequest, key: str) -> HttpResponse:
    """The button: off to the gateway, by a page that leads on by itself.

    Not by a redirect: a form's redirects must stay within ``form-action``, and behind the gateway is whatever
    provider of identities the person has.
    """
    gateway = _gateway(key)
    if request.method != "POST":
        return redirect("account_login")
    if not throttle.allow_caller(request, "identity", throttle.IDENTITY):
        return throttle.refusal(request, throttle.IDENTITY.seconds)
    confirming = request.user.is_authenticated and "confirm" in request.POST
    next_url = get_next_redirect_url(request) or ""
    try:
        address = digital_identity.depart(request, gateway, confirming=confirming, next_url=next_url)
    except IdentityRefused as refused:
        return _refused(request, gateway, refused, confirming=confirming, next_url=next_url)
    return render(request, "members/identity_leaving.html", {"gateway": gateway, "address": address})


@require_GET
@never_cache
def come_back(request: HttpRequest, key: str) -> HttpResponse:
    """Where the gateway sends people back to."""
    gateway = _gateway(key)
    journey = digital_identity.returning(request, gateway)
    if journey is None and request.user.is_authenticated and "code" in request.GET:
        return redirect("account_login")  # back, or once more, after coming in: it leads on
    if journey is None and not throttle.may_return(request):
        return throttle.refusal(request, throttle.WRONG_RETURN.seconds)
    confirming, next_url = (journey.confirming, journey.next_url) if journey else (False, "")
    try:
        identity = digital_identity.arrive(request, gateway, journey)
        return _confirm(request, identity, next_url) if confirming else _enter(request, identity, next_url)
    except IdentityRefused as refused:
        if refused.problem in (Problem.EXPIRED, Problem.NOT_TRUSTED):
            throttle.count_wrong_return(request)
        return _refused(request, gateway, refused, confirming=confirming, next_url=next_url)


def _enter(request: HttpRequest, identity: Identity, next_url: str) -> HttpResponse:
    """In, as the member with this codice fiscale; past the second factor, where there is one."""
    user = access.admit(identity.tax_code)
    if request.user.is_authenticated and request.user != user:
        get_adapter().logout(request)  # two people, one browser
    if user is None:
        masked = f"{identity.tax_code[:3]}*************"
        log.record("identity.unknown", Actor.of(request), tax_code=masked, **identity.evidence)
        context = {"gateway": identity.gateway, "ordini": Ordine.objects.all()}
        return render(request, "members/identity_unknown.html", context, status=403)
    response: HttpResponse = perform_login(
        request,
        user,
        email_verification="none",
        redirect_url=next_url or None,
        signal_kwargs={"identity": identity.evidence},
    )
    return response


def _confirm(request: HttpRequest, identity: Identity, next_url: str) -> HttpResponse:
    """It is still them: remembered for the few minutes that a delicate act takes."""
    record = record_of(request.user)
    if record is None or record.tax_code != identity.tax_code:
        raise IdentityRefused(Problem.OTHER_PERSON)
    proof.remember(request)
    log.record(
        "identity.confirmed",
        Actor.of(request),
        record,
        person=record.pk,
        ordine=record.ordine.code,
        **identity.evidence,
    )
    return redirect(next_url or "members:record")


def _gateway(key: str) -> Gateway:
    gateway = gateways.find(key)
    if gateway is None:
        raise Http404
    return gateway


def _refused(
    request: HttpRequest, gateway: Gateway, refused: IdentityRefused, *, confirming: bool, next_url: str
) -> HttpResponse:
    """Why not, and what to do instead; where somebody was going to is not forgotten."""
    logger.warning("identity_refused: %s, %s: %s", gateway.key, refused.problem.value, refused.about)
    if refused.problem is Problem.LEVEL:
        log.record("identity.level_too_low", Actor.of(request), gateway=gateway.name, level=refused.about)
    elif refused.problem is not Problem.DOWN:
        log.record("identity.refused", Actor.of(request), gateway=gateway.name, problem=refused.problem.value)
    other_way = reverse("account_reauthenticate" if confirming else "account_login")
    context = {
        "gateway": gateway,
        "sentence": SENTENCES[refused.problem],
        "confirming": confirming,
        "other_way": f"{other_way}?{urlencode({'next': next_url})}" if next_url else other_way,
        "redirect_field_value": next_url,
    }
    status = 503 if refused.problem is Problem.DOWN else 403
    return render(request, "members/identity_refused.html", context, status=status)
