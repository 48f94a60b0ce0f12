"""The second factor: an app that makes codes, security keys, and recovery codes for when neither is at hand.

Whoever works in an office needs one where the installation says so (``MFA_REQUIRED``): it is not enough that the
account has one, the session must have shown it. Members are offered it.
"""

from __future__ import annotations

import ipaddress
from typing import cast

from allauth.account.authentication import get_authentication_records
from allauth.account.internal.flows.login import record_authentication
from allauth.core.internal.cryptokit import compare_user_code
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from allauth.mfa.utils import decrypt
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import urlencode

from members.current import AnyUser, is_staff
from members.models import User

Kind = Authenticator.Type
# Recovery codes stand in for one of these, and are nothing without.
FACTORS = [Kind.TOTP, Kind.WEBAUTHN]
FEW_CODES = 3
_LAST_STEP = "last_step"


def required(user: AnyUser) -> bool:
    """Whether this user does nothing in the office without."""
    return bool(settings.MFA_REQUIRED) and is_staff(user)


def enrolled(user: AnyUser) -> bool:
    return bool(Authenticator.objects.filter(user_id=user.pk, type__in=FACTORS).exists())


def shown(request: HttpRequest) -> bool:
    """Whether this very session has shown a second factor. Another may be from before there was one."""
    records = get_authentication_records(request, cast(User, request.user))
    return any(record["method"] == "mfa" for record in records)


def address_to_show(request: HttpRequest) -> str:
    """The page that asks for it, and leads back."""
    by_code = Authenticator.objects.filter(user_id=request.user.pk, type=Kind.TOTP).exists()
    page = reverse("mfa_reauthenticate" if by_code else "mfa_reauthenticate_webauthn")
    return f"{page}?{urlencode({'next': request.get_full_path()})}"


def show(request: HttpRequest, added: Authenticator) -> None:
    """It was shown by being added here."""
    record_authentication(request, cast(User, request.user), "mfa", id=added.pk, type=added.type)


def is_last(user: User) -> bool:
    """Whether the account has one factor and no more. The caller holds the user's row."""
    return bool(Authenticator.objects.filter(user_id=user.pk, type__in=FACTORS).count() == 1)


def codes_left(user: User) -> int | None:
    """How many recovery codes are unused; None without any."""
    codes = Authenticator.objects.filter(user_id=user.pk, type=Kind.RECOVERY_CODES).first()
    return len(codes.wrap().get_unused_codes()) if codes else None


@transaction.atomic
def accept(authenticator: Authenticator, code: str) -> bool:
    """Whether this is a code of the app, or an unused recovery code. Each counts once, of any number at the same time.

    allauth remembers in the cache which code of the app was used: not here, where the cache may be emptied or away.
    """
    if authenticator.type == Kind.RECOVERY_CODES:
        return bool(authenticator.wrap().validate_code(code))
    row = Authenticator.objects.select_for_update().get(pk=authenticator.pk)
    step = step_of(decrypt(row.data["secret"]), code)
    if step is None or step <= row.data.get(_LAST_STEP, 0):
        return False
    _use_up_to(row, step)
    return True


def step_of(secret: str, code: str) -> int | None:
    """The step of time that this code is of, around now."""
    steps = yield_hotp_counters_from_time()
    fitting = [s for s in steps if compare_user_code(actual=code, expected=format_hotp_value(hotp_value(secret, s)))]
    return max(fitting, default=None)


def used_when_added(authenticator: Authenticator, code: str) -> None:
    """The code by which the app was added does not let anybody in."""
    step = step_of(decrypt(authenticator.data["secret"]), code)
    if step is not None:
        _use_up_to(authenticator, step)


def keys_work_at(host: str) -> bool:
    """Security keys belong to a name: at a bare address, such as 127.0.0.1, browsers refuse them."""
    try:
        ipaddress.ip_address(host.rpartition(":")[0].strip("[]") or host)
    except ValueError:
        return True
    return False


def _use_up_to(row: Authenticator, step: int) -> None:
    row.data[_LAST_STEP] = step
    row.save(update_fields=["data"])
