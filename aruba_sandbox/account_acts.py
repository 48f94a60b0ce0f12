"""What the partner may do to a casella: suspend, cancel, give to another holder, and take it back."""

from datetime import datetime

from aruba_sandbox import accounts, clock, effects, owners
from aruba_sandbox.fields import Fields
from aruba_sandbox.models import Account
from aruba_sandbox.wire import invalid

AT_EXPIRY, NOW, AT_DATE = "S", "I", "D"


def suspend(body: Fields) -> Account:
    """Make a casella read-only."""
    account = accounts.get(body.text("name"), lock=True)
    if account.suspension_date:
        raise invalid("La casella è già sospesa.")
    account.suspension_date = clock.now()
    return changed(account, "suspend")


def suspend_undo(body: Fields) -> Account:
    """Make a suspended casella work again."""
    account = accounts.get(body.text("name"), lock=True)
    if not account.suspension_date:
        raise invalid("La casella non è sospesa.")
    account.suspension_date = None
    return changed(account, "suspend-undo")


def cancel(body: Fields) -> Account:
    """Ask for the end of a casella: when its contract expires (S), now (I) or on a date (D)."""
    account = accounts.get(body.text("name"), lock=True)
    kind = body.choice("type", (AT_EXPIRY, NOW, AT_DATE)) if body.has("type") else AT_EXPIRY
    when = _cancellation_date(account, kind, body)
    if (account.cancellation_type, account.cancellation_date) == (kind, when):
        raise invalid("La disdetta è già richiesta.")
    account.cancellation_type = kind
    account.cancellation_date = when
    if kind == NOW:
        account.closed_at = account.end_date = when
    return changed(account, "cancellation")


def cancel_undo(body: Fields) -> Account:
    """Take a cancellation back while its date has not come."""
    account = accounts.get(body.text("name"), lock=True)
    if not account.cancellation_date:
        raise invalid("La disdetta non è stata richiesta.")
    account.cancellation_type = ""
    account.cancellation_date = None
    return changed(account, "cancellation-undo")


def change_owner(body: Fields) -> Account:
    """Give a casella to another holder."""
    account = accounts.get(body.text("name"), lock=True)
    with accounts.mistaken_if_missing():
        account.owner = owners.get(body.integer("newOwnerId"))
    accounts.refuse_unfit(account.owner)
    account.recovery_email = accounts.recovery_email(body)
    if mobile := owners.telephone(body, "mobile"):
        account.owner.contacts = account.owner.contacts | {"mobile": mobile}
        account.owner.save(update_fields=["contacts"])
    return changed(account, "owner-change")


def changed(account: Account, call: str) -> Account:
    """Save what an act did, count it, and read again what the database derives from it."""
    account.save()
    account.refresh_from_db(fields=["status"])
    effects.record(call, account.name)
    return account


def _cancellation_date(account: Account, kind: str, body: Fields) -> datetime:
    if kind == AT_EXPIRY:
        return account.end_date
    if kind == NOW:
        return clock.now()
    when = body.moment("cancellationDate")
    if when <= clock.now():
        body.refuse("cancellationDate", "deve essere nel futuro", "Future")
    return when
