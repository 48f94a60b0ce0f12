"""The morning's mail to the office of an Ordine: what happened yesterday, and what waits; none where there is nothing.

One a day: the row of ``Digest`` says that it was sent.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Q
from django.db.models.functions import Now
from django.urls import reverse
from django.utils import timezone
from django_scopes import scopes_disabled

from members import mail
from members.models import Ordine
from pec_requests import health
from pec_requests.models import Difference, Digest, PecRequest, ProviderHealth, ProviderOperation
from pec_requests.states import Kind, Status

# Where an Ordine sends no reminders.
_LONG = 30


@dataclass(frozen=True)
class News:
    """Counts of one Ordine: ``accepted``, ``refused`` and ``activated`` on one day, the others as they are now.

    ``waiting``: caselle that their members have left unaccepted for more than ``waiting_days``.
    """

    accepted: int
    refused: int
    activated: int
    attention: int
    waiting: int
    differences: int
    trouble: ProviderHealth | None = None
    waiting_days: int = _LONG

    @property
    def is_empty(self) -> bool:
        counts = (self.accepted, self.refused, self.activated, self.attention, self.waiting, self.differences)
        return not any(counts) and self.trouble is None


def send_due() -> int:
    """Mail today's digest to every Ordine that wants one and has not had it. Return how many were written."""
    today = timezone.localdate()
    # For every Ordine, each with its own figures alone.
    with scopes_disabled():
        had = Digest.objects.filter(day=today).values("ordine")
        ordini = Ordine.objects.filter(daily_digest=True).exclude(email="").exclude(pk__in=had)
        return sum(_send(ordine, today) for ordine in ordini)


@transaction.atomic
def _send(ordine: Ordine, today: datetime.date) -> bool:
    found = news(ordine, today - datetime.timedelta(days=1))
    if found.is_empty:
        return False
    # Whoever is first to write the row sends the mail: another waits here until that is certain.
    if not Digest.objects.get_or_create(ordine=ordine, day=today)[1]:
        return False
    mail.send_all([letter(ordine, today, found)])
    return True


def news(ordine: Ordine, day: datetime.date) -> News:
    """What the office is told of a day."""
    start, end = (
        timezone.make_aware(datetime.datetime.combine(date, datetime.time.min))
        for date in (day, day + datetime.timedelta(days=1))
    )
    days = max(ordine.reminder_days, default=_LONG)
    long_ago = Now() - datetime.timedelta(days=days)
    requests = PecRequest.objects.filter(ordine=ordine).order_by()
    activated = ProviderOperation.objects.filter(
        ordine=ordine,
        kind=Kind.ACTIVATE,
        state=ProviderOperation.State.DONE,
        finished_at__gte=start,
        finished_at__lt=end,
    )
    to_accept = requests.filter(status=Status.NON_ATTIVO, accepted_at=None, status_at__lt=long_ago)
    decided = requests.aggregate(
        accepted=Count("pk", filter=Q(accepted_at__gte=start, accepted_at__lt=end)),
        refused=Count("pk", filter=Q(status=Status.RIFIUTATO, status_at__gte=start, status_at__lt=end)),
    )
    return News(
        **decided,
        activated=activated.count(),
        attention=requests.filter(needs_staff=True).count(),
        waiting=to_accept.count(),
        differences=Difference.objects.filter(member__ordine=ordine, closed_at=None).count(),
        trouble=health.trouble(),
        waiting_days=days,
    )


def letter(ordine: Ordine, day: datetime.date, found: News) -> mail.Letter:
    """The portal speaks, not the Ordine: it is the Ordine that reads."""
    links = {
        "attention_url": _list("pecrequest", attenzione="si"),
        "waiting_url": _list("pecrequest", stato=Status.NON_ATTIVO),
        "differences_url": _list("difference"),
    }
    context: dict[str, Any] = {"office": ordine, "day": day - datetime.timedelta(days=1), "news": found, **links}
    return mail.Letter("office_digest", ordine.email, None, context)


def _list(model: str, **query: str) -> str:
    address = settings.PORTAL_URL + reverse(f"admin:pec_requests_{model}_changelist")
    return f"{address}?{urlencode(query)}" if query else address
