"""Requests for many at once: which there were, how far they have come, and cancelling what has not begun."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from audit.actors import Actor
from audit.models import LogEntry
from members import progress
from members.current import may, require_permission
from pec_requests import batches
from pec_requests.admin.acts import ReasonForm, confirm_page, tell
from pec_requests.admin.operations import ReadOnlyAdmin
from pec_requests.admin.requests import LOG_SHOWN
from pec_requests.models import RequestBatch
from pec_requests.states import IllegalMove, Status

CANCEL = "pec_requests.cancel_request"
State = RequestBatch.State


@admin.register(RequestBatch)
class RequestBatchAdmin(ReadOnlyAdmin):
    list_display = ("__str__", "asked_at", "who", "asked", "members", "made", "refused", "state")
    list_per_page = 50
    show_full_result_count = False
    change_form_template = "admin/pec_requests/requestbatch/change_form.html"
    fields = ("asked_at", "who", "of", "asked", "wanted_domain", "members")
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[RequestBatch]:
        # Who is still to be served may be a long list, which no page shows.
        rows: QuerySet[RequestBatch] = super().get_queryset(request)
        return rows.select_related("ordine", "domain").defer("member_ids")

    @admin.display(description=gettext_lazy("chi"))
    def who(self, batch: RequestBatch) -> str:
        return batch.who

    # In words: what the federation manages has no page that staff could be led to.
    @admin.display(description=gettext_lazy("Ordine"))
    def of(self, batch: RequestBatch) -> str:
        return str(batch.ordine)

    @admin.display(description=gettext_lazy("Dominio"))
    def wanted_domain(self, batch: RequestBatch) -> str:
        return str(batch.domain)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        own = [
            path("<int:pk>/avanzamento/", view(self.standing_view), name="pec_requests_requestbatch_standing"),
            path("<int:pk>/annulla/", view(self.cancel_view), name="pec_requests_requestbatch_cancel"),
        ]
        return own + super().get_urls()

    def standing_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The live part of the page, by itself."""
        batch = get_object_or_404(self.get_queryset(request), pk=pk)
        require_permission(request, "pec_requests.view_requestbatch", batch)
        return render(request, "admin/pec_requests/requestbatch/_standing.html", self._standing(request, batch))

    def cancel_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """**Annulla ciò che non è iniziato**: ask, with a reason, then decide; a worker carries it out."""
        batch = get_object_or_404(self.get_queryset(request), pk=pk)
        require_permission(request, CANCEL, batch)
        form = ReasonForm(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            return self._cancel(request, batch, form.cleaned_data["reason"])
        text = _(
            "Finiscono qui le richieste che il gestore non conosce ancora: gli indirizzi restano riservati agli "
            "iscritti. Quelle già affidate al gestore, e le caselle già create, restano come sono."
        )
        return confirm_page(
            self.admin_site,
            request,
            title=_("Annulla ciò che non è iniziato"),
            text=text,
            objects=[str(batch), self._how_many(batch)],
            form=form,
            opts=self.opts,
            danger=True,
            back=reverse("admin:pec_requests_requestbatch_change", args=[pk]),
        )

    def _how_many(self, batch: RequestBatch) -> str:
        number = batch.members if batch.state == State.WAITING else batches.untried(batch)
        sentence = ngettext(
            "%(count)s richiesta che in questo momento non è iniziata",
            "%(count)s richieste che in questo momento non sono iniziate",
            number,
        )
        return sentence % {"count": number}

    def _cancel(self, request: HttpRequest, batch: RequestBatch, reason: str) -> HttpResponse:
        try:
            done = batches.ask_to_cancel(batch.pk, Actor.of(request), reason)
            tell(request, done, _("Ciò che non è iniziato viene annullato."))
        except IllegalMove as why:
            messages.error(request, str(why))
        return redirect("admin:pec_requests_requestbatch_change", batch.pk)

    def _standing(self, request: HttpRequest, batch: RequestBatch) -> dict[str, Any]:
        now = batches.standing(batch)
        page = reverse("admin:pec_requests_requestbatch_change", args=[batch.pk])
        return {
            "batch": batch,
            "standing": now,
            "statuses": [(Status(status).label, number) for status, number in now.by_status.items()],
            "progress": progress.told(batches.work_of(batch)) if batch.state == State.WAITING else None,
            "url": reverse("admin:pec_requests_requestbatch_standing", args=[batch.pk]),
            "page": page,
            "may_cancel": may(request.user, CANCEL, batch)
            and not batch.is_being_cancelled
            and (batch.state == State.WAITING or now.under_way > 0),
        }

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        batch: RequestBatch | None = kwargs.get("obj")
        if batch:
            context |= {
                **self._standing(request, batch),
                "refused": [(reason.sentence(batch.domain), *rest) for reason, *rest in batches.refused_first(batch)],
                "log": LogEntry.objects.filter(object_type="pec_requests.requestbatch", object_id=batch.pk)[:LOG_SHOWN],
            }
        return super().render_change_form(request, context, *args, **kwargs)
