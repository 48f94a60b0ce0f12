"""The log in the office: to read, to narrow down and to take along as a file; there is nothing to write."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_scopes import get_scope

from audit.models import LogEntry, Seal
from members import history, roles, tax_codes
from members.current import roles_of
from members.keyset import Condition, Position, Source
from members.lists import KeysetChangeList, ListAdmin
from members.log_filters import (
    ActionFilter,
    ActorFilter,
    DayFilter,
    FamilyFilter,
    LogOrdineFilter,
    PersonFilter,
    condition,
    day_of,
    of_day,
    people_called,
    shown,
)
from members.models import Member, Ordine

VIEW = "audit.view_logentry"


class LogChangeList(KeysetChangeList):
    """With the names of the members that the page is about, looked up together."""

    def rows_of(self, positions: Sequence[Position]) -> list[Model]:
        rows: list[Any] = super().rows_of(positions)
        people = Member.objects.filter(pk__in={row.person for row in rows if row.person}).order_by()
        names = {pk: f"{surname} {name}" for pk, surname, name in people.values_list("pk", "surname", "name")}
        for row in rows:
            row.person_name = names.get(row.person, "")
        return rows


class LogEntryAdmin(ListAdmin):
    list_display = ("moment", "who", "ip", "what", "about")
    list_filter = (DayFilter, FamilyFilter, ActionFilter, PersonFilter, ActorFilter)
    search_fields = ("actor_name",)  # shows the box; what it finds is said in ``word_conditions``
    search_help_text = gettext_lazy(
        "Codice fiscale dell'iscritto, nome utente o cognome di chi lavora in segreteria, o un giorno (gg/mm/aaaa)"
    )
    ordine_filter = LogOrdineFilter
    by_code = newest_first = True
    actions = None
    export_columns = ("moment", "actor_name", "ip", "action", "what", "about", "ordine")
    fields = ("moment", "actor_name", "ip", "what", "action", "about", "of", "which", "details", "seal")
    readonly_fields = fields

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return LogChangeList

    def ordini(self, request: HttpRequest) -> list[Any]:
        """The codes of the Ordini whose log this user may read; the federation also reads what is of none."""
        if request.user.is_superuser:
            return ["", *Ordine.objects.order_by().values_list("code", flat=True)]
        # A file is of fewer Ordini than the list, where one may read in more of them than one may export from.
        readable = set(roles.ordini_where(roles_of(request.user), VIEW)) & set(get_scope()["ordine"])
        return [role.ordine.code for role in roles_of(request.user) if role.ordine_id in readable]

    def get_queryset(self, request: HttpRequest) -> QuerySet[LogEntry]:
        rows: QuerySet[LogEntry] = super().get_queryset(request)
        return rows if request.user.is_superuser else rows.filter(ordine__in=self.ordini(request))

    def everything(self) -> Source:
        return Source(LogEntry.objects.all())

    def word_conditions(self, word: str) -> list[Condition]:
        if day := day_of(word):
            return [of_day(day, day)]
        if tax_codes.is_valid(tax_codes.normalise(word)):
            member = Member.objects.filter(tax_code=tax_codes.normalise(word)).first()
            return [condition(Q(person__in=history.records_of(member.pk))) if member else condition()]
        return [condition(*(Q(actor=user.pk) for user in people_called(word)))]

    # --- Nothing is written here --------------------------------------------------------------------------------------
    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        title = capfirst(self.opts.verbose_name)
        return super().change_view(request, object_id, form_url, {"title": title, **(extra_context or {})})

    # --- What is shown ------------------------------------------------------------------------------------------------
    @admin.display(description=gettext_lazy("Quando"))
    def moment(self, entry: LogEntry) -> str:
        return shown(entry.at)

    @admin.display(description=gettext_lazy("Chi"))
    def who(self, entry: LogEntry) -> str:
        """The name, leading to all that this user did."""
        return self._narrowed(ActorFilter, entry.actor_id, entry.actor_name)

    @admin.display(description=gettext_lazy("Che cosa"))
    def what(self, entry: LogEntry) -> str:
        return entry.sentence

    @admin.display(description=gettext_lazy("Iscritto"))
    def about(self, entry: LogEntry) -> str:
        """The member, leading to all that the log says of them."""
        if not entry.person:
            return "–"
        if not hasattr(entry, "person_name"):
            member = Member.objects.filter(pk=entry.person).first()
            entry.person_name = str(member) if member else ""  # type: ignore[attr-defined]  # as ``LogChangeList`` does
        name: str = entry.person_name  # type: ignore[attr-defined]  # set above, or by ``LogChangeList``
        return self._narrowed(PersonFilter, entry.person, name or f"n. {entry.person}")

    @admin.display(description=gettext_lazy("Ordine"))
    def of(self, entry: LogEntry) -> str:
        ordine = Ordine.objects.filter(code=entry.ordine).first()
        return str(ordine or entry.ordine or _("Federazione"))

    @admin.display(description=gettext_lazy("Oggetto"))
    def which(self, entry: LogEntry) -> str:
        return f"{entry.object_type} {entry.object_id}" if entry.object_type else "–"

    @admin.display(description=gettext_lazy("Dettagli"))
    def details(self, entry: LogEntry) -> str:
        return format_html("<pre>{}</pre>", json.dumps(entry.detail, ensure_ascii=False, indent=2, sort_keys=True))

    @admin.display(description=gettext_lazy("Sigillo"))
    def seal(self, entry: LogEntry) -> str:
        """The seal that covers it: from then on no change goes unseen."""
        mark = Seal.objects.filter(until__gt=entry.transaction).order_by("until").first()
        return f"{shown(mark.sealed_at)} · {mark.digest}" if mark else _("Non ancora: entro un minuto")

    def _narrowed(self, to: type[Any], pk: int | None, name: str) -> str:
        if pk is None:
            return name
        page = reverse("admin:audit_logentry_changelist")
        return format_html('<a href="{}?{}={}">{}</a>', page, to.parameter_name, pk, name)
