"""Where a member says which mails may come, and in which language all is said. Thin: translate and call."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods
from django.views.i18n import set_language

from audit.actors import Actor
from members import languages, preferences
from members.current import record_of, record_required
from members.models import Member

form_view = require_http_methods(["GET", "HEAD", "POST"])


class PreferencesForm(forms.Form):
    reminders = forms.BooleanField(
        label=gettext_lazy("Ricordami per e-mail che la casella PEC aspetta di essere accettata"), required=False
    )


@form_view
@never_cache
@record_required
def choose(request: HttpRequest, member: Member) -> HttpResponse:
    """*Avvisi per e-mail*: what always comes, and what one may do without."""
    form = PreferencesForm(request.POST if request.method == "POST" else None, initial=_initial(member))
    if request.method == "POST" and form.is_valid():
        preferences.set_reminders(member, form.cleaned_data["reminders"], Actor.of(request))
        messages.success(request, _("Abbiamo salvato la tua scelta."))
        return redirect("members:preferences")
    return render(request, "members/preferences.html", {"form": form, "member": member})


def _initial(member: Member) -> dict[str, bool]:
    return {"reminders": member.wants_reminders}


@form_view
@never_cache
def choose_language(request: HttpRequest) -> HttpResponse:
    """*Italiano | Deutsch*: in this browser, for whom it knows also in mails. Then back to where one was."""
    if request.method == "POST" and (record := record_of(request.user)):
        languages.keep(record, request.POST.get("language", ""), Actor.of(request))
    response: HttpResponse = set_language(request)
    return response


# A mail program asks without cookies, and knows no token but the one in the address (RFC 8058).
@csrf_exempt
@form_view
@never_cache
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """The link at the end of a reminder. Opening it changes nothing (mail scanners open links): a button does."""
    member = preferences.owner_of(token)
    if member and request.method == "POST":
        preferences.set_reminders(member, False, Actor.of(request))
    done = member is not None and (request.method == "POST" or not member.wants_reminders)
    context = {"known": member is not None, "done": done}
    return render(request, "members/unsubscribe.html", context, status=200 if member else 410)
