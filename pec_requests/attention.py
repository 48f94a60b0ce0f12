"""What waits for staff: an operation that the provider refused, a record that stands in a request's way, an alarm."""

from __future__ import annotations

from django.db.models import F, OuterRef, Q, QuerySet
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from members.models import Enrolment
from pec_requests.eligibility import CURRENT
from pec_requests.models import PecRequest, ProviderOperation, RecoveryEmailChange
from pec_requests.states import Status

State = ProviderOperation.State


def current_enrolments(member: OuterRef | F) -> QuerySet[Enrolment]:
    """The enrolments of a member that are not cancelled."""
    return Enrolment.objects.filter(member=member, status__in=CURRENT)


# Somebody said of a change of the recovery e-mail that it was not the member, and nobody has looked into it yet.
ALARM_OPEN = Q(alarm_at__isnull=False, verdict="")


def open_alarms(request: OuterRef | PecRequest) -> QuerySet[RecoveryEmailChange]:
    """The open alarms of a request, the oldest first."""
    return RecoveryEmailChange.objects.filter(ALARM_OPEN, request=request).order_by("id")


def unsettled(pec: PecRequest) -> list[ProviderOperation]:
    """The operations of a request that are not over, from the list's prefetch where there is one."""
    found: list[ProviderOperation] | None = getattr(pec, "unsettled", None)
    if found is None:
        found = list(pec.operations.filter(state__in=ProviderOperation.UNSETTLED).order_by("id"))
    return found


def sentences(pec: PecRequest) -> list[str]:
    """Why a request waits for staff, each with the provider's words where it gave some.

    Where there is none the database has it that the request does not need them: see ``needs_staff``.
    """
    found = [
        f"{operation.get_kind_display()}: {operation.last_error}"
        for operation in unsettled(pec)
        if operation.state == State.ATTENTION
    ]
    if pec.status == Status.RICHIESTA and not pec.recovery_email:
        found.append(_("Manca un'email di recupero: indicare nella scheda un'e-mail personale che non sia una PEC."))
    alarmed = getattr(pec, "alarmed", None)
    if open_alarms(pec).exists() if alarmed is None else alarmed:
        found.append(_("È stato segnalato che un cambio dell'email di recupero non viene dall'iscritto."))
    if pec.is_live and not getattr(pec, "member_enrolled", True):
        if pec.closes_on:
            day = {"day": date_format(pec.closes_on, "SHORT_DATE_FORMAT")}
            found.append(_("L'iscritto non è più in alcun albo: la casella sarà chiusa il %(day)s.") % day)
        else:
            found.append(_("L'iscritto non è più in alcun albo: la casella sarà chiusa."))
    return found
