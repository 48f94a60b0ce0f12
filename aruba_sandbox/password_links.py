"""Links to set a password: issued for the recovery address, good once and for a while, the newest one only."""

import hashlib
import secrets
from datetime import timedelta
from enum import Enum

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db import transaction

from aruba_sandbox import background, clock, letters
from aruba_sandbox.models import Account, PasswordLink

HOURS = {
    PasswordLink.Purpose.FIRST: settings.FIRST_LINK_HOURS,
    PasswordLink.Purpose.RESET: settings.RESET_LINK_HOURS,
}


class Dead(Enum):
    """Why a link no longer works, as its page says it."""

    UNKNOWN = "Questo collegamento non esiste: forse è stato copiato solo in parte."
    USED = "Questo collegamento è già stato usato: vale una volta sola."
    SUPERSEDED = "Questo collegamento è stato sostituito da uno più recente: usa l'ultimo messaggio ricevuto."
    EXPIRED = "Questo collegamento è scaduto."
    CLOSED = "La casella di questo collegamento non è più attiva."


def issue(account: Account, purpose: PasswordLink.Purpose) -> None:
    """Make a link, void the earlier ones, and mail it once the transaction holds."""
    secret = secrets.token_urlsafe(32)
    now = clock.now()
    account.password_links.filter(used_at=None, superseded_at=None).update(superseded_at=now)
    link = PasswordLink.objects.create(
        account=account,
        digest=_digest(secret),
        purpose=purpose,
        expires_at=now + timedelta(hours=HOURS[purpose]),
    )
    letter = letters.password_link(link, f"{settings.SANDBOX_URL}/password/{secret}/")
    transaction.on_commit(lambda: background.later(letter.send))


def look_up(secret: str) -> PasswordLink | Dead:
    """The link with this secret, or why there is none that works."""
    link = PasswordLink.objects.select_related("account__owner").filter(digest=_digest(secret)).first()
    if link is None:
        return Dead.UNKNOWN
    return _why_dead(link) or link


@transaction.atomic
def redeem(secret: str, password: str) -> Account | Dead:
    """Set the password and use the link up; of two at once, one wins."""
    link = PasswordLink.objects.select_for_update(of=("self",)).filter(digest=_digest(secret)).first()
    if link is None:
        return Dead.UNKNOWN
    if dead := _why_dead(link):
        return dead
    link.used_at = clock.now()
    link.save(update_fields=["used_at"])
    link.account.password = make_password(password)
    link.account.save(update_fields=["password"])
    return link.account


def _why_dead(link: PasswordLink) -> Dead | None:
    if not link.account.is_open(clock.now()):
        return Dead.CLOSED
    if link.used_at:
        return Dead.USED
    if link.superseded_at:
        return Dead.SUPERSEDED
    return Dead.EXPIRED if link.expires_at <= clock.now() else None


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
