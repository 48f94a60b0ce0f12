"""What is asked of the provider, and how the provider is: read, retry, give up."""

from __future__ import annotations

import datetime
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.db.models import Count, Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.text import capfirst
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from audit.actors import Actor
from members.admin import FederationAdmin
from members.current import may, require_permission, roles_of
from members.keyset import Condition, Source, prefixed, rows_of
from members.lists import ColumnFilter, ListAdmin
from members.office_admin import OfficeAdmin
from members.roles import ordini_where
from pec_requests import figures, lifecycle, retrying
from pec_requests.admin.acts import DROP, RETRY, confirm_page, tell
from pec_requests.figures import Figures
from pec_requests.models import PecDomain, PecRequest, ProviderHealth, ProviderOperation
from pec_requests.states import IllegalMove, Kind

State = ProviderOperation.State
# How many different words of the provider are shown before all of a kind are retried.
WORDS_SHOWN = 10
# How many of the operations chosen are named on the page that asks.
SELECTED_SHOWN = 100
_BADGES = {
    State.WAITING: "wait",
    State.RUNNING: "wait",
    State.DONE: "success",
    State.ATTENTION: "danger",
    State.UNKNOWN: "danger",
    State.WITHDRAWN: "neutral",
}


class ReadOnlyAdmin(OfficeAdmin):
    """Rows that only the system writes."""

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Named after what it lists: there is nothing to select and change."""
        title = capfirst(self.opts.verbose_name_plural)
        return super().changelist_view(request, {"title": title, **(extra_context or {})})

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        title = capfirst(self.opts.verbose_name)
        return super().change_view(request, object_id, form_url, {"title": title, **(extra_context or {})})


class StateFilter(ColumnFilter):
    title = gettext_lazy("esito")
    parameter_name = "esito"
    field_name, choices_of = "state", State


class KindFilter(ColumnFilter):
    title = gettext_lazy("operazione")
    parameter_name = "operazione"
    field_name, choices_of = "kind", Kind


@admin.register(ProviderOperation)
class ProviderOperationAdmin(ReadOnlyAdmin, ListAdmin):
    list_display = ("kind", "address", "badge", "attempts", "next_try", "words", "asked_at")
    list_filter = (StateFilter, KindFilter)
    search_fields = ("address",)  # shows the box; what it finds is said in ``word_conditions``
    search_help_text = gettext_lazy("Indirizzo della casella")
    list_select_related = ("request",)
    newest_first = True
    actions = ("retry_selected",)
    change_list_template = "admin/pec_requests/provideroperation/change_list.html"
    change_form_template = "admin/pec_requests/provideroperation/change_form.html"
    fieldsets = (
        (None, {"fields": ("kind", "mailbox", "member", "wanted", "badge", "standing", "asked_at", "ended_at")}),
        (gettext_lazy("Tentativi"), {"fields": ("tries", "holder", "held_since", "next_try")}),
        (gettext_lazy("Parole del gestore"), {"fields": ("result", "last_error")}),
    )
    readonly_fields = (
        *("kind", "mailbox", "member", "wanted", "badge", "standing", "asked_at", "ended_at"),
        *("tries", "holder", "held_since", "next_try", "result", "last_error"),
    )

    def everything(self) -> Source:
        return Source(ProviderOperation.objects.all())

    def word_conditions(self, word: str) -> list[Condition]:
        beginning = word.lower()
        mailboxes = Source(rows_of(PecRequest).filter(prefixed("address", beginning)), ("address",), finds="request_id")
        return [Condition(prefixed("request__address", beginning), (mailboxes,))]

    @admin.display(description=gettext_lazy("Casella"))
    def address(self, operation: ProviderOperation) -> str:
        return operation.request.address

    @admin.display(description=gettext_lazy("Esito"))
    def badge(self, operation: ProviderOperation) -> str:
        name = _BADGES[State(operation.state)]
        return format_html('<span class="badge-state badge-{}">{}</span>', name, operation.get_state_display())

    @admin.display(description=gettext_lazy("Parole del gestore"))
    def words(self, operation: ProviderOperation) -> str:
        return operation.result or operation.last_error or "–"

    @admin.display(description=gettext_lazy("Prossimo tentativo"))
    def next_try(self, operation: ProviderOperation) -> str:
        """When it may be tried next; of what is over, nothing."""
        if operation.state not in ProviderOperation.OPEN:
            return "–"
        if operation.not_before > timezone.now():
            if operation.state == State.RUNNING:
                return _("se il worker non risponde, dopo le %s") % _moment(operation.not_before)
            return _moment(operation.not_before)
        return _("appena c'è un worker libero")

    @admin.display(description=gettext_lazy("Casella"))
    def mailbox(self, operation: ProviderOperation) -> str:
        url = reverse("admin:pec_requests_pecrequest_change", args=[operation.request_id])
        return format_html('<a href="{}">{}</a>', url, operation.request.address)

    @admin.display(description=gettext_lazy("Iscritto"))
    def member(self, operation: ProviderOperation) -> str:
        url = reverse("admin:members_member_change", args=[operation.request.member_id])
        return format_html('<a href="{}">{}</a>', url, operation.request.member)

    @admin.display(description=gettext_lazy("Nuova email di recupero"))
    def wanted(self, operation: ProviderOperation) -> str:
        return operation.recovery_email or "–"

    @admin.display(description=gettext_lazy("Creata il"))
    def asked_at(self, operation: ProviderOperation) -> str:
        return _moment(operation.created_at)

    @admin.display(description=gettext_lazy("Conclusa il"))
    def ended_at(self, operation: ProviderOperation) -> str:
        return _moment(operation.finished_at) if operation.finished_at else "–"

    @admin.display(description=gettext_lazy("Che cosa succede"))
    def standing(self, operation: ProviderOperation) -> str:
        """What becomes of it, and whether somebody must do something."""
        return str(_standing(operation))

    @admin.display(description=gettext_lazy("Tentativi"))
    def tries(self, operation: ProviderOperation) -> str:
        most = settings.OPERATION_MAX_ATTEMPTS
        return _("%(done)s su %(most)s") % {"done": operation.attempts, "most": most}

    @admin.display(description=gettext_lazy("Chi la esegue"))
    def holder(self, operation: ProviderOperation) -> str:
        if not operation.claimed_by:
            return _("nessuno, finora")
        if operation.state == State.RUNNING:
            return operation.claimed_by
        return _("nessuno; l'ultimo è stato %s") % operation.claimed_by

    @admin.display(description=gettext_lazy("Presa in carico il"))
    def held_since(self, operation: ProviderOperation) -> str:
        return _moment(operation.claimed_at) if operation.claimed_at else "–"

    @admin.action(description=gettext_lazy("Riprova le operazioni selezionate"), permissions=["retry"])
    def retry_selected(self, request: HttpRequest, queryset: QuerySet[ProviderOperation]) -> HttpResponse | None:
        """Ask, then put what needs attention back into the queue."""
        queryset = self._may_retry(request, queryset)
        if "confirmed" in request.POST:
            done = lifecycle.retry_operations(queryset.values_list("pk", flat=True), Actor.of(request))
            tell(request, done, _("Operazioni rimesse in coda: %(count)s.") % {"count": done})
            return None
        across = request.POST.get("select_across") == "1"
        return confirm_page(
            self.admin_site,
            request,
            title=_("Riprova le operazioni"),
            button=_("Riprova"),
            opts=self.opts,
            text=_("Le operazioni da verificare tornano in coda."),
            objects=[f"{o} – {o.request.address}" for o in queryset[:SELECTED_SHOWN]],
            back=reverse("admin:pec_requests_provideroperation_changelist"),
            action="retry_selected",
            # The whole list is named by its query string, which the form keeps, not row by row.
            across=across,
            selected=queryset.values_list("pk", flat=True)[: 1 if across else None],
        )

    def has_retry_permission(self, request: HttpRequest) -> bool:
        return may(request.user, RETRY)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        own = [
            path(
                "riprova-tutte/<str:kind>/", view(self.retry_all_view), name="pec_requests_provideroperation_retry_all"
            ),
            path("<int:pk>/riprova/", view(self.retry_view), name="pec_requests_provideroperation_retry"),
            path("<int:pk>/rinuncia/", view(self.drop_view), name="pec_requests_provideroperation_drop"),
        ]
        return own + super().get_urls()

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The queue in figures, above its list."""
        now = figures.current()
        context = {
            "figures": now,
            "oldest": age_words(now),
            "may_retry": self.has_retry_permission(request),
        }
        return super().changelist_view(request, {**context, **(extra_context or {})})

    def retry_all_view(self, request: HttpRequest, kind: str) -> HttpResponse:
        """**Riprova tutte**: of one kind, whatever needs attention in the Ordini where one may retry."""
        if kind not in Kind.values:
            raise Http404
        require_permission(request, RETRY)
        stuck = self._may_retry(request, self.get_queryset(request)).filter(kind=kind, state=State.ATTENTION)
        if request.method == "POST":
            done = retrying.retry_all(stuck, Actor.of(request))
            tell(request, done, _("Operazioni rimesse in coda: %(count)s.") % {"count": done})
            return redirect("admin:pec_requests_provideroperation_changelist")
        return self._ask_all(request, Kind(kind), stuck)

    def _may_retry(self, request: HttpRequest, rows: QuerySet[ProviderOperation]) -> QuerySet[ProviderOperation]:
        """A role counts in its own Ordine only."""
        if request.user.is_superuser:
            return rows
        return rows.filter(ordine__in=ordini_where(roles_of(request.user), RETRY))

    def _ask_all(self, request: HttpRequest, kind: Kind, stuck: QuerySet[ProviderOperation]) -> HttpResponse:
        """How many, and what the provider said of them: one sees before retrying whether it can go better now."""
        said = list(stuck.order_by().values_list("last_error").annotate(n=Count("pk")).order_by("-n", "last_error"))
        count = sum(n for _words, n in said)
        text = ngettext(
            "Un'operazione da verificare torna in coda. Prima di ripeterla il sistema chiede al gestore se l'effetto "
            "c'è già.",
            "%(count)s operazioni da verificare tornano in coda. Prima di ripeterle il sistema chiede al gestore se "
            "l'effetto c'è già.",
            count,
        )
        return confirm_page(
            self.admin_site,
            request,
            title=_("Riprova tutte · %(kind)s") % {"kind": kind.label},
            text=text % {"count": count} if count else _("Non c'è nulla da riprovare."),
            button=_("Riprova tutte"),
            objects=[f"{n} × {words or '–'}" for words, n in said[:WORDS_SHOWN]]
            or [_("Nessuna operazione di questo tipo è da verificare.")],
            opts=self.opts,
            back=reverse("admin:pec_requests_provideroperation_changelist"),
        )

    def retry_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """**Riprova** for one operation: ask, then do."""
        operation = self._own(request, pk, RETRY)
        if request.method == "POST":
            done = lifecycle.retry_operations([operation.pk], Actor.of(request))
            tell(request, done, _("L'operazione è tornata in coda."))
            return self._back(operation)
        text = _("L'operazione torna in coda. Prima di ripeterla il sistema chiede al gestore se l'effetto c'è già.")
        return self._ask(request, operation, _("Riprova"), text)

    def drop_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """**Rinuncia**: give up what the provider refused."""
        operation = self._own(request, pk, DROP)
        if request.method == "POST":
            try:
                lifecycle.drop_operation(operation.pk, Actor.of(request))
                messages.success(request, _("L'operazione è stata ritirata."))
            except IllegalMove as why:
                messages.error(request, str(why))
            return self._back(operation)
        text = _("L'operazione non viene più tentata e la sua decisione è ritirata. Lo stato della casella non cambia.")
        return self._ask(request, operation, _("Rinuncia"), text)

    def _own(self, request: HttpRequest, pk: int, permission: str) -> ProviderOperation:
        operation: ProviderOperation = get_object_or_404(self.get_queryset(request).select_related("request"), pk=pk)
        require_permission(request, permission, operation)
        return operation

    def _ask(self, request: HttpRequest, operation: ProviderOperation, button: str, text: str) -> HttpResponse:
        return confirm_page(
            self.admin_site,
            request,
            title=f"{button} · {operation.get_kind_display()}",
            text=text,
            button=button,
            objects=[f"{operation.request.address} – {operation.last_error}"],
            opts=self.opts,
            back=reverse("admin:pec_requests_pecrequest_change", args=[operation.request_id]),
        )

    def _back(self, operation: ProviderOperation) -> HttpResponse:
        return redirect("admin:pec_requests_pecrequest_change", operation.request_id)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        operation: ProviderOperation | None = kwargs.get("obj")
        if operation:
            stuck, open_still = operation.state == State.ATTENTION, operation.state in ProviderOperation.UNSETTLED
            context |= {
                "may_retry": stuck and may(request.user, RETRY, operation),
                "may_drop": open_still and lifecycle.can_drop(operation) and may(request.user, DROP, operation),
            }
        return super().render_change_form(request, context, *args, **kwargs)


@admin.register(ProviderHealth)
class ProviderHealthAdmin(ReadOnlyAdmin, FederationAdmin):
    list_display = ("state", "since", "reason", "open_until")


@admin.register(PecDomain)
class PecDomainAdmin(FederationAdmin):
    list_display = ("name",)
    filter_horizontal = ("ordini",)


def age_words(now: Figures) -> str:
    """How long the oldest open operation has been waiting, as people say it; empty where none waits."""
    if now.oldest_at is None:
        return ""
    seconds = int(now.oldest_seconds)
    if seconds < 60:
        return ngettext("%(count)s secondo", "%(count)s secondi", seconds) % {"count": seconds}
    return timesince(now.oldest_at, now.taken_at)


def _moment(at: datetime.datetime) -> str:
    return date_format(timezone.localtime(at), "d/m/Y H:i:s")


def _standing(operation: ProviderOperation) -> str:
    match State(operation.state):
        case State.WAITING if operation.look_first:
            return _(
                "Un tentativo è rimasto senza risposta. Prima di ripeterla il sistema chiede al gestore se l'effetto "
                "c'è già."
            )
        case State.WAITING:
            return _("È in coda: parte da sola.")
        case State.RUNNING if operation.not_before > timezone.now():
            return _("Un worker la sta eseguendo.")
        case State.RUNNING:
            return _("Il worker che la eseguiva non si è più fatto vivo: la riprende un altro, che prima controlla.")
        case State.DONE:
            return _("Il gestore l'ha eseguita.")
        case State.ATTENTION:
            return _("Aspetta la segreteria: leggere le parole del gestore, correggere se serve e premere Riprova.")
        case State.UNKNOWN:
            return _("Non si saprà se ha avuto effetto, e non si può ripetere senza rischio. L'iscritto è avvisato.")
        case _:
            return _("È stata ritirata: non viene più tentata.")
