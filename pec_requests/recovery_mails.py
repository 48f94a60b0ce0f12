"""The mails about the recovery e-mail and what hangs on it: who is told what. The words are in ``templates/mail``.

Each address is told of an event once, however many of its roles it has.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from django.conf import settings
from django.urls import reverse

from members import emails, mail
from pec_requests import notices
from pec_requests.models import PecRequest, RecoveryEmailChange


def to_confirm(request: PecRequest, change: RecoveryEmailChange, secret: str) -> None:
    """To the new address, the link that confirms it."""
    link = settings.PORTAL_URL + reverse("pec_requests:confirm-recovery", args=[secret])
    _send("recovery_confirm", [change.new_email], request, link=link, hours=settings.RECOVERY_LINK_HOURS)


def asked(request: PecRequest, change: RecoveryEmailChange, stop_link: str) -> None:
    """To whoever is told of the change, the link that stops it."""
    _send("recovery_asked", [change.told_email], request, new_email=emails.mask(change.new_email), stop_link=stop_link)


def nobody_told(request: PecRequest, change: RecoveryEmailChange) -> None:
    """To the office: there was no address that could have said "it was not me"."""
    _to_office("recovery_untold", request, new_email=emails.mask(change.new_email))


def changed(
    request: PecRequest, addresses: Iterable[str], new_email: str, *, told: str = "", stop_link: str = ""
) -> None:
    """The change is made. Only ``told`` gets the link to say "it was not me"."""
    for to in _once(addresses):
        link = stop_link if emails.same(to, told) else ""
        _send("recovery_changed", [to], request, new_email=emails.mask(new_email), stop_link=link)


def refused(request: PecRequest, new_email: str) -> None:
    """The provider does not take the new address: both are told which one is in force."""
    shown = {"new_email": emails.mask(new_email), "old_email": emails.mask(request.recovery_email)}
    _send("recovery_refused", [request.recovery_email, new_email], request, **shown)


def alarm(request: PecRequest, change: RecoveryEmailChange, *, made: bool) -> None:
    """Somebody says that it was not the member: the office is to look, the member to choose another password."""
    shown = {"new_email": emails.mask(change.new_email), "told_email": emails.mask(change.told_email)}
    page = reverse("admin:pec_requests_pecrequest_alarm", args=[request.pk])
    _to_office("recovery_alarm", request, page=settings.PORTAL_URL + page, **shown)
    password = settings.PORTAL_URL + reverse("members:password_forgotten")
    both = [request.member.usable_email, change.new_email]
    _send("recovery_stopped", both, request, made=made, password_link=password, **shown)


def reset_sent(request: PecRequest) -> None:
    """A link for the mailbox's password went out. The provider writes to the recovery e-mail itself."""
    to = request.member.usable_email
    if not emails.same(to, request.recovery_email):
        _send("reset_sent", [to], request, email=emails.mask(request.recovery_email))


def _send(template: str, to: Iterable[str], request: PecRequest, **context: object) -> None:
    mail.send_all(notices.about(template, one, request, **context) for one in _once(to))


def _to_office(template: str, request: PecRequest, **context: object) -> None:
    for one in _once([request.member.ordine.email]):
        mail.send_all([replace(notices.about(template, one, request, **context), to_office=True)])


def _once(addresses: Iterable[str]) -> Iterable[str]:
    return {address.casefold(): address for address in addresses if address}.values()
