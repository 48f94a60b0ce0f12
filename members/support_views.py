"""The way out of a look as a member."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import rotate_token
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from audit.actors import Actor
from members import support
from members.models import SupportView


@require_POST
@never_cache
def end(request: HttpRequest) -> HttpResponse:
    """**Termina**: back to the record in the office."""
    view: SupportView | None = getattr(request, "support_view", None)
    if view is None:
        return redirect("home")
    support.end(view, _("terminata"), Actor.of(request))
    request.session.pop(support.SESSION_KEY, None)
    # A form that another tab still shows was the member's: nothing of it may reach one's own record.
    rotate_token(request)
    return redirect("admin:members_member_change", view.member_id)
