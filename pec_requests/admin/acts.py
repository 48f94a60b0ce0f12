"""How staff act: a page that asks, a POST that does. Which acts there are is in the table of states."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _

from members.current import may
from pec_requests.models import PecRequest
from pec_requests.states import Move, Who, moves_from

PERMISSIONS = {
    "cancel": "pec_requests.cancel_request",
    "suspend": "pec_requests.suspend_pec",
    "resume": "pec_requests.suspend_pec",
    "close": "pec_requests.close_pec",
}

RETRY, DROP = "pec_requests.retry_operation", "pec_requests.drop_operation"

EXPLANATIONS = {
    "cancel": _(
        "La richiesta finisce qui e l'iscritto non potrà più accettare la casella. L'indirizzo resta riservato a lui."
    ),
    "suspend": _("La casella diventa di sola lettura: l'iscritto non potrà più spedire. L'iscritto viene avvisato."),
    "resume": _("La casella torna a spedire e ricevere. L'iscritto viene avvisato."),
    "close": _("La casella viene chiusa per sempre e i messaggi non saranno più leggibili. L'iscritto viene avvisato."),
}


class ReasonForm(forms.Form):
    """The reason of an act, kept with the request and in the log."""

    reason = forms.CharField(
        label=_("Motivo"),
        max_length=300,
        strip=True,
        widget=forms.Textarea(attrs={"rows": 3}),
        error_messages={"required": _("Indicare il motivo.")},
    )


def acts_for(request: HttpRequest, pec: PecRequest) -> list[Move]:
    """The acts that this member of staff may do on this request now."""
    moves = moves_from(pec.status, Who.STAFF, accepted=pec.accepted_at is not None)
    return [m for m in moves if m.act in PERMISSIONS and may(request.user, PERMISSIONS[m.act], pec)]


def confirm_page(site: admin.AdminSite, request: HttpRequest, **context: Any) -> HttpResponse:
    """The page that asks before an act: ``title, text, objects, back, button`` and, where wanted, ``form``."""
    return TemplateResponse(request, "admin/confirm_act.html", {**site.each_context(request), **context})


def tell(request: HttpRequest, done: int, sentence: str) -> None:
    """Say what happened; nothing to do is no error (the double click, the colleague who was faster)."""
    if done:
        messages.success(request, sentence)
    else:
        messages.info(request, _("Non c'era nulla da fare: qualcuno ci aveva già pensato."))
