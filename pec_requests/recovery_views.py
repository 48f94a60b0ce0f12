"""The pages about the recovery e-mail and the mailbox's password, and those that links in mails open. Thin."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.contrib.auth import logout
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from audit.actors import Actor
from members import emails, passwordless, proof, throttle
from members.models import User
from pec_requests import passwords, recovery, recovery_alarms
from pec_requests.forms import RecoveryEmailForm
from pec_requests.models import PecRequest
from pec_requests.recovery_in_force import RecoveryRefused
from pec_requests.views import own_request, posted

form_view = require_http_methods(["GET", "HEAD", "POST"])


@sensitive_post_parameters("password")
@form_view
@own_request
def change_recovery(request: HttpRequest, pec: PecRequest) -> HttpResponse:
    """**Modifica Email di Recupero**: who one is, again, then a link to the new address."""
    if not pec.is_live:
        raise Http404
    try:
        recovery.check_frozen(pec)
    except RecoveryRefused as why:
        messages.warning(request, str(why))
        return _panel(pec)
    if passwordless.must_prove(request):
        return passwordless.ask(request)
    if request.method == "POST" and not throttle.allow(request, throttle.PROOF, str(request.user.pk)):
        return throttle.refusal(request, throttle.PROOF.per_person.seconds)
    form = RecoveryEmailForm(posted(request), pec=pec, request=request)
    if request.method == "POST" and form.is_valid():
        try:
            change = recovery.ask(pec.pk, form.cleaned_data["email"], cast(User, request.user), Actor.of(request))
        except RecoveryRefused as why:
            form.add_error("email", str(why))
        else:
            proof.use_up(request)
            return _link_sent(request, pec, change.new_email)
    return render(request, "pec_requests/change_recovery.html", {"pec": pec, "form": form})


@require_POST
@own_request
def resend_recovery(request: HttpRequest, pec: PecRequest) -> HttpResponse:
    """**Rispedisci il link**: to the address that is still to be confirmed."""
    if not throttle.allow(request, throttle.MAILBOX_LINK, str(request.user.pk)):
        return throttle.refusal(request, throttle.MAILBOX_LINK.per_person.seconds)
    try:
        change = recovery.resend(pec.pk, cast(User, request.user), Actor.of(request))
    except RecoveryRefused as why:
        messages.warning(request, str(why))
        return _panel(pec)
    return _link_sent(request, pec, change.new_email)


@require_POST
@own_request
def drop_recovery(request: HttpRequest, pec: PecRequest) -> HttpResponse:
    """**Ritira il cambio**: the link that was mailed stops working."""
    if recovery.drop(pec.pk, Actor.of(request)):
        messages.success(request, _("Il cambio dell'email di recupero è stato ritirato: il link non vale più."))
    return _panel(pec)


@form_view
@never_cache
def confirm_recovery(request: HttpRequest, secret: str) -> HttpResponse:
    """The link in the mail to the new address. Opening it changes nothing (mail scanners open links): a button does."""
    if not throttle.may_open_links(request):
        return throttle.refusal(request, throttle.WRONG_LINKS.seconds)
    if request.method == "POST":
        try:
            link = recovery.confirm(secret, Actor.of(request))
        except RecoveryRefused as why:
            messages.error(request, str(why))
            return redirect("pec_requests:confirm-recovery", secret=secret)
    else:
        link = recovery.inspect(secret)
    return _opened(request, "pec_requests/confirm_recovery.html", link)


@form_view
@never_cache
def stop_recovery(request: HttpRequest, secret: str) -> HttpResponse:
    """**Non sono stato io**, from the mail to the address in force: what was asked, and a button that stops it."""
    if not throttle.may_open_links(request):
        return throttle.refusal(request, throttle.WRONG_LINKS.seconds)
    if request.method == "POST":
        link = recovery_alarms.stop(secret, Actor.of(request))
        if link.change and link.change.asked_by == request.user:
            logout(request)  # this session has ended, too
    else:
        link = recovery_alarms.inspect(secret)
    made = link.change is not None and recovery_alarms.came_through(link.change.request, link.change)
    return _opened(request, "pec_requests/stop_recovery.html", link, made=made)


@form_view
@own_request
def reset_password(request: HttpRequest, pec: PecRequest) -> HttpResponse:
    """**Reimposta password**: where the link will go, and the button that sends it."""
    try:
        if request.method != "POST":
            passwords.check(pec)
            return render(
                request, "pec_requests/reset_password.html", {"pec": pec, "email": emails.mask(pec.recovery_email)}
            )
        if not throttle.allow(request, throttle.MAILBOX_LINK, str(request.user.pk)):
            return throttle.refusal(request, throttle.MAILBOX_LINK.per_person.seconds)
        passwords.ask_reset(pec.pk, Actor.of(request))
    except passwords.ResetRefused as why:
        messages.warning(request, str(why))
    return _panel(pec)


def _opened(
    request: HttpRequest, template: str, link: recovery.Link | recovery_alarms.Link, **more: object
) -> HttpResponse:
    """The page of a link from a mail: what it did, does, or why it no longer does anything."""
    if link.change is None:
        throttle.count_wrong_link(request)
    works = link.state == "valid"
    context = {
        "change": link.change,
        "masked": emails.mask(link.change.new_email) if link.change else "",
        "state": link.state.value,
        "done": works and request.method == "POST",
        **more,
    }
    return render(request, template, context, status=200 if works else 410)


def _link_sent(request: HttpRequest, pec: PecRequest, email: str) -> HttpResponse:
    messages.success(request, _("Abbiamo spedito un link a %(email)s: aprilo per confermare.") % {"email": email})
    return _panel(pec)


def _panel(pec: PecRequest) -> HttpResponse:
    return redirect("pec_requests:panel", public_id=pec.public_id)
