"""What the register and the provider say of one address, and in what they differ. No calls, and nothing is written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.utils.translation import gettext as _

from members import emails
from pec_requests.models import Difference, PecRequest, ProviderOperation
from pec_requests.provider import Mailbox, MailboxStatus
from pec_requests.provider.words import masked
from pec_requests.states import FINAL, LIVE, MOVES, Kind, Status, move_by

State = ProviderOperation.State
What = Difference.Kind
Repair = Difference.Repair


@dataclass(frozen=True)
class Standing:
    """The register on one address: its live request, else its last, and every operation there (id, kind, state).

    Two that are equal mean that nothing happened here in between.
    """

    request_id: int
    member_id: int
    status: str
    recovery_email: str
    tax_code: str
    operations: tuple[tuple[int, str, str], ...] = ()

    def moves(self, kind: str, *states: str) -> bool:
        """Whether an operation of this kind is not settled (or is in one of these states)."""
        return any(k == kind and s in (states or ProviderOperation.UNSETTLED) for _id, k, s in self.operations)


@dataclass(frozen=True)
class Finding:
    """One difference; ``repair`` where the portal may mend it by itself."""

    kind: What
    here: str = ""
    there: str = ""
    repair: Repair | None = None


def standings(addresses: Iterable[str]) -> dict[str, Standing]:
    """The register on these addresses, without operations."""
    rows = PecRequest.objects.filter(address__in=list(addresses)).order_by("id")
    fields = ("address", "pk", "member_id", "status", "recovery_email", "member__tax_code")
    found: dict[str, Standing] = {}
    for address, *values in rows.values_list(*fields):
        standing = Standing(*values)
        if address not in found or found[address].status not in LIVE:
            found[address] = standing
    return found


def standing_now(address: str) -> Standing | None:
    """The register on one address, with its operations."""
    known = standings([address]).get(address)
    if known is None:
        return None
    there = ProviderOperation.objects.filter(request__address=address).order_by("id")
    return Standing(
        known.request_id,
        known.member_id,
        known.status,
        known.recovery_email,
        known.tax_code,
        tuple(there.values_list("pk", "kind", "state")),
    )


def fits(status: str, box: Mailbox | None) -> bool:
    """Whether this is what the provider should have for a request in this status."""
    if box is None:
        return status == Status.RICHIESTA or status in FINAL
    if status in FINAL:
        return box.closing
    wanted = {
        Status.NON_ATTIVO: (MailboxStatus.TO_CERTIFY, False),
        Status.ATTIVO: (MailboxStatus.CERTIFIED, False),
        Status.SOSPESO: (MailboxStatus.CERTIFIED, True),
    }
    return wanted.get(Status(status)) == (box.status, box.suspended)


def compare(box: Mailbox | None, standing: Standing | None) -> list[Finding]:
    """In what they differ, leaving out what an operation that is not settled accounts for."""
    if standing is None:
        return [Finding(What.MISSING_HERE, there=words(box))] if box and not box.closing else []
    if box is None:
        absent = not fits(standing.status, None) and not standing.moves(Kind.CLOSE)
        return [Finding(What.MISSING_THERE, here=_label(standing))] if absent else []
    if box.holder_tax_code and box.holder_tax_code != standing.tax_code:
        return _held_by_another(box, standing)
    return [*_other_status(box, standing), *_other_recovery_email(box, standing)]


def words(box: Mailbox | None) -> str:
    """The state of a mailbox in the provider's words."""
    if box is None:
        return ""
    text = box.status_text or box.status.value or _("uno stato che il portale non conosce")
    return _("%(status)s, sospesa") % {"status": text} if box.suspended else text


def sentence(difference: Difference) -> str:
    """A difference, for staff."""
    detail = {"here": difference.here, "there": difference.there}
    match What(difference.kind):
        case What.MISSING_THERE:
            return _("Nel registro la casella è %(here)s, ma il gestore non ce l'ha.") % detail
        case What.MISSING_HERE:
            return _("Il gestore ha questa casella (%(there)s), che il registro non conosce.") % detail
        case What.STATUS:
            return _("Nel registro la casella è %(here)s, presso il gestore è «%(there)s».") % detail
        case What.RECOVERY_EMAIL:
            return _("L'email di recupero è %(here)s nel registro e %(there)s presso il gestore.") % detail
        case What.HOLDER:
            return _("Presso il gestore il titolare è un'altra persona: %(there)s e non %(here)s.") % detail


def _held_by_another(box: Mailbox, standing: Standing) -> list[Finding]:
    """Nobody's mailbox but the holder's: always for a person. A creation that meets it takes the next address."""
    ended = standing.status in FINAL and box.closing
    giving_way = standing.status == Status.RICHIESTA and standing.moves(Kind.CREATE)
    if ended or giving_way or standing.moves(Kind.TAX_CODE):
        return []
    return [Finding(What.HOLDER, masked(standing.tax_code), masked(box.holder_tax_code))]


def _other_status(box: Mailbox, standing: Standing) -> list[Finding]:
    repair = _repair_of_status(box, standing)
    if fits(standing.status, box) or (_on_its_way(box, standing) and repair is not Repair.RETRY):
        return []
    return [Finding(What.STATUS, _label(standing), words(box), repair)]


def _on_its_way(box: Mailbox, standing: Standing) -> bool:
    """An operation that is not settled leads, or has led, to just what the provider has."""
    if standing.status in FINAL:
        return standing.moves(Kind.CLOSE)
    leaving = [m for m in MOVES if m.source == standing.status and m.operation and standing.moves(m.operation)]
    return any(fits(m.target, box) for m in leaving)


def _repair_of_status(box: Mailbox, standing: Standing) -> Repair | None:
    """What the portal may do by itself, where the holder is surely ours. A mailbox is a legal domicile: when in doubt,
    nothing.

    * The provider is closing it and closing is a way out of our status: it has ended here too. Not for "Richiesta
      Disdetta Sospesa", which may also mean that the closing is on hold, nor for a mailbox that is merely not found.
    * It has ended here before anybody could use it, and is still there, never certified: close it there. One that was
      certified may hold messages.
    * Creating it was given up on, and it is there: the creation looks, finds it, and the request goes on.
    """
    if box.holder_tax_code != standing.tax_code:
        return None
    if box.status is MailboxStatus.CLOSING and move_by(Kind.CLOSE, standing.status):
        return Repair.FOUND_CLOSED
    if standing.status in FINAL and box.status is MailboxStatus.TO_CERTIFY:
        return Repair.CLOSE
    if standing.status == Status.RICHIESTA and not box.closing and standing.moves(Kind.CREATE, State.ATTENTION):
        return Repair.RETRY
    return None


def _other_recovery_email(box: Mailbox, standing: Standing) -> list[Finding]:
    """The register decides: members change it here, with a confirmation. Safe to mend, where we know the holder."""
    settled = standing.status in LIVE and standing.status != Status.RICHIESTA and not box.closing
    there, here = box.recovery_email, standing.recovery_email
    if not settled or there is None or emails.same(there, here) or standing.moves(Kind.RECOVERY_EMAIL):
        return []
    safe = box.holder_tax_code == standing.tax_code and not emails.problem(here)
    return [Finding(What.RECOVERY_EMAIL, here, there, Repair.RECOVERY_EMAIL if safe else None)]


def _label(standing: Standing) -> str:
    return str(Status(standing.status).label)
