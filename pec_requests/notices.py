"""The mails about a mailbox: which event is told to whom. The words are in ``templates/mail``.

An event is told once: its notice is written in the transaction that made it happen, and goes in the one that writes the
mail. What happened is told even where more has happened since; what only asks something of somebody is not, once there
is nothing left to ask.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from datetime import date

from django.conf import settings
from django.db import connection, transaction
from django.urls import reverse
from django.utils import timezone
from django_scopes import scopes_disabled

from members import emails, mail, preferences
from members.models import Enrolment, Member, Ordine
from members.wake import wake
from pec_requests import mending
from pec_requests.models import Notice, PecRequest, ProviderOperation, Told
from pec_requests.states import Status

WRITE_TASK = "pec_requests.tasks.write_mails"
_INSERT = f"INSERT INTO {Notice._meta.db_table} (act, request_id) SELECT %s, unnest(%s)"
_INSERT_ONCE = f"""
WITH told AS (
    INSERT INTO {Told._meta.db_table} (request_id, what) VALUES (%(request)s, %(what)s)
    ON CONFLICT DO NOTHING RETURNING request_id)
INSERT INTO {Notice._meta.db_table} (act, request_id) SELECT %(act)s, request_id FROM told
"""  # noqa: S608  (names of our own)

_BY_ACT = {
    "create": "pec_ready",
    "accept": "pec_active",
    "suspend": "pec_suspended",
    "resume": "pec_resumed",
    "close": "pec_closed",
    "leaving": "pec_leaving",
    "returned": "pec_returned",
    "reminder": "pec_reminder",
    mending.Mend.EMAIL: "pec_refused_email",
    mending.Mend.IDENTITY: "pec_refused_identity",
}


def masked(email: str) -> str:
    """An address as it may stand in the log."""
    return emails.mask(email)


def moved(requests: Iterable[PecRequest], act: str) -> None:
    """Tell each member what became of the mailbox: noted here, worded by ``write`` a moment later."""
    ids = [r.pk for r in requests]
    if act not in _BY_ACT or not ids:
        return
    # By hand: in bulk this is a worker's commonest write but one, and bulk_create works four times as long on a row.
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, [act, ids])
    wake(WRITE_TASK)


def refused(operation: ProviderOperation, field: str) -> None:
    """The provider has refused this field: tell the member who can mend it, once for the same data."""
    if mend := mending.by_member(operation.kind, field):
        what = f"{mend} {mending.refused_data(operation.request, mend)}"
        with connection.cursor() as cursor:
            cursor.execute(_INSERT_ONCE, {"request": operation.request_id, "what": what, "act": mend})
        wake(WRITE_TASK)


def write() -> int:
    """Word what was noted, as mails to those who can be reached. Return how many notices that were."""
    written = 0
    # Mails of every Ordine.
    with scopes_disabled():
        while count := _write_some():
            written += count
    return written


@transaction.atomic
def _write_some() -> int:
    waiting = Notice.objects.select_for_update(of=("self",), skip_locked=True).order_by("pk")
    notices = list(waiting.select_related("request__member__ordine")[:200])
    reachable = [(n, _address(n.request.member, n.request)) for n in notices if _still_true(n)]
    mail.send_all([letter(notice.act, to, notice.request) for notice, to in reachable if to])
    Notice.objects.filter(pk__in=[n.pk for n in notices]).delete()
    return len(notices)


def _still_true(notice: Notice) -> bool:
    """Whoever is enrolled again before the mail is written need not be frightened, nor who has accepted be asked to."""
    request = notice.request
    to_accept = request.status == Status.NON_ATTIVO and request.accepted_at is None
    match notice.act:
        case "create":
            return to_accept
        case "reminder":
            return to_accept and request.closes_on is None and request.member.wants_reminders
        case "leaving":
            return request.closes_on is not None
        case mending.Mend.EMAIL | mending.Mend.IDENTITY:
            return mending.wanted(request) == notice.act
    return True


def letter(act: str, to: str, request: PecRequest) -> mail.Letter:
    """What a member is told of an act on the request."""
    template = _BY_ACT[act]
    match act:
        case "reminder":
            days = (timezone.now() - request.status_at).days  # as the sweep counts them
            stop = preferences.unsubscribe_link(request.member)
            return dataclasses.replace(about(template, to, request, days=days), unsubscribe=stop)
        case mending.Mend.EMAIL:
            return about(template, to, request, refused_email=masked(request.recovery_email))
    return about(template, to, request)


def enrolment_cancelled(member: Member, enrolments: Iterable[Enrolment], on: date) -> None:
    """The Ordine has taken somebody off the albo."""
    if to := _address(member, None):
        context = {"member": member, "enrolments": list(enrolments), "on": on}
        mail.send("enrolment_cancelled", to=to, ordine=member.ordine, context=context)


def transferred(member: Member, before: Ordine, request: PecRequest | None) -> None:
    """Another Ordine keeps the record now, and signs the mail."""
    if to := _address(member, request):
        context = {"member": member, "before": before, "request": request}
        mail.send("transferred", to=to, ordine=member.ordine, context=context)


def _address(member: Member, request: PecRequest | None) -> str:
    return member.usable_email or (request.recovery_email if request else "")


def provider_stopped(reason: str) -> None:
    """The one alarm to the administrators of the installation."""
    for _name, address in settings.ADMINS:
        mail.send("provider_stopped", to=address, ordine=None, context={"reason": reason})


def about(template: str, to: str, request: PecRequest, **context: object) -> mail.Letter:
    """A letter to the member about a request, with the addresses of the pages that such letters lead to."""
    portal = {
        "request_url": settings.PORTAL_URL + reverse("pec_requests:list"),
        "record_url": settings.PORTAL_URL + reverse("members:record"),
        "webmail_url": settings.WEBMAIL_URL,
    }
    context = {"request": request, "member": request.member, **portal, **context}
    return mail.Letter(template, to, request.member.ordine, context)
