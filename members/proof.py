"""Whether somebody has just proved who they are: asked before an act that could give an account away, or do harm.

A session is not enough: it may be one that was left open on another's telephone. This is the one place that answers,
and the one that says which acts ask. The password, typed again, proves it; or a second factor; or SPID and CIE.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from typing import cast

from allauth.core.exceptions import ImmediateHttpResponse
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode

from audit import log
from audit.actors import Actor
from members.models import User
from members.session_store import entered_at

_KEY = "proved_at"
# Time to read what the form answers, and to send it again.
SECONDS = 300
# Pages of the office that were opened with a proof, and how long their forms may be filled in.
_OPENED_KEY = "proved_pages"
_FORM_SECONDS = 900

# What staff must prove who they are for, by the permission that it takes: ``require_permission`` asks, or
# ``proof_first`` before a whole page. Whoever has come in within ``SECONDS`` has proved it.
DELICATE = frozenset(
    {
        "pec_requests.suspend_pec",
        "pec_requests.close_pec",
        "pec_requests.correct_tax_code",
        "pec_requests.merge_members",
        "pec_requests.transfer_member",
        "pec_requests.cancel_enrolment",
        "pec_requests.settle_alarm",
        "members.print_code",
        "members.export_lists",
        "members.manage_staff",
        "members.see_as_member",
        "members.lift_lock",
    }
)


def has_just_proved(request: HttpRequest) -> bool:
    """Whether this session's user has proved it within ``SECONDS``, and has not used it up."""
    return 0 <= time.time() - float(request.session.get(_KEY, 0)) < SECONDS


def has_just_come_in_or_proved(request: HttpRequest) -> bool:
    """The same for the office, where it is not used up, and coming in counts as well."""
    entered = entered_at(request.session)
    return has_just_proved(request) or (entered is not None and 0 <= time.time() - entered.timestamp() < SECONDS)


def require(request: HttpRequest) -> None:
    """Off to prove it, unless that has just been done; then back here.

    Who has opened a page in time has some more to fill in its form, and loses nothing of it. (allauth would keep the
    form, and go on with it by itself: outside the scope of the office, where there is nobody to act on.)
    """
    now, path = time.time(), request.path
    opened: dict[str, float] = request.session.get(_OPENED_KEY, {})
    if has_just_come_in_or_proved(request):
        if request.method == "GET":
            still = {page: at for page, at in opened.items() if now - at < _FORM_SECONDS}
            request.session[_OPENED_KEY] = {**still, path: now}
    elif request.method != "POST" or now - opened.get(path, 0) >= _FORM_SECONDS:
        back = urlencode({"next": request.get_full_path()})
        raise ImmediateHttpResponse(redirect(f"{reverse('account_reauthenticate')}?{back}"))


def require_for(request: HttpRequest, permission: str) -> None:
    """The same where the permission is for something delicate."""
    if permission in DELICATE:
        require(request)


def proof_first(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """For a whole page, such as those about staff accounts; of a class, through ``method_decorator``."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        require(request)
        return view(request, *args, **kwargs)

    return cast("Callable[..., HttpResponse]", guarded)


def by_password(request: HttpRequest, password: str) -> bool:
    """The portal's password, typed again: remembered where it is right."""
    user = cast(User, request.user)
    right, record = user.check_password(password), user.record
    person, ordine = (record.pk, record.ordine.code) if record else (None, "")
    action = "access.proved" if right else "access.proof_failed"
    log.record(action, Actor.of(request), record, person=person, ordine=ordine)
    if right:
        remember(request)
    return right


def remember(request: HttpRequest) -> None:
    """It has been proved now; from here on under another key, of which whoever had the last one has nothing."""
    request.session.cycle_key()
    request.session[_KEY] = time.time()


def use_up(request: HttpRequest) -> None:
    """One proof is good for one act."""
    request.session.pop(_KEY, None)
