"""What each operation does at the provider. Runs in threads: no database here, only calls.

Where an earlier call may have had its effect, every operation looks before it acts, so that no effect happens twice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.conf import settings
from django.utils.translation import gettext as _

from pec_requests.models import PecRequest
from pec_requests.operations import Claim
from pec_requests.provider import Holder, Mailbox, MailboxStatus, Provider, Refused, deadline
from pec_requests.states import Kind


@dataclass(frozen=True)
class Done:
    """The effect is there. ``result``: what the provider said of it, where that is worth keeping."""

    result: str = ""


@dataclass(frozen=True)
class AddressTaken:
    """The address belongs to somebody else at the provider."""


@dataclass(frozen=True)
class NeverRepeat:
    """Nobody knows whether an earlier try had its effect, and it must not be tried again."""


Outcome = Done | AddressTaken | NeverRepeat


def perform(claim: Claim, provider: Provider) -> Outcome:
    """Carry out a claimed operation, well within its lease. Raises ``ProviderError``."""
    with deadline(settings.PROVIDER_OPERATION_SECONDS):
        return _ACTS[Kind(claim.operation.kind)](claim, provider)


def _create(claim: Claim, provider: Provider) -> Outcome:
    request = claim.operation.request
    tax_code = request.member.tax_code
    if not request.is_live:
        return Done()  # it ended meanwhile: nothing to create, and what may be there is closed by the operation behind
    if claim.look_first and (mailbox := provider.find(request.address)):
        return _ours_or_taken(mailbox, tax_code)
    available = provider.availability(request.address, tax_code)
    if available.exists and (mailbox := provider.find(request.address)):
        return _ours_or_taken(mailbox, tax_code)
    if not available.assignable:
        return AddressTaken()
    try:
        provider.create(request.address, _holder(request), request.recovery_email)
    except Refused:
        # Somebody may have taken the address between the two calls: that is no refusal of this person.
        mailbox = provider.find(request.address)
        if mailbox is None:
            raise
        return _ours_or_taken(mailbox, tax_code)
    return Done()


def _ours_or_taken(mailbox: Mailbox, tax_code: str) -> Outcome:
    if not mailbox.holder_tax_code:
        raise Refused(_("Il gestore non dice chi è il titolare della casella %(name)s.") % {"name": mailbox.name})
    if mailbox.holder_tax_code != tax_code:
        return AddressTaken()
    if mailbox.closing:
        raise Refused(_("Presso il gestore la casella %(name)s dell'iscritto è in disdetta.") % {"name": mailbox.name})
    return Done()


def _holder(request: PecRequest) -> Holder:
    member = request.member
    return Holder(
        tax_code=member.tax_code,
        name=member.name,
        surname=member.surname,
        email=request.recovery_email,
        address=member.address,
        town=member.town,
        postcode=member.postcode,
        province=member.province,
        mobile=member.mobile,
    )


def _activate(claim: Claim, provider: Provider) -> Outcome:
    return _bring_about(claim, provider, lambda box: box.status == MailboxStatus.CERTIFIED, provider.activate)


def _suspend(claim: Claim, provider: Provider) -> Outcome:
    return _bring_about(claim, provider, lambda box: box.suspended, provider.suspend)


def _resume(claim: Claim, provider: Provider) -> Outcome:
    return _bring_about(claim, provider, lambda box: not box.suspended, provider.resume)


def _tax_code(claim: Claim, provider: Provider) -> Outcome:
    """Always looks first: only the code that this person had before is replaced, and never anybody else's."""
    request, old = claim.operation.request, claim.operation.former_tax_code
    new = request.member.tax_code
    if _own(provider, request.address, old, new).holder_tax_code == new:
        return Done()
    try:
        provider.correct_tax_code(old, new)
    except Refused:
        if _own(provider, request.address, old, new).holder_tax_code != new:
            raise
    return Done()


def _recovery_email(claim: Claim, provider: Provider) -> Outcome:
    wanted = claim.operation.recovery_email
    return _bring_about(
        claim,
        provider,
        lambda box: box.recovery_email == wanted,
        lambda name: provider.change_recovery_email(name, wanted),
    )


def _bring_about(
    claim: Claim, provider: Provider, there: Callable[[Mailbox], bool], act: Callable[[str], object]
) -> Outcome:
    """Act once, unless the effect is there already. A refusal may mean just that, so look before believing it."""
    name, tax_code = claim.operation.request.address, claim.operation.request.member.tax_code
    if claim.look_first and there(_own(provider, name, tax_code)):
        return Done()
    try:
        act(name)
    except Refused:
        if there(_own(provider, name, tax_code)):
            return Done()
        raise
    return Done()


def _own(provider: Provider, name: str, *tax_codes: str) -> Mailbox:
    mailbox = provider.find(name)
    if mailbox is None:
        raise Refused(_("Presso il gestore la casella %(name)s non esiste più.") % {"name": name})
    if mailbox.holder_tax_code not in tax_codes:
        raise Refused(_("Presso il gestore la casella %(name)s ha un altro titolare.") % {"name": name})
    return mailbox


def _reset(claim: Claim, provider: Provider) -> Outcome:
    if claim.look_first:
        return NeverRepeat()
    request = claim.operation.request
    return Done(provider.reset_password(request.address, request.member.tax_code))


def _close(claim: Claim, provider: Provider) -> Outcome:
    """Always looks first: closing is for good, and must never touch a mailbox of somebody else."""
    request = claim.operation.request
    mailbox = provider.find(request.address)
    if mailbox is None or mailbox.closing:
        return Done()
    # Whether a correction of the code came through before the end, nobody may know.
    if mailbox.holder_tax_code not in {request.member.tax_code, claim.operation.former_tax_code} - {""}:
        if request.is_live:
            raise Refused(_("Presso il gestore la casella %(name)s ha un altro titolare.") % {"name": request.address})
        return Done()
    try:
        provider.close(request.address)
    except Refused:
        # An earlier try may have come through between the two calls.
        mailbox = provider.find(request.address)
        if mailbox is not None and not mailbox.closing:
            raise
    return Done()


_ACTS: dict[Kind, Callable[[Claim, Provider], Outcome]] = {
    Kind.CREATE: _create,
    Kind.ACTIVATE: _activate,
    Kind.TAX_CODE: _tax_code,
    Kind.RESET: _reset,
    Kind.RECOVERY_EMAIL: _recovery_email,
    Kind.SUSPEND: _suspend,
    Kind.RESUME: _resume,
    Kind.CLOSE: _close,
}
