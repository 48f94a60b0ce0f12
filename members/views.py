"""The member's record, and the doors for who has no password yet or no longer. Thin: translate and call."""

from __future__ import annotations

from allauth.account.utils import perform_login
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from audit.actors import Actor
from members import access, contacts, passwordless, proof, support, throttle, wake
from members.current import record_required
from members.forms import FirstAccessForm, MobileForm, NewPasswordForm, PasswordForgottenForm, PersonalEmailForm
from members.identification import identify
from members.links import LinkState
from members.models import Member
from members.tasks import send_password_link

# The link somebody came through, kept on our side while they choose a password: the secret leaves the address bar.
LINK_SESSION_KEY = "access_link"
VISITS_SHOWN = 10
EMAIL_CHANGE = throttle.Rule("email-change", per_caller=throttle.Limit(20, 3600), per_person=throttle.Limit(5, 3600))
form_view = require_http_methods(["GET", "HEAD", "POST"])


def posted(request: HttpRequest) -> QueryDict | None:
    """What a form is bound to: also an empty POST is one."""
    return request.POST if request.method == "POST" else None


@require_safe
@never_cache
@record_required
def record(request: HttpRequest, member: Member) -> HttpResponse:
    """*Scheda Anagrafica*: one's own data, and who can change what."""
    context = {
        "member": member,
        "enrolments": member.enrolments.select_related("albo"),
        "wish": contacts.pending(member),
        "visits": list(support.past(member, VISITS_SHOWN)),
    }
    return render(request, "members/record.html", context)


@form_view
@never_cache
@record_required
def change_email(request: HttpRequest, member: Member) -> HttpResponse:
    """*Modifica e-mail personale*: who one is, again, then a link to the new address."""
    if passwordless.must_prove(request):
        return passwordless.ask(request)
    if request.method == "POST" and not throttle.allow(request, throttle.PROOF, str(request.user.pk)):
        return throttle.refusal(request, throttle.PROOF.per_person.seconds)
    form = PersonalEmailForm(posted(request), member=member, request=request)
    if request.method == "POST" and form.is_valid():
        # Whoever knows the password can still not have the portal write to strangers all day.
        if not throttle.allow(request, EMAIL_CHANGE, str(member.pk)):
            return throttle.refusal(request, EMAIL_CHANGE.per_person.seconds)
        email: str = form.cleaned_data["email"]
        contacts.ask_email(member.pk, email, Actor.of(request))
        proof.use_up(request)
        told = _("Abbiamo spedito un link a %(email)s: aprilo e conferma. Fino ad allora non cambia nulla.")
        messages.success(request, told % {"email": email})
        return redirect("members:record")
    return render(request, "members/change_email.html", {"member": member, "form": form})


@require_POST
@record_required
def drop_email(request: HttpRequest, member: Member) -> HttpResponse:
    """**Ritira il cambio**: the link that was mailed stops working."""
    if contacts.drop_email(member.pk, Actor.of(request)):
        messages.success(request, _("Il cambio dell'e-mail personale è stato ritirato: il link non vale più."))
    return redirect("members:record")


@form_view
@never_cache
def confirm_email(request: HttpRequest, secret: str) -> HttpResponse:
    """The link in the mail to the new address. Opening it changes nothing (mail scanners open links): a button does."""
    if not throttle.may_open_links(request):
        return throttle.refusal(request, throttle.WRONG_LINKS.seconds)
    confirming = request.method == "POST"
    link = contacts.confirm(secret, Actor.of(request)) if confirming else contacts.inspect(secret)
    if link.state is LinkState.UNKNOWN:
        throttle.count_wrong_link(request)
    alive = link.state is LinkState.VALID
    context = {"change": link.change, "confirmed": confirming and alive, "state": link.state.value}
    return render(request, "members/confirm_email.html", context, status=200 if alive else 410)


@form_view
@never_cache
@record_required
def change_mobile(request: HttpRequest, member: Member) -> HttpResponse:
    """*Modifica cellulare*."""
    form = MobileForm(posted(request), initial={"mobile": member.mobile})
    if request.method == "POST" and form.is_valid():
        contacts.set_mobile(member.pk, form.cleaned_data["mobile"], Actor.of(request))
        messages.success(request, _("Il cellulare è stato salvato."))
        return redirect("members:record")
    return render(request, "members/change_mobile.html", {"form": form})


@form_view
@never_cache
def password_forgotten(request: HttpRequest) -> HttpResponse:
    """Same answer, and same work, whoever is asked about: a worker does the looking up."""
    form = PasswordForgottenForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        identifier: str = form.cleaned_data["identifier"]
        if not throttle.allow(request, throttle.PASSWORD_LINK, identifier):
            return throttle.refusal(request, throttle.PASSWORD_LINK.per_person.seconds)
        ip = Actor.of(request).ip
        if not wake.deliver(send_password_link.name, identifier, ip):
            send_password_link(identifier, ip)  # no broker: better at once than never
        return redirect("members:password_link_sent")
    return render(request, "members/password_forgotten.html", {"form": form})


@require_safe
@never_cache
def password_link_sent(request: HttpRequest) -> HttpResponse:
    return render(request, "members/password_link_sent.html", {"hours": settings.PASSWORD_LINK_HOURS})


@form_view
@never_cache
def first_access(request: HttpRequest) -> HttpResponse:
    """The code an Ordine printed, with the codice fiscale."""
    form = FirstAccessForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        tax_code: str = form.cleaned_data["tax_code"]
        # Counted for whom it is about, so that the office sees it; the same work where that is nobody.
        if not throttle.allow(request, throttle.PRINTED_CODE, tax_code, identify(tax_code).user):
            return throttle.refusal(request, throttle.PRINTED_CODE.per_person.seconds)
        found = access.inspect_code(tax_code, form.cleaned_data["code"])
        if found.state is not LinkState.UNKNOWN:
            return _enter(request, found)
        access.note_wrong_code(tax_code, Actor.of(request))
        form.add_error(None, _("Codice fiscale o codice di primo accesso non corretti. Controlla il foglio e riprova."))
    return render(request, "members/first_access.html", {"form": form})


@require_safe
@never_cache
def open_link(request: HttpRequest, token: str) -> HttpResponse:
    """A link from a mail. Opening it uses nothing up: mail scanners open links, too."""
    if not throttle.may_open_links(request):
        return throttle.refusal(request, throttle.WRONG_LINKS.seconds)
    found = access.inspect(token)
    if found.state is LinkState.UNKNOWN:
        throttle.count_wrong_link(request)
    return _enter(request, found)


def _enter(request: HttpRequest, found: access.Inspection) -> HttpResponse:
    if found.link is None or found.state is not LinkState.VALID:
        return _dead(request, found)
    request.session[LINK_SESSION_KEY] = found.link.pk
    return redirect("members:new_password")


@sensitive_post_parameters("password", "again")
@form_view
@never_cache
def new_password(request: HttpRequest) -> HttpResponse:
    """Choose the password, then straight in (past the second factor, where there is one)."""
    found = access.inspect_link(request.session.get(LINK_SESSION_KEY))
    if found.link is None or found.state is not LinkState.VALID:
        return _dead(request, found)
    user = found.link.user
    form = NewPasswordForm(request.POST or None, user=user)
    if request.method == "POST" and form.is_valid():
        try:
            user = access.set_password(found.link.pk, form.cleaned_data["password"], Actor.of(request))
        except access.DeadLink as dead:
            return _dead(request, access.Inspection(dead.state, found.link))
        request.session.pop(LINK_SESSION_KEY, None)
        messages.success(request, _("La tua password è impostata."))
        response: HttpResponse = perform_login(request, user, email_verification="none")
        return response
    context = {"form": form, "member": user.record, "username": access.sign_in_name(user)}
    return render(request, "members/new_password.html", context)


def _dead(request: HttpRequest, found: access.Inspection) -> HttpResponse:
    """Why the link no longer works, and what to do instead."""
    context = {"state": found.state.value, "ordine": found.ordine, "form": PasswordForgottenForm()}
    return render(request, "members/dead_link.html", context, status=410)
