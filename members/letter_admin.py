"""The mails of an Ordine as they will look, for its office: with invented data, and sent to nobody."""

from __future__ import annotations

from email.header import decode_header, make_header
from typing import Any

from csp.constants import SELF
from csp.decorators import csp_update
from django.contrib import admin
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_safe
from post_office.models import Email

from members import letter_examples, mail
from members.current import require_permission, staff_ordini
from members.models import Ordine
from members.roles import VIEW_LETTERS

# A mail has its style in attributes and asks for nothing from anywhere; the frame it is shown in can do nothing.
_MAIL_POLICY = (
    "default-src 'none'; style-src-attr 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'; sandbox"
)


def urls(site: admin.AdminSite) -> list[URLPattern]:
    """Below the addresses of the Ordini. The federation's pages there are not for offices: these are."""
    view, of_one = site.admin_view, "<int:pk>/messaggi/"
    return [
        path("messaggi/", view(first), name="members_ordine_letters"),
        path(of_one, view(every), name="members_ordine_letters_of"),
        path(f"{of_one}<slug:name>/", view(one), name="members_ordine_letter"),
        path(f"{of_one}<slug:name>/html/", view(html), name="members_ordine_letter_html"),
    ]


@require_safe
def first(request: HttpRequest) -> HttpResponse:
    """To the mails of one's own Ordine, or of the first of them."""
    ordine = _own(request).first()
    if ordine is None:
        raise Http404
    return redirect("admin:members_ordine_letters_of", ordine.pk)


@require_safe
def every(request: HttpRequest, pk: int) -> HttpResponse:
    """All mails: what is over each, and when it goes out."""
    ordine = _ordine(request, pk)
    examples = letter_examples.all_examples().items()
    rows = [(name, mail.compose(example.letter(ordine)).subject, example.when) for name, example in examples]
    return _page(request, ordine, "letters", title=_("Messaggi che il portale spedisce"), rows=rows)


@require_safe
@csp_update({"frame-src": [SELF]})  # type: ignore[arg-type]  # its type knows only views without arguments
def one(request: HttpRequest, pk: int, name: str) -> HttpResponse:
    """One mail: what is above it, and its text beside its HTML."""
    ordine = _ordine(request, pk)
    composed = _composed(ordine, name)
    above = {
        _("Da"): _decoded(composed.from_email),
        _("Risposte a"): _decoded(composed.headers.get("Reply-To", "")),
        _("Oggetto"): composed.subject,
        _("Disiscrizione"): composed.headers.get("List-Unsubscribe"),
    }
    when = letter_examples.all_examples()[name].when
    context = {"title": composed.subject, "name": name, "text": composed.message, "above": above, "when": when}
    return _page(request, ordine, "letter", **context)


@require_safe
@xframe_options_sameorigin
def html(request: HttpRequest, pk: int, name: str) -> HttpResponse:
    """The HTML of a mail, alone, as a mail program has it."""
    response = HttpResponse(_composed(_ordine(request, pk), name).html_message)
    response["Content-Security-Policy"] = _MAIL_POLICY
    return response


def _own(request: HttpRequest) -> QuerySet[Ordine]:
    ordini = Ordine.objects.order_by("name")
    return ordini if request.user.is_superuser else ordini.filter(pk__in=[o.pk for o in staff_ordini(request.user)])


def _ordine(request: HttpRequest, pk: int) -> Ordine:
    ordine = get_object_or_404(_own(request), pk=pk)
    require_permission(request, VIEW_LETTERS, ordine)
    return ordine


def _composed(ordine: Ordine, name: str) -> Email:
    example = letter_examples.all_examples().get(name)
    if example is None:
        raise Http404
    return mail.compose(example.letter(ordine))


def _decoded(header: str) -> str:
    """A name with its accents, as a mail program shows it."""
    return str(make_header(decode_header(header)))


def _page(request: HttpRequest, ordine: Ordine, template: str, **context: Any) -> HttpResponse:
    others = _own(request).exclude(pk=ordine.pk)
    context = {**admin.site.each_context(request), "ordine": ordine, "others": others, **context}
    return TemplateResponse(request, f"admin/members/ordine/{template}.html", context)
