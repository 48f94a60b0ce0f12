"""Logging in as a holder: the password, and a pause after too many wrong ones."""

from datetime import timedelta
from enum import Enum

from django.conf import settings
from django.contrib.auth.hashers import check_password, make_password
from django.db import transaction

from aruba_sandbox import accounts, clock
from aruba_sandbox.models import Account, LoginThrottle


class Refused(Enum):
    """Why a login failed, in words that do not tell which addresses exist."""

    WRONG = "Casella PEC o password non corretti."
    BLOCKED = f"Troppi tentativi di accesso non riusciti: riprova tra {settings.LOGIN_BLOCK_MINUTES} minuti."


@transaction.atomic
def log_in(name: str, password: str) -> Account | Refused:
    """The casella, if the password is right; an address nobody has takes as long and counts the same."""
    LoginThrottle.objects.get_or_create(address=name)
    throttle = LoginThrottle.objects.select_for_update().get(address=name)
    if throttle.blocked_until and throttle.blocked_until > clock.now():
        return Refused.BLOCKED
    account = accounts.live().exclude(password="").filter(name=name).first()
    if check_password(password, account.password if account else make_password(None)) and account:
        throttle.failures = 0
        throttle.save()
        return account
    _count_failure(throttle)
    return Refused.WRONG


def _count_failure(throttle: LoginThrottle) -> None:
    throttle.failures += 1
    if throttle.failures >= settings.LOGIN_ATTEMPTS:
        throttle.failures = 0
        throttle.blocked_until = clock.now() + timedelta(minutes=settings.LOGIN_BLOCK_MINUTES)
    throttle.save()
