"""What is asked of the provider, and how the provider is: read, retry, give up."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from audit.actors import Actor
from members.admin import FederationAdmin
from members.current import require_permission
from pec_requests import lifecycle
from pec_requests.admin.acts import confirm_page, tell
from pec_requests.models import PecDomain, ProviderHealth, ProviderOperation
from pec_requests.states import IllegalMove

RETRY = "pec_requests.retry_operation"


class ReadOnlyAdmin(admin.ModelAdmin[Any]):
    """Rows that only the system writes."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(ProviderOperation)
class ProviderOperationAdmin(ReadOnlyAdmin):
    list_display = ("kind", "address", "state", "attempts", "not_before", "last_error", "created_at")
    list_filter = ("state", "kind")
    search_fields = ("request__address",)
    list_select_related = ("request",)
    list_per_page = 50
    actions = ("retry_selected",)
    change_form_template = "admin/pec_requests/provideroperation/change_form.html"
    exclude = ("claim", "look_first")

    @admin.display(description=gettext_lazy("Casella"))
    def address(self, operation: ProviderOperation) -> str:
        return operation.request.address

    @admin.action(description=gettext_lazy("Riprova le operazioni selezionate"), permissions=["retry"])
    def retry_selected(self, request: HttpRequest, queryset: QuerySet[ProviderOperation]) -> HttpResponse | None:
        """Ask, then put what needs attention back into the queue."""
        if "confirmed" in request.POST:
            done = lifecycle.retry_operations(queryset.values_list("pk", flat=True), Actor.of(request))
            tell(request, done, _("Operazioni rimesse in coda: %(count)s.") % {"count": done})
            return None
        return confirm_page(
            self.admin_site,
            request,
            title=_("Riprova le operazioni"),
            button=_("Riprova"),
            opts=self.opts,
            text=_("Le operazioni da verificare tornano in coda."),
            objects=[f"{o} – {o.request.address}" for o in queryset],
            back=reverse("admin:pec_requests_provideroperation_changelist"),
            action="retry_selected",
            selected=[o.pk for o in queryset],
        )

    def has_retry_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm(RETRY))

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        own = [
            path("<int:pk>/riprova/", view(self.retry_view), name="pec_requests_provideroperation_retry"),
            path("<int:pk>/rinuncia/", view(self.drop_view), name="pec_requests_provideroperation_drop"),
        ]
        return own + super().get_urls()

    def retry_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """**Riprova** for one operation: ask, then do."""
        operation = self._own(request, pk)
        if request.method == "POST":
            done = lifecycle.retry_operations([operation.pk], Actor.of(request))
            tell(request, done, _("L'operazione è tornata in coda."))
            return self._back(operation)
        text = _("L'operazione torna in coda. Prima di ripeterla il sistema chiede al gestore se l'effetto c'è già.")
        return self._ask(request, operation, _("Riprova"), text)

    def drop_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """**Rinuncia**: give up what the provider refused."""
        operation = self._own(request, pk)
        if request.method == "POST":
            try:
                lifecycle.drop_operation(operation.pk, Actor.of(request))
                messages.success(request, _("L'operazione è stata ritirata."))
            except IllegalMove as why:
                messages.error(request, str(why))
            return self._back(operation)
        text = _("L'operazione non viene più tentata e la sua decisione è ritirata. Lo stato della casella non cambia.")
        return self._ask(request, operation, _("Rinuncia"), text)

    def _own(self, request: HttpRequest, pk: int) -> ProviderOperation:
        operation: ProviderOperation = get_object_or_404(self.get_queryset(request).select_related("request"), pk=pk)
        require_permission(request, RETRY, operation)
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


@admin.register(ProviderHealth)
class ProviderHealthAdmin(ReadOnlyAdmin, FederationAdmin):
    list_display = ("state", "since", "reason", "open_until")


@admin.register(PecDomain)
class PecDomainAdmin(FederationAdmin):
    list_display = ("name",)
    filter_horizontal = ("ordini",)
