"""The mails about a mailbox: which event is told to whom. The words are in ``templates/mail``."""

from __future__ import annotations

from django.conf import settings
from django.urls import reverse

from members import emails, mail
from pec_requests.models import PecRequest

_BY_ACT = {
    "create": "pec_ready",
    "accept": "pec_active",
    "suspend": "pec_suspended",
    "resume": "pec_resumed",
    "close": "pec_closed",
}


def masked(email: str) -> str:
    """An address as it may stand in the log."""
    return emails.mask(email)


def moved(request: PecRequest, act: str) -> None:
    """Tell the member what became of the mailbox, where they can be reached."""
    template = _BY_ACT.get(act)
    to = request.member.usable_email or request.recovery_email
    if template and to:
        _send(template, to, request)


def recovery_email_to_confirm(request: PecRequest, new_email: str, secret: str) -> None:
    """The link to the new address; and, to the old one, that somebody asked for the change."""
    link = settings.PORTAL_URL + reverse("pec_requests:confirm-recovery", args=[secret])
    _send("recovery_confirm", new_email, request, link=link, new_email=new_email, hours=settings.RECOVERY_LINK_HOURS)
    if request.recovery_email:
        _send("recovery_asked", request.recovery_email, request, new_email=masked(new_email))


def recovery_email_changed(request: PecRequest, old: str, new: str) -> None:
    """The change is made: both addresses are told."""
    for to in dict.fromkeys(address for address in (old, new) if address):
        _send("recovery_changed", to, request, new_email=masked(new))


def provider_stopped(reason: str) -> None:
    """The one alarm to the administrators of the installation."""
    for _name, address in settings.ADMINS:
        mail.send("provider_stopped", to=address, ordine=None, context={"reason": reason})


def _send(template: str, to: str, request: PecRequest, **context: object) -> None:
    portal = {"request_url": settings.PORTAL_URL + reverse("pec_requests:list"), "webmail_url": settings.WEBMAIL_URL}
    context = {"request": request, "member": request.member, **portal, **context}
    mail.send(template, to=to, ordine=request.member.ordine, context=context)
