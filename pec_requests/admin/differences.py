"""Where the register and the provider disagree, for the staff of the Ordine: read, and go to the request."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy

from members.exports import ExportAdmin
from pec_requests import comparing
from pec_requests.admin.operations import ReadOnlyAdmin
from pec_requests.models import Difference


@admin.register(Difference)
class DifferenceAdmin(ReadOnlyAdmin, ExportAdmin):
    """Only the open ones: the list says all there is to say, so that no page of its own is linked."""

    list_display = ("casella", "kind", "sentence", "first_seen", "last_seen")
    list_display_links = None
    list_filter = ("kind",)
    list_select_related = ("request", "member")
    search_fields = ("address",)
    search_help_text = gettext_lazy("Indirizzo")
    list_per_page = 50

    def get_queryset(self, request: HttpRequest) -> QuerySet[Difference]:
        rows: QuerySet[Difference] = super().get_queryset(request)
        return rows.filter(closed_at=None)

    @admin.display(description=gettext_lazy("Casella"), ordering="address")
    def casella(self, difference: Difference) -> str:
        """The address, leading to the request, or to whoever has a mailbox without one."""
        if difference.request_id:
            page = reverse("admin:pec_requests_pecrequest_change", args=[difference.request_id])
        elif difference.member_id:
            page = reverse("admin:members_member_change", args=[difference.member_id])
        else:
            return difference.address
        return format_html('<a href="{}">{}</a>', page, difference.address)

    @admin.display(description=gettext_lazy("Che cosa non torna"))
    def sentence(self, difference: Difference) -> str:
        return comparing.sentence(difference)
