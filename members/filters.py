"""What the members' list can be narrowed down by, each read from an index in the list's own order."""

from __future__ import annotations

from typing import Any

from django.db.models import Exists, OuterRef, Q
from django.http import HttpRequest
from django.utils.translation import gettext_lazy

from members.emails import EmailProblem
from members.keyset import Condition, Source, rows_of
from members.lists import ListFilter, by_term, ordini_in_scope
from members.models import Albo, Enrolment, Member, Ordine

Status = Enrolment.Status
_RARE = (Status.SOSPESO, Status.CANCELLATO)


class AlboFilter(ListFilter):
    """Members with an enrolment in an albo."""

    title = gettext_lazy("albo")
    parameter_name = "albo"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        self._status = request.GET.get(StatusFilter.parameter_name)
        return [(str(pk), name) for pk, name in Albo.objects.order_by("name").values_list("pk", "name")]

    def condition(self) -> Condition | None:
        albo = _number(self.value())
        if albo is None:
            return None
        if self._status in _RARE:
            # The term of both, which that filter reads, says it as well.
            return None
        return by_term(Q(Exists(Enrolment.objects.filter(member=OuterRef("pk"), albo=albo))), f"albo {albo}")


class StatusFilter(ListFilter):
    """Members with an enrolment in a status; in the albo, where one is chosen as well."""

    title = gettext_lazy("stato dell'iscrizione")
    parameter_name = "stato"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        self._albo = _number(request.GET.get(AlboFilter.parameter_name))
        return list(Status.choices)

    def condition(self) -> Condition | None:
        status = self.value()
        if status not in Status.values:
            return None
        enrolments = Enrolment.objects.filter(member=OuterRef("pk"), status=status)
        if self._albo is None:
            return by_term(Q(Exists(enrolments)), f"stato {status}")
        q = Q(Exists(enrolments.filter(albo=self._albo)))
        return by_term(q, f"albo {self._albo} {status}") if status in _RARE else Condition(q)


class ProvinceFilter(ListFilter):
    """Members of a province. On offer are those of the Ordini: to look which occur would read every member."""

    title = gettext_lazy("provincia")
    parameter_name = "provincia"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        of_ordini = Ordine.objects.filter(pk__in=ordini_in_scope()).order_by().values_list("provinces", flat=True)
        return [(province, province) for province in sorted({p for provinces in of_ordini for p in provinces})]

    def condition(self) -> Condition | None:
        province = self.value()
        return _column(Q(province=province)) if province and "\0" not in province else None


class WarningFilter(ListFilter):
    """Members whose record stands in the way of a PEC."""

    title = gettext_lazy("avvisi")
    parameter_name = "avviso"
    MISMATCH = "cf_mismatch"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            (self.MISMATCH, gettext_lazy("Codice fiscale incoerente")),
            (EmailProblem.MISSING.value, gettext_lazy("E-mail mancante")),
            (EmailProblem.INVALID.value, gettext_lazy("E-mail non valida")),
            (EmailProblem.IS_PEC.value, gettext_lazy("E-mail che è una PEC")),
        ]

    def condition(self) -> Condition | None:
        if self.value() == self.MISMATCH:
            return _column(Q(tax_code_mismatch=True))
        return _column(Q(email_problem=self.value())) if self.value() in EmailProblem.values and self.value() else None


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdecimal() and len(text) <= 18 else None


def _column(q: Q) -> Condition:
    """What a column of the member says, with an index on it that goes on in the order of the list."""
    return Condition(q, (Source(rows_of(Member).filter(q), ("search_key",)),))
