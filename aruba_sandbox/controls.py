"""Controls for tests, open only with ``SANDBOX_CONTROLS=1``; without it they are not there at all."""

from collections.abc import Callable
from http import HTTPStatus

from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.urls import URLPattern, path

from aruba_sandbox import accounts, auth, background, clock, effects, faults, owners, representations
from aruba_sandbox.fields import Fields
from aruba_sandbox.models import Account, Effect, LoginThrottle, Mail, Owner, PasswordLink
from aruba_sandbox.wire import ApiError

_LONGEST_LEAP = 10 * 365 * 24 * 3600
# In the order in which they can be emptied.
_KEEPERS = (PasswordLink, Account, Owner, LoginThrottle, Mail, Effect, Session)

Control = Callable[[HttpRequest], object]


def control(**by_method: Control) -> Callable[[HttpRequest], HttpResponse]:
    """A control's view: JSON in, JSON out, mistakes as one sentence."""

    def view(request: HttpRequest) -> HttpResponse:
        if not settings.SANDBOX_CONTROLS:
            raise Http404
        act = by_method.get(request.method or "")
        if act is None:
            return _mistake("Metodo non ammesso.", HTTPStatus.METHOD_NOT_ALLOWED)
        try:
            return JsonResponse(act(request), safe=False)
        except ApiError as error:
            return _mistake(error.description, error.status)

    return view


def order_fault(request: HttpRequest) -> object:
    """Let something go wrong from now on."""
    fault = faults.Fault.parse(Fields.parse(request.body))
    faults.PLAN.add(fault)
    return fault.as_json()


def list_faults(_request: HttpRequest) -> object:
    """What will still go wrong."""
    return [fault.as_json() for fault in faults.PLAN.waiting()]


def clear_faults(_request: HttpRequest) -> object:
    """Let nothing go wrong any more."""
    faults.PLAN.clear()
    return {}


def list_accounts(_request: HttpRequest) -> object:
    """Every live casella."""
    return [
        {
            "name": account.name,
            "taxCode": account.owner.tax_code,
            "owner": {"id": account.owner_id, "taxCode": account.owner.tax_code},
            "status": account.status,
            "recoveryEmail": account.recovery_email,
            **representations.dates(account),
        }
        for account in accounts.live().order_by("id")
    ]


def count_calls(_request: HttpRequest) -> object:
    """How often each call changed something, by address."""
    return effects.counts()


def reset(_request: HttpRequest) -> object:
    """Everything empty, the clock right, no faults."""
    faults.PLAN.clear()
    clock.reset()
    background.wait_until_idle()
    with transaction.atomic():
        for model in _KEEPERS:
            model._default_manager.all().delete()
    return {}


def revoke_tokens(_request: HttpRequest) -> object:
    """Let no token be good any more."""
    auth.revoke_all()
    return {}


def label_owner(request: HttpRequest) -> object:
    """Put a label, such as "Da bonificare", on a holder or take it off."""
    body = Fields.parse(request.body)
    owner = owners.find(body)
    owner.label = body.optional_text("label", most=30)
    owner.save(update_fields=["label"])
    return representations.owner(owner)


def advance_clock(request: HttpRequest) -> object:
    """Move the sandbox's time forward."""
    clock.advance(Fields.parse(request.body).number("advance_seconds", least=0, most=_LONGEST_LEAP))
    return {"now": clock.now().isoformat()}


def urls() -> list[URLPattern]:
    """The controls' addresses."""
    return [
        path("_sandbox/faults", control(GET=list_faults, POST=order_fault, DELETE=clear_faults)),
        path("_sandbox/accounts", control(GET=list_accounts)),
        path("_sandbox/calls", control(GET=count_calls)),
        path("_sandbox/reset", control(POST=reset)),
        path("_sandbox/tokens/revoke", control(POST=revoke_tokens)),
        path("_sandbox/owners/label", control(POST=label_owner)),
        path("_sandbox/clock", control(POST=advance_clock)),
    ]


def _mistake(sentence: str, status: int) -> HttpResponse:
    return JsonResponse({"error": sentence}, status=status)
