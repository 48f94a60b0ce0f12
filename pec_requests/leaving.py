"""Cancellation from the albo, as an act of the office. What becomes of the casella is ``register``'s business."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from django.db import transaction
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from audit import log
from audit.actors import Actor
from members.models import Enrolment
from pec_requests import corrections, notices, register
from pec_requests.corrections import CorrectionRefused
from pec_requests.eligibility import CURRENT


@transaction.atomic
def cancel_enrolments(
    member_id: int, enrolment_ids: Iterable[int], on: date, reason: str, actor: Actor
) -> list[Enrolment]:
    """End these enrolments of a member of the scope on a day; with the last of all, the days of the casella begin.

    Return those that this call ended: what was ended already stays as it was.
    """
    locked = corrections.lock([member_id])
    member = locked.members.get(member_id)
    if member is None:
        return []
    rows = member.enrolments.select_for_update(of=("self",)).select_related("albo")
    ending = list(rows.filter(pk__in=list(enrolment_ids), status__in=CURRENT).order_by("pk"))
    for enrolment in ending:
        _check_day(enrolment, on)
    if not ending:
        return []
    ids = [e.pk for e in ending]
    Enrolment.objects.filter(pk__in=ids).update(status=Enrolment.Status.CANCELLATO, cancelled_on=on)
    words, day = "; ".join(map(str, ending)), date_format(on, "SHORT_DATE_FORMAT")
    log.record(
        "member.enrolment_cancelled",
        actor,
        member,
        person=member.pk,
        ordine=member.ordine.code,
        enrolments=words,
        day=day,
        reason=reason,
    )
    notices.enrolment_cancelled(member, ending, on)
    register.leave(locked.requests, actor)
    return ending


def _check_day(enrolment: Enrolment, on: date) -> None:
    if on > timezone.localdate():
        raise CorrectionRefused(_("La data di cancellazione non può essere nel futuro."))
    if enrolment.enrolled_on and on < enrolment.enrolled_on:
        detail = {"enrolment": enrolment, "day": date_format(enrolment.enrolled_on, "SHORT_DATE_FORMAT")}
        raise CorrectionRefused(_("La cancellazione precede l'iscrizione: %(enrolment)s, del %(day)s.") % detail)
