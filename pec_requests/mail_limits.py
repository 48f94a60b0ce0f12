"""How many links a day somebody may have mailed. Counted from the rows that stand for them, not in a cache."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

PER_DAY = 5
_DAY = timedelta(days=1)


def why_not_yet(asked: QuerySet[Any]) -> str:
    """When the next may be asked for, in a sentence; empty where it may be now. Under the lock of the request."""
    lately = asked.filter(created_at__gt=timezone.now() - _DAY).order_by("-created_at")
    times = list(lately.values_list("created_at", flat=True)[:PER_DAY])
    if len(times) < PER_DAY:
        return ""
    at = timezone.localtime(times[-1] + _DAY)
    return _("Per sicurezza si spediscono al più %(most)s link al giorno: riprova dopo le %(time)s del %(day)s.") % {
        "most": PER_DAY,
        "time": date_format(at, "H:i"),
        "day": date_format(at, _("j F")),
    }
