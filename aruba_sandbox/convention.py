"""The calls of the convention, which are not in the public API: activate, password reset, recovery address."""

from django.db import transaction
from django.db.models import Q, QuerySet

from aruba_sandbox import accounts, addresses, clock, effects, password_links, tax_code
from aruba_sandbox.account_acts import changed
from aruba_sandbox.fields import Fields
from aruba_sandbox.models import Account, PasswordLink
from aruba_sandbox.wire import invalid


def activate(body: Fields) -> Account:
    """Certify a casella and mail its holder a link to the first password."""
    account = accounts.get(body.text("name"), lock=True)
    if account.certification_date:
        raise invalid("La casella è già certificata.")
    if account.cancellation_date:
        raise invalid("Per la casella è stata richiesta la disdetta.")
    account.certification_date = clock.now()
    changed(account, "activate")
    password_links.issue(account, PasswordLink.Purpose.FIRST)
    return account


def reset_password(body: Fields) -> dict[str, str]:
    """Mail the holder a link to a new password, and say where to, masked."""
    account = accounts.get(body.text("name"), lock=True)
    if tax_code.normalise(body.text("taxCode")) != account.owner.tax_code:
        body.refuse("taxCode", "non è il codice fiscale del titolare", "Mismatch")
    if not account.certification_date:
        raise invalid("La casella non è ancora certificata.")
    password_links.issue(account, PasswordLink.Purpose.RESET)
    effects.record("password-reset", account.name)
    return {"sentTo": addresses.masked(account.recovery_email)}


def reset_goes_to(name: str, holder_code: str) -> str:
    """Where the reset page says that it mails the link, masked; whoever guesses wrong sees an address as well."""
    decoy = addresses.decoy(name, tax_code.normalise(holder_code))
    account = _of_holder(name, holder_code).first()
    return addresses.masked(account.recovery_email) if account else decoy


@transaction.atomic
def reset_password_of_holder(name: str, holder_code: str) -> None:
    """What the reset page asks for: nothing happens unless address and holder match."""
    if account := _of_holder(name, holder_code).select_for_update(of=("self",)).first():
        password_links.issue(account, PasswordLink.Purpose.RESET)


def change_recovery_email(body: Fields) -> Account:
    """Mail password links to another address from now on."""
    account = accounts.get(body.text("name"), lock=True)
    email = accounts.recovery_email(body)
    if email == account.recovery_email:
        return account
    account.recovery_email = email
    return changed(account, "recovery-email")


def _of_holder(name: str, holder_code: str) -> QuerySet[Account]:
    code = tax_code.normalise(holder_code)
    theirs = Q(owner__tax_code=code) | Q(owner__vat_number=code)
    return accounts.live().filter(theirs, name=name, certification_date__isnull=False)
