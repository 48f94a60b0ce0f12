"""The member's page in the office, with what concerns PEC; and the ways to request one, for one or for many."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django_scopes import scopes_disabled

from audit.actors import Actor
from members import exporting
from members.current import require_permission
from members.keyset import Condition, Position, Source
from members.lists import ListFilter, by_term
from members.models import Member
from members.table_files import Row
from pec_requests import eligibility, lifecycle
from pec_requests.admin.corrections import CorrectingAdmin
from pec_requests.admin.mailboxes import word_conditions
from pec_requests.admin.requests import status_badge
from pec_requests.models import PecDomain, PecRequest, ProviderOperation
from pec_requests.states import LIVE

REQUEST = "pec_requests.request_pec"
# How many of the members who cannot have a PEC are named on the page that asks.
NAMED = 100


class DomainForm(forms.Form):
    """In which domain of the convention."""

    domain = forms.ModelChoiceField(PecDomain.objects.none(), label=gettext_lazy("Dominio"), empty_label=None)

    def __init__(self, *args: Any, members: QuerySet[Member], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["domain"]
        assert isinstance(field, forms.ModelChoiceField)  # noqa: S101  (tells the type checker)
        field.queryset = PecDomain.objects.filter(ordini__in=members.order_by().values("ordine")).distinct()


class PecFilter(ListFilter):
    """By the state of the PEC."""

    title = gettext_lazy("PEC")
    parameter_name = "pec"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("senza", gettext_lazy("Senza PEC")),
            ("con", gettext_lazy("Con richiesta o casella")),
            *((status.value, status.label) for status in LIVE),
        ]

    def condition(self) -> Condition | None:
        chosen = self.value()
        if chosen == "senza":
            return by_term(eligibility.lacking_pec(), "pec SENZA")
        if chosen == "con":
            return _in_status(*LIVE)
        return _in_status(chosen) if chosen in LIVE else None


def _in_status(*statuses: str) -> Condition:
    """Members with a request in one of these, which nobody has two of."""
    mine = PecRequest.objects.filter(member=OuterRef("pk"), status__in=statuses)
    with scopes_disabled():
        of_each = [PecRequest.objects.filter(status=status) for status in statuses]
    return Condition(Q(Exists(mine)), tuple(Source(rows, ("sort",), "member_id") for rows in of_each))


admin.site.unregister(Member)


@admin.register(Member)
class MemberWithPecAdmin(CorrectingAdmin):
    list_display = ("surname", "name", "tax_code", "enrolment_numbers", "pec", "email_state")
    list_filter = (PecFilter, *CorrectingAdmin.list_filter)
    search_help_text = gettext_lazy("Cognome, nome, codice fiscale, numero di iscrizione o indirizzo PEC")
    actions = ("request_for_selected",)
    change_list_template = "admin/members/member/change_list.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Member]:
        with scopes_disabled():
            live = PecRequest.objects.filter(status__in=LIVE)
        return (
            super()
            .get_queryset(request)
            .prefetch_related(Prefetch("pec_requests", queryset=live, to_attr="live_requests"))
        )

    def word_conditions(self, word: str) -> list[Condition]:
        """As ever, and by the address of a mailbox."""
        return word_conditions(word)

    def export_headers(self, request: HttpRequest) -> list[str]:
        return [*super().export_headers(request), _("Casella PEC"), _("Stato della casella")]

    def export_rows(self, request: HttpRequest, changelist: Any, positions: Sequence[Position]) -> Iterator[Row]:
        members = [position.pk for position in positions]
        labels = {status.value: str(status.label) for status in LIVE}
        live = PecRequest.objects.filter(member__in=members, status__in=LIVE).values_list("member", "address", "status")
        caselle = {member: (address, labels[status]) for member, address, status in live}
        for pk, cells in exporting.lines(members):
            yield [*cells, *caselle.get(pk, (None, None))]

    @admin.display(description="PEC")
    def pec(self, member: Member) -> str:
        live: list[PecRequest] = member.live_requests  # type: ignore[attr-defined]  # the prefetch above
        if not live:
            return member.own_pec or "–"
        return format_html("{} {}", live[0].address, status_badge(live[0]))

    def get_readonly_fields(self, request: HttpRequest, obj: Member | None = None) -> tuple[str, ...]:
        """While the provider knows the person by it, the codice fiscale is not a field to edit."""
        fixed = super().get_readonly_fields(request, obj)
        known = Q(status__in=LIVE) | Q(operations__state__in=ProviderOperation.UNSETTLED)
        is_known = obj is not None and PecRequest.objects.filter(known, member=obj).exists()
        return (*fixed, "tax_code") if is_known else fixed

    @admin.action(description=gettext_lazy("Richiedi PEC per gli iscritti selezionati"), permissions=["request"])
    def request_for_selected(self, request: HttpRequest, queryset: QuerySet[Member]) -> HttpResponse:
        """The selection goes on to the page that asks: who is ticked one by one, the whole list as what asks for it."""
        if request.POST.get("select_across") == "1":
            return self._ask(request, queryset, {"lista": [request.GET.urlencode()]})
        return self._ask(request, queryset, {"ids": [str(pk) for pk in queryset.values_list("pk", flat=True)]})

    def has_request_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm(REQUEST))

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.request_view)
        return [path("richiedi-pec/", view, name="members_member_request_pec"), *super().get_urls()]

    def request_view(self, request: HttpRequest) -> HttpResponse:
        """Which members, in which domain, who cannot and why; then the requests.

        The members are those of ``ids``, or, at the moment of the POST, everybody in the list that the query string
        ``lista`` asks for, or, with ``tutti``, everybody without a PEC.
        """
        require_permission(request, REQUEST)
        asked = request.POST if request.method == "POST" else request.GET
        members, hidden = self._chosen(request, asked)
        if request.method == "POST":
            form = DomainForm(request.POST, members=members)
            if form.is_valid():
                return self._request(request, members, form.cleaned_data["domain"])
        return self._ask(request, members, hidden)

    def _chosen(self, request: HttpRequest, asked: QueryDict) -> tuple[QuerySet[Member], dict[str, list[str]]]:
        """The members, and what names them in the form."""
        if "tutti" in asked:
            return eligibility.without_pec(), {"tutti": ["1"]}
        if "lista" in asked:
            query = str(asked["lista"])
            return self.listed(request, query), {"lista": [query]}
        ids = [pk for pk in asked.getlist("ids") if pk.isascii() and pk.isdecimal()]
        return self.get_queryset(request).filter(pk__in=ids), {"ids": ids}

    def _request(self, request: HttpRequest, members: QuerySet[Member], domain: PecDomain) -> HttpResponse:
        outcome = lifecycle.request_pec(members.values_list("pk", flat=True), domain, Actor.of(request))
        if outcome.created:
            count = len(outcome.created)
            sentence = ngettext("Richiesta %(count)s casella.", "Richieste %(count)s caselle.", count)
            messages.success(request, sentence % {"count": count})
        for member, why in outcome.refused[:NAMED]:
            messages.warning(request, f"{member}: {why}")
        if not outcome.created and not outcome.refused:
            messages.info(request, _("Nessun iscritto a cui richiedere una PEC."))
        if len(outcome.created) == 1:
            return redirect("admin:pec_requests_pecrequest_change", outcome.created[0].pk)
        return redirect("admin:pec_requests_pecrequest_changelist")

    def _ask(self, request: HttpRequest, members: QuerySet[Member], hidden: dict[str, list[str]]) -> HttpResponse:
        people = list(members.select_related("ordine").order_by("search_key", "id"))
        form = DomainForm(request.POST if "domain" in request.POST else None, members=members)
        domain = form.fields["domain"].queryset.first()  # type: ignore[attr-defined]
        refused = eligibility.refusals(people, domain) if domain else {}
        context = {
            **self.admin_site.each_context(request),
            "title": _("Richiedi PEC"),
            "opts": self.opts,
            "form": form,
            "able": [m for m in people if m.pk not in refused] if domain else [],
            "hidden": hidden,
            "refused": [(m, refused[m.pk]) for m in people if m.pk in refused][:NAMED],
            "refused_count": len(refused),
            "no_domain": domain is None,
            "back": reverse("admin:members_member_changelist"),
            "named": NAMED,
        }
        return TemplateResponse(request, "admin/members/member/request_pec.html", context)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        member: Member | None = kwargs.get("obj")
        if member:
            requests = list(PecRequest.objects.filter(member=member))
            context |= {"pec_requests": requests, "may_request": self.has_request_permission(request)}
            context["has_live"] = any(r.is_live for r in requests)
        return super().render_change_form(request, context, *args, **kwargs)
