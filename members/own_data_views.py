"""*I miei dati*: all that the portal holds about the member, as a file. Thin: who it is, then the file."""

from __future__ import annotations

from django.core.serializers.json import DjangoJSONEncoder
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from audit.actors import Actor
from members import own_data, passwordless, proof, throttle
from members.current import record_required
from members.forms import OwnDataForm
from members.models import Member

# To collect all of it is some work, and nobody needs it again at once.
OWN_DATA = throttle.Rule("own-data", per_caller=throttle.Limit(20, 3600), per_person=throttle.Limit(5, 3600))


@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@record_required
def take(request: HttpRequest, member: Member) -> HttpResponse:
    """Who one is, again, and in which form; the answer is the file."""
    if passwordless.must_prove(request):
        return passwordless.ask(request)
    if request.method == "POST" and not throttle.allow(request, throttle.PROOF, str(request.user.pk)):
        return throttle.refusal(request, throttle.PROOF.per_person.seconds)
    form = OwnDataForm(request.POST if request.method == "POST" else None, request=request)
    if request.method == "POST" and form.is_valid():
        if not throttle.allow(request, OWN_DATA, str(member.pk)):
            return throttle.refusal(request, OWN_DATA.per_person.seconds)
        response = _file(member, form.cleaned_data["form"])
        own_data.note(member, form.cleaned_data["form"], Actor.of(request))
        proof.use_up(request)
        return response
    return render(request, "members/own_data.html", {"form": form})


def _file(member: Member, form: str) -> HttpResponse:
    tables = own_data.collect(member)
    if form == "json":
        data = own_data.as_json(member, tables)
        response: HttpResponse = JsonResponse(
            data, encoder=DjangoJSONEncoder, json_dumps_params={"ensure_ascii": False, "indent": 1}
        )
    else:
        context = {"member": member, "tables": tables, "made_at": timezone.now()}
        response = HttpResponse(render_to_string("members/own_data_file.html", context))
    name = f"{_('i-miei-dati')}-{timezone.localdate():%Y-%m-%d}.{form}"
    response["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=name)
    return response
