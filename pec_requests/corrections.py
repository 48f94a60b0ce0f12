"""Correcting a codice fiscale, here and at the provider; and what every correction of a person's record stands on.

A correction locks the records first and then their requests. The requests are not waited for: a worker that has one
may be about to want the record, so whoever corrects tries again a moment later.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db import IntegrityError, OperationalError, transaction
from django.utils.translation import gettext as _
from psycopg.errors import LockNotAvailable

from audit import log
from audit.actors import Actor
from members import access, tax_codes
from members.identification import every_member
from members.models import Member
from pec_requests import operations
from pec_requests.models import PecRequest, ProviderOperation
from pec_requests.provider.words import masked
from pec_requests.states import Kind, Status

State = ProviderOperation.State


class CorrectionRefused(Exception):
    """The record cannot be corrected like this. ``str()`` says to staff why, and what to do."""


class CodeTaken(CorrectionRefused):
    """Another record has the code. ``other`` is that record where it is of the same Ordine: the two can be merged."""

    def __init__(self, message: str, other: Member | None = None) -> None:
        super().__init__(message)
        self.other = other


@dataclass
class Locked:
    """Records by primary key, and all their requests, held until the end of the transaction."""

    members: dict[int, Member]
    requests: list[PecRequest]

    def of(self, member: Member) -> list[PecRequest]:
        """The requests of one of them."""
        return [r for r in self.requests if r.member_id == member.pk]


def lock(member_ids: Iterable[int]) -> Locked:
    """Lock these records of the scope, as far as they are there, and their requests. Read again under the lock."""
    rows = Member.objects.select_for_update(of=("self",)).select_related("ordine", "user")
    members = {m.pk: m for m in rows.filter(pk__in=list(member_ids)).order_by("pk")}
    try:
        requests = list(
            PecRequest.objects.select_for_update(of=("self",), nowait=True)
            .select_related("member__ordine", "domain")
            .filter(member__in=members)
            .order_by("pk")
        )
    except OperationalError as error:
        if not isinstance(error.__cause__, LockNotAvailable):
            raise
        raise CorrectionRefused(
            _("Proprio ora il sistema sta lavorando alla casella di questa persona: riprovare tra un momento.")
        ) from error
    return Locked(members, requests)


@transaction.atomic
def correct_tax_code(member_id: int, text: str, actor: Actor) -> bool:
    """Give a member another codice fiscale, and have the provider follow. False where the member has it already."""
    code, locked = tax_codes.normalise(text), lock([member_id])
    member = locked.members.get(member_id)
    if member is None or member.tax_code == code:
        return False
    behind = check_tax_code(member, code, locked.requests)
    old = member.tax_code
    _rename(member, code)
    log.record(
        "member.tax_code_corrected",
        actor,
        member,
        person=member.pk,
        ordine=member.ordine.code,
        old=masked(old),
        new=masked(code),
    )
    tell_provider(behind, old)
    return True


def check_tax_code(member: Member, code: str, requests: Iterable[PecRequest]) -> list[PecRequest]:
    """Raise ``CorrectionRefused`` where the member cannot have this code; else the requests that the provider must
    correct as well.
    """
    if not tax_codes.is_valid(code):
        raise CorrectionRefused(_("Il codice fiscale non è valido: controlla i 16 caratteri."))
    if member.user and member.user.works_in_office:
        raise CorrectionRefused(access.identity_of_staff())
    # In the whole installation, beyond the scope of this office.
    other = every_member().filter(tax_code=code).exclude(pk=member.pk).first()
    if other is not None and other.ordine_id != member.ordine_id:
        raise CodeTaken(_("Questa persona appartiene a un altro Ordine: chiedere il trasferimento."))
    if other is not None:
        raise CodeTaken(_taken(), other)
    return to_correct_there(requests)


def to_correct_there(requests: Iterable[PecRequest]) -> list[PecRequest]:
    """Of a person whose code changes, the requests whose holder the provider must correct too.

    ``CorrectionRefused`` where it would not, or where something is under way: that was begun with the code as it is.
    """
    requests = list(requests)
    unsettled = list(ProviderOperation.objects.filter(request__in=requests, state__in=ProviderOperation.UNSETTLED))
    found = []
    for request in requests:
        under_way = [o for o in unsettled if o.request_id == request.pk]
        untouched = request.status == Status.RICHIESTA and not any(o.look_first for o in under_way)
        if untouched:
            continue  # the mailbox will be created with whatever code the record has by then
        if request.is_live and (request.status in (Status.ATTIVO, Status.SOSPESO) or request.accepted_at):
            raise CorrectionRefused(_too_late(request))
        if under_way:
            raise CorrectionRefused(_under_way(request, under_way))
        if request.is_live:
            found.append(request)
    return found


def tell_provider(requests: Iterable[PecRequest], old: str) -> None:
    """Have the provider correct the holder of these mailboxes, whom it knows by the old code."""
    requests = list(requests)
    operations.enqueue(requests, Kind.TAX_CODE, former_tax_codes={r.pk: old for r in requests})


def take_back(request: PecRequest, operation: ProviderOperation, actor: Actor) -> bool:
    """The provider has refused the correction and staff give it up: the record has its old code again.

    False where another record has taken it meanwhile. The request is locked by the caller.
    """
    member, old = request.member, operation.former_tax_code
    refused = member.tax_code
    if every_member().filter(tax_code=old).exclude(pk=member.pk).exists():
        return False
    _rename(member, old)
    log.record(
        "member.tax_code_restored",
        actor,
        member,
        person=member.pk,
        ordine=member.ordine.code,
        old=masked(refused),
        new=masked(old),
    )
    return True


def _rename(member: Member, code: str) -> None:
    member.tax_code = code
    try:
        with transaction.atomic():
            member.save(update_fields=["tax_code", "tax_code_mismatch", "search_key", "email_problem"])
    except IntegrityError as error:
        raise CodeTaken(_taken()) from error


def _taken() -> str:
    return _("Questo codice fiscale lo ha già un'altra scheda: se è la stessa persona, unirle.")


def _too_late(request: PecRequest) -> str:
    return _(
        "La casella %(address)s è già stata accettata: il gestore non corregge più i dati del titolare. Cessare la "
        "casella, correggere il codice e richiederne una nuova, che avrà un altro indirizzo."
    ) % {"address": request.address}


def _under_way(request: PecRequest, under_way: list[ProviderOperation]) -> str:
    detail = {"address": request.address, "kind": under_way[0].get_kind_display()}
    if any(o.state == State.ATTENTION for o in under_way):
        return _("Per la casella %(address)s c'è un'operazione da verificare (%(kind)s): risolverla prima.") % detail
    return _("Per la casella %(address)s c'è un'operazione in corso (%(kind)s): attendere che finisca.") % detail
