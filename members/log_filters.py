"""What the office's log can be narrowed down by: each read from an index, newest entries first."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import reduce
from operator import or_
from typing import Any

from django.db.models import Max, Min, Q
from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from audit import words
from audit.models import LogEntry
from members import history
from members.keyset import Condition, Source
from members.lists import ListFilter, OrdineFilter
from members.models import Member, Ordine, User

# By what stands before the dot of an action.
FAMILIES = {
    "access": _("Accesso al portale"),
    "identity": _("SPID e CIE"),
    "second_factor": _("Secondo fattore"),
    "session": _("Sessioni"),
    "staff": _("Incarichi di segreteria"),
    "support": _("Viste come l'iscritto"),
    "record": _("Schede lette"),
    "list": _("Elenchi esportati"),
    "member": _("Schede e iscritti"),
    "pec": _("Caselle PEC"),
    "operation": _("Operazioni presso il gestore"),
    "provider": _("Il gestore"),
    "import": _("Importazioni"),
    "albo": _("Albo importato"),
    "pecs": _("PEC importate"),
    "federation": _("Federazione"),
    "audit": _("Il registro stesso"),
}
_LONGEST = 18


def condition(*choices: Q) -> Condition:
    """Entries for which one of these holds, each read from an index that goes on by ``id``."""
    wanted = choices or (Q(pk=0),)  # of nothing an index can be read, too
    rows = [LogEntry.objects.filter(choice) for choice in wanted]
    return Condition(reduce(or_, wanted), tuple(map(Source, rows)))


def number(text: str | None) -> int | None:
    """A primary key that somebody brought along."""
    return int(text) if text and text.isascii() and text.isdecimal() and len(text) <= _LONGEST else None


def of_day(first: date, last: date) -> Condition:
    """Entries of these days. Where they lie is found first: then only they are read."""
    start, end = (timezone.make_aware(datetime.combine(day, datetime.min.time())) for day in (first, last))
    q = Q(at__gte=start, at__lt=end + timedelta(days=1))
    ends = LogEntry.objects.filter(q).aggregate(first=Min("pk"), last=Max("pk"))
    return condition(q & Q(pk__gte=ends["first"], pk__lte=ends["last"])) if ends["first"] else condition()


class LogOrdineFilter(OrdineFilter):
    """One of several Ordini, by its code; empty for what is the federation's."""

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        codes = model_admin.ordini(request)
        if len(codes) < 2:
            return []
        rows = Ordine.objects.filter(code__in=codes).values_list("code", "short_name")
        return list(rows.order_by("short_name"))

    def chosen(self) -> list[Any]:
        return [code for code, _name in self.lookup_choices if code == self.value()]


class FamilyFilter(ListFilter):
    """A kind of action."""

    title = _("genere")
    parameter_name = "genere"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        self._action = request.GET.get(ActionFilter.parameter_name)
        used = {action.partition(".")[0] for action in words.actions()}
        return [(family, name) for family, name in FAMILIES.items() if family in used]

    def condition(self) -> Condition | None:
        if self._action in words.actions() or self.value() not in FAMILIES:
            return None  # the one action says it as well
        return condition(*(Q(action=action) for action in of_family(self.value())))


class ActionFilter(ListFilter):
    """One action: of the kind that is chosen, or none are on offer, since there are too many."""

    title = _("azione")
    parameter_name = "azione"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        family = request.GET.get(FamilyFilter.parameter_name) or (self.value() or "").partition(".")[0]
        return [(action, words.sentence(action, {})) for action in of_family(family)]

    def condition(self) -> Condition | None:
        return condition(Q(action=self.value())) if self.value() in words.actions() else None


def of_family(family: str | None) -> list[str]:
    """The actions of one kind."""
    return [action for action in words.actions() if action.partition(".")[0] == family]


class DayFilter(ListFilter):
    """Lately; any other day is looked for by typing it."""

    title = _("quando")
    parameter_name = "quando"
    DAYS = {"oggi": (0, 0), "ieri": (1, 1), "settimana": (6, 0)}

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("oggi", _("Oggi")), ("ieri", _("Ieri")), ("settimana", _("Ultimi 7 giorni"))]

    def condition(self) -> Condition | None:
        ago = self.DAYS.get(self.value() or "")
        if ago is None:
            return None
        first, last = (timezone.localdate() - timedelta(days=days) for days in ago)
        return of_day(first, last)


class PersonFilter(ListFilter):
    """About one member: there is a link to it wherever a member is named."""

    title = _("iscritto")
    parameter_name = "iscritto"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        pk = number(self.value())
        if pk is None:
            return []
        member = Member.objects.filter(pk=pk).first()
        return [(str(pk), str(member) if member else f"n. {pk}")]

    def condition(self) -> Condition | None:
        pk = number(self.value())
        return condition(Q(person__in=history.records_of(pk))) if pk is not None else None


class ActorFilter(ListFilter):
    """By one user."""

    title = _("chi")
    parameter_name = "utente"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        pk = number(self.value())
        if pk is None:
            return []
        # As they are called in entries that whoever looks may see, and not otherwise.
        seen = model_admin.get_queryset(request).filter(actor=pk, ordine__in=model_admin.ordini(request))
        return [(str(pk), seen.order_by("-pk").values_list("actor_name", flat=True).first() or f"n. {pk}")]

    def condition(self) -> Condition | None:
        pk = number(self.value())
        return condition(Q(actor=pk)) if pk is not None else None


def people_called(word: str) -> list[User]:
    """Who works in an office, or for the federation, by user name or surname; a few at most."""
    staff = Q(staff_roles__isnull=False) | Q(is_superuser=True)
    named = Q(username__iexact=word) | Q(last_name__iexact=word)
    return list(User.objects.filter(staff, named).distinct().order_by("pk")[:10])


def day_of(word: str) -> date | None:
    """A day as somebody types it: 3/2/2026 or 2026-02-03."""
    for form in ("%d/%m/%Y", "%Y-%m-%d"):
        try:
            return datetime.strptime(word, form).date()
        except ValueError:
            continue
    return None


def shown(at: datetime) -> str:
    """A moment in the log: to the second."""
    return date_format(timezone.localtime(at), "d/m/Y H:i:s")
