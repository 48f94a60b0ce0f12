"""The member's page in the office, with what concerns PEC; and the ways to request one, for one or for many."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import admin, messages
from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from audit.actors import Actor
from members import exporting
from members.current import may, only_where, require_permission
from members.keyset import Condition, Source, rows_of
from members.lists import ListFilter, by_term
from members.models import Member
from members.table_files import Row
from pec_requests import batches, eligibility, lifecycle, previewing
from pec_requests.admin.corrections import CorrectingAdmin
from pec_requests.admin.mailboxes import word_conditions
from pec_requests.admin.requests import status_badge
from pec_requests.models import PecDomain, PecRequest, ProviderOperation, RequestBatch
from pec_requests.states import LIVE

REQUEST = "pec_requests.request_pec"
# So many requests are made while the browser waits; more are a worker's.
AT_ONCE = 300
_LONGEST_ID = 18


class RequestForm(forms.Form):
    """In which domain of the convention, and which page asked: once, however often its button is pressed."""

    domain = forms.ModelChoiceField(PecDomain.objects.none(), label=gettext_lazy("Dominio"), empty_label=None)
    key = forms.UUIDField(required=False)

    def __init__(self, *args: Any, ordine_ids: Iterable[int], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["domain"]
        assert isinstance(field, forms.ModelChoiceField)  # noqa: S101  (tells the type checker)
        field.queryset = eligibility.domains_for(ordine_ids)


@dataclass
class Chosen:
    """Members by Ordine, how they were chosen, in words, and what says so in a form."""

    members: dict[int, list[int]]
    words: str
    fields: dict[str, list[str]]

    @property
    def ids(self) -> list[int]:
        return [pk for ids in self.members.values() for pk in ids]


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
    of_each = [rows_of(PecRequest).filter(status=status) for status in statuses]
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
        live = rows_of(PecRequest).filter(status__in=LIVE)
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

    def export_lines(self, members: Sequence[int]) -> Iterator[Row]:
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
        asked = QueryDict(mutable=True)
        if request.POST.get("select_across") == "1":
            asked["lista"] = request.GET.urlencode()
        else:
            asked.setlist("ids", [str(pk) for pk in queryset.values_list("pk", flat=True)])
        with only_where(request.user, REQUEST):
            return self._ask(request, self._chosen(request, asked), asked)

    def has_request_permission(self, request: HttpRequest) -> bool:
        return may(request.user, REQUEST)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.request_view)
        return [path("richiedi-pec/", view, name="members_member_request_pec"), *super().get_urls()]

    def request_view(self, request: HttpRequest) -> HttpResponse:
        """Which members, in which domain, who cannot and why; then the requests.

        The members are those of ``ids``, or, at the moment of the POST, everybody in the list that the query string
        ``lista`` asks for, or, with ``tutti``, everybody without a PEC.
        """
        require_permission(request, REQUEST)
        with only_where(request.user, REQUEST):
            return self._request_page(request)

    def _request_page(self, request: HttpRequest) -> HttpResponse:
        asked = request.POST if request.method == "POST" else request.GET
        if ordered := self._ordered_before(asked):
            return ordered
        chosen = self._chosen(request, asked)
        if request.method == "POST":
            form = RequestForm(request.POST, ordine_ids=chosen.members)
            if form.is_valid():
                return self._request(request, chosen, form.cleaned_data["domain"], form.cleaned_data["key"])
        return self._ask(request, chosen, asked)

    def _chosen(self, request: HttpRequest, asked: QueryDict) -> Chosen:
        if "tutti" in asked:
            return Chosen(_by_ordine(eligibility.without_pec()), _("tutti gli iscritti senza PEC"), {"tutti": ["1"]})
        if "lista" in asked:
            query = str(asked["lista"])
            words = self.in_words(request, query) or _("tutti gli iscritti")
            return Chosen(_by_ordine(self.listed(request, query)), words, {"lista": [query]})
        ids = [pk for pk in asked.getlist("ids") if pk.isascii() and pk.isdecimal() and len(pk) <= _LONGEST_ID]
        members = _by_ordine(self.get_queryset(request).filter(pk__in=ids))
        return Chosen(members, _("iscritti scelti uno per uno"), {"ids": ids})

    def _request(self, request: HttpRequest, chosen: Chosen, domain: PecDomain, key: uuid.UUID | None) -> HttpResponse:
        """For one at once; for some at once, too, but kept together; for many by a worker."""
        actor, ids = Actor.of(request), chosen.ids
        if len(ids) < 2:
            return self._request_one(request, ids, domain, actor)
        orders = batches.order(chosen.members, domain, actor, asked=chosen.words, key=key or uuid.uuid4())
        if len(ids) <= AT_ONCE:
            for batch in orders:
                batches.carry_out(batch.pk)
        return _shown(orders)

    def _ordered_before(self, asked: QueryDict) -> HttpResponse | None:
        """The second click: by now the list that was asked for may be another, even an empty one."""
        try:
            orders = batches.ordered(uuid.UUID(asked.get("key", "")))
        except ValueError:
            return None
        return _shown(orders) if orders else None

    def _request_one(self, request: HttpRequest, ids: list[int], domain: PecDomain, actor: Actor) -> HttpResponse:
        outcome = lifecycle.request_pec(ids, domain, actor)
        for member, why in outcome.refused:
            messages.warning(request, f"{member}: {why}")
        if outcome.made:
            messages.success(request, _("Richiesta 1 casella."))
            return redirect("admin:pec_requests_pecrequest_change", outcome.made[0])
        if not ids:
            messages.info(request, _("Nessun iscritto a cui richiedere una PEC."))
        return redirect("admin:pec_requests_pecrequest_changelist")

    def _ask(self, request: HttpRequest, chosen: Chosen, asked: QueryDict) -> HttpResponse:
        domains = list(eligibility.domains_for(chosen.members))
        domain = next((d for d in domains if str(d.pk) == asked.get("domain")), domains[0] if domains else None)
        url = reverse("admin:members_member_request_pec")
        context = {
            **self.admin_site.each_context(request),
            "title": _("Richiedi PEC"),
            "opts": self.opts,
            "url": url,
            "words": chosen.words,
            "form": RequestForm(initial={"domain": domain}, ordine_ids=chosen.members),
            "hidden": {**chosen.fields, "key": [uuid.uuid4()]},
            "preview": previewing.preview(chosen.ids, domain) if domain else None,
            "other_domains": [
                (d, f"{url}?{urlencode({**chosen.fields, 'domain': d.pk}, doseq=True)}") for d in domains if d != domain
            ],
            "no_convention": bool(chosen.members) and not domains,
            "at_once": len(chosen.ids) <= AT_ONCE,
            "back": reverse("admin:members_member_changelist"),
        }
        return TemplateResponse(request, "admin/members/member/request_pec.html", context)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        member: Member | None = kwargs.get("obj")
        if member:
            requests = list(PecRequest.objects.filter(member=member))
            context |= {"pec_requests": requests, "may_request": may(request.user, REQUEST, member)}
            context["has_live"] = any(r.is_live for r in requests)
        return super().render_change_form(request, context, *args, **kwargs)


def _by_ordine(members: QuerySet[Member]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for ordine_id, pk in members.order_by().values_list("ordine_id", "pk"):
        found.setdefault(ordine_id, []).append(pk)
    return found


def _shown(orders: Sequence[RequestBatch]) -> HttpResponse:
    if len(orders) == 1:
        return redirect("admin:pec_requests_requestbatch_change", orders[0].pk)
    return redirect("admin:pec_requests_requestbatch_changelist")
