"""Requests in the office: what each is waiting for, and the buttons that answer it. The status is never edited."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import Exists, Model, OuterRef, Prefetch, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from audit.actors import Actor
from audit.models import LogEntry
from members import reading
from members.current import may, require_permission
from members.keyset import Condition, Source, rows_of
from members.lists import ColumnFilter, ListAdmin
from pec_requests import attention, lifecycle, recovery_alarms
from pec_requests.admin.acts import (
    DROP,
    EXPLANATIONS,
    PERMISSIONS,
    RETRY,
    ReasonForm,
    acts_for,
    confirm_page,
    tell,
)
from pec_requests.admin.alarms import SETTLE_ALARM, VerdictForm, alarm_text, alarm_words
from pec_requests.admin.mailboxes import word_conditions
from pec_requests.models import PecDomain, PecRequest, ProviderOperation
from pec_requests.recovery_alarms import Verdict
from pec_requests.recovery_in_force import RecoveryRefused
from pec_requests.states import IllegalMove, Move, Status

LOG_SHOWN = 50
State = ProviderOperation.State
_BADGES = {
    "RICHIESTA": "wait",
    "NON_ATTIVO": "wait",
    "ATTIVO": "success",
    "SOSPESO": "danger",
    "ANNULLATO": "neutral",
    "RIFIUTATO": "neutral",
    "CESSATO": "neutral",
}


def status_badge(pec: PecRequest) -> SafeString:
    """The status in a coloured word."""
    return format_html('<span class="badge-state badge-{}">{}</span>', _BADGES[pec.status], pec.get_status_display())


class AttentionFilter(ColumnFilter):
    """Requests that wait for staff."""

    title = gettext_lazy("da verificare")
    parameter_name = "attenzione"
    field_name = "needs_staff"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("si", gettext_lazy("Da verificare"))]

    def condition(self) -> Condition | None:
        return self.equal(True) if self.value() == "si" else None


class StatusFilter(ColumnFilter):
    title = gettext_lazy("stato")
    parameter_name = "stato"
    field_name, choices_of = "status", Status


class DomainFilter(ColumnFilter):
    """By the domain of the address."""

    title = gettext_lazy("dominio")
    parameter_name = "dominio"
    field_name = "domain"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        self._domains = dict(PecDomain.objects.order_by("name").values_list("name", "pk"))
        return [(name, name) for name in self._domains]

    def condition(self) -> Condition | None:
        domain = self._domains.get(self.value() or "")
        return self.equal(domain) if domain else None


@admin.register(PecRequest)
class PecRequestAdmin(ListAdmin):
    list_display = ("address", "member_name", "badge", "waiting_for", "needs", "requested_at")
    list_filter = (AttentionFilter, StatusFilter, DomainFilter)
    search_fields = ("address",)  # shows the box; what it finds is said in ``word_conditions``
    search_help_text = gettext_lazy("Indirizzo, cognome, nome, codice fiscale o numero di iscrizione")
    newest_first = True
    date_hierarchy = None
    export_columns = (
        *("address", "member__surname", "member__name", "member__tax_code", "member__ordine", "status", "status_at"),
        *("recovery_email", "requested_at", "accepted_at", "reason", "waiting_for", "needs"),
    )
    change_form_template = "admin/pec_requests/pecrequest/change_form.html"
    fields = (
        "address",
        "member_link",
        "badge",
        "status_at",
        "recovery_email",
        "requested_at",
        "accepted_at",
        "reason",
        "waiting_for",
    )
    readonly_fields = fields

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[PecRequest]:
        unsettled = rows_of(ProviderOperation).filter(state__in=ProviderOperation.UNSETTLED).order_by("id")
        rows: QuerySet[PecRequest] = super().get_queryset(request).select_related("member__ordine", "domain")
        return rows.prefetch_related(Prefetch("operations", queryset=unsettled, to_attr="unsettled")).annotate(
            member_enrolled=Exists(attention.current_enrolments(OuterRef("member"))),
            alarmed=Exists(attention.open_alarms(OuterRef("pk"))),
        )

    def everything(self) -> Source:
        return Source(PecRequest.objects.all())

    def word_conditions(self, word: str) -> list[Condition]:
        return word_conditions(word, "member__")

    @admin.display(description=gettext_lazy("Iscritto"))
    def member_name(self, pec: PecRequest) -> str:
        return str(pec.member)

    @admin.display(description=gettext_lazy("Iscritto"))
    def member_link(self, pec: PecRequest) -> str:
        url = reverse("admin:members_member_change", args=[pec.member_id])
        return format_html('<a href="{}">{}</a>', url, pec.member)

    @admin.display(description=gettext_lazy("Stato"))
    def badge(self, pec: PecRequest) -> str:
        return status_badge(pec)

    @admin.display(description=gettext_lazy("Operazione in attesa"))
    def waiting_for(self, pec: PecRequest) -> str:
        return " · ".join(str(operation) for operation in attention.unsettled(pec)) or "–"

    @admin.display(description=gettext_lazy("Da verificare"))
    def needs(self, pec: PecRequest) -> str:
        return " ".join(attention.sentences(pec)) or "–"

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        own = [
            path("<int:pk>/atto/<str:act>/", view(self.act_view), name="pec_requests_pecrequest_act"),
            path("<int:pk>/segnalazione/", view(self.alarm_view), name="pec_requests_pecrequest_alarm"),
        ]
        return own + super().get_urls()

    def act_view(self, request: HttpRequest, pk: int, act: str) -> HttpResponse:
        """Annulla, Sospendi, Riattiva, Cessa: ask, then do."""
        if act not in PERMISSIONS:
            raise Http404
        pec = get_object_or_404(self.get_queryset(request), pk=pk)
        require_permission(request, PERMISSIONS[act], pec)
        row = next((m for m in acts_for(request, pec) if m.act == act), None)
        form = ReasonForm(request.POST if request.method == "POST" else None) if row and row.reason_wanted else None
        if request.method == "POST" and (form is None or form.is_valid()):
            return self._act(request, pec, act, form.cleaned_data["reason"] if form else "")
        if row is None:
            messages.error(
                request,
                _("Questa operazione non è possibile: la richiesta è nello stato %s.") % pec.get_status_display(),
            )
            return self._back(pec)
        return self._ask(request, pec, row, form)

    def _act(self, request: HttpRequest, pec: PecRequest, act: str, reason: str) -> HttpResponse:
        try:
            done = lifecycle.decide([pec.pk], act, Actor.of(request), reason=reason)
            tell(request, len(done), _("Fatto. Se serve il gestore, lo stato cambia appena il gestore conferma."))
        except IllegalMove as why:
            messages.error(request, str(why))
        return self._back(pec)

    def _ask(self, request: HttpRequest, pec: PecRequest, row: Move, form: ReasonForm | None) -> HttpResponse:
        return confirm_page(
            self.admin_site,
            request,
            title=f"{row.label} · {pec.address}",
            text=EXPLANATIONS[row.act],
            button=row.label,
            objects=[f"{pec.member} – {pec.address}"],
            form=form,
            opts=self.opts,
            danger=row.act != "resume",
            back=reverse("admin:pec_requests_pecrequest_change", args=[pec.pk]),
        )

    def alarm_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """**Verificato**: what was said of a change of the recovery e-mail; ask who it was, then do."""
        pec = get_object_or_404(self.get_queryset(request), pk=pk)
        require_permission(request, SETTLE_ALARM, pec)
        form = VerdictForm(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            try:
                done = recovery_alarms.settle(pec.pk, Verdict(form.cleaned_data["verdict"]), Actor.of(request))
                tell(request, done, _("La segnalazione è verificata: l'iscritto può di nuovo cambiare dal portale."))
            except RecoveryRefused as why:
                messages.error(request, str(why))
            return self._back(pec)
        alarms = list(attention.open_alarms(pec))
        return confirm_page(
            self.admin_site,
            request,
            title=_("Verificato · %(address)s") % {"address": pec.address},
            text=alarm_text(pec, alarms),
            button=_("Verificato"),
            objects=[alarm_words(alarm) for alarm in alarms] or [f"{pec.member} – {pec.address}"],
            form=form if alarms else None,
            nothing=not alarms,
            opts=self.opts,
            back=reverse("admin:pec_requests_pecrequest_change", args=[pec.pk]),
        )

    def _back(self, pec: PecRequest) -> HttpResponse:
        return redirect("admin:pec_requests_pecrequest_change", pec.pk)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        pec: PecRequest | None = kwargs.get("obj")
        if pec:
            reading.note(request, pec.member, _("casella %s") % pec.address)
            may_retry, may_drop = may(request.user, RETRY, pec), may(request.user, DROP, pec)
            context |= {
                "acts": acts_for(request, pec),
                "needs": attention.sentences(pec),
                "answers": [
                    (o, may_retry and o.state == State.ATTENTION, may_drop and lifecycle.can_drop(o))
                    for o in attention.unsettled(pec)
                ],
                "may_settle": attention.open_alarms(pec).exists() and may(request.user, SETTLE_ALARM, pec),
                "operations": pec.operations.all(),
                "log": LogEntry.objects.filter(object_type="pec_requests.pecrequest", object_id=pec.pk)[:LOG_SHOWN],
            }
        return super().render_change_form(request, context, *args, **kwargs)
