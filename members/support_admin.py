"""Where the office asks to look as a member: with a reason, which the member reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django import forms
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from audit.actors import Actor
from members import support
from members.models import Member

if TYPE_CHECKING:
    from members.admin import MemberAdmin


class SupportForm(forms.Form):
    """Why."""

    reason = forms.CharField(
        label=gettext_lazy("Motivo"),
        max_length=300,
        help_text=gettext_lazy("Ad esempio: ha telefonato perché non trova la casella. L'iscritto lo legge."),
        widget=forms.Textarea(attrs={"rows": 3}),
        error_messages={"required": gettext_lazy("Indicare il motivo.")},
    )


def see_as(office: MemberAdmin, request: HttpRequest, member: Member) -> HttpResponse:
    """Ask for the reason, then show the portal as the member sees it."""
    form = SupportForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        view = support.begin(member, request.user, form.cleaned_data["reason"], Actor.of(request))
        request.session[support.SESSION_KEY] = view.pk
        return redirect("members:record")
    text = _(
        "Per %(minutes)d minuti si vedono le pagine di %(name)s come le vede, senza poter cambiare nulla e senza le "
        "pagine della sicurezza. Ogni pagina aperta resta nel registro; %(name)s riceve un'e-mail e lo legge nella "
        "Scheda Anagrafica."
    ) % {"minutes": settings.SUPPORT_VIEW_MINUTES, "name": member.full_name}
    return office.confirm_page(request, member, _("Vedi come questo iscritto"), text, form=form)
