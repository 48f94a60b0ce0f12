"""Merging two records of one person. One stays; the other gives it all that hangs on it, and is gone.

What the record that stays lacks it takes from the other; where both say something, its own word counts, the codice
fiscale above all. Numbers of enrolments that cannot be kept are in the log, and so is everything about the record that
is gone: ``members.history`` finds it from the one that stays.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction
from django.utils.translation import gettext as _

from audit import log
from audit.actors import Actor
from audit.models import LogEntry
from members import access, support
from members.history import MERGED
from members.models import Enrolment, Member
from pec_requests import corrections
from pec_requests.corrections import CorrectionRefused, Locked
from pec_requests.eligibility import CURRENT
from pec_requests.models import Difference, PecRequest, ReservedAddress
from pec_requests.provider.words import masked
from pec_requests.states import LIVE, Status

# By these a person is known; the codice fiscale apart, which is what two records of one person differ in.
_IDENTITY = {"search_key": "surname", "birth_date": "birth_date", "sex": "sex"}
# What the record that stays takes where it has nothing of its own.
FILLED = (
    *("sex", "birth_date", "birth_place", "birth_province", "file_number", "personal_email", "mobile", "own_pec"),
    *("address", "postcode", "town", "province"),
)
_ADVANCE = (Status.RICHIESTA, Status.NON_ATTIVO, Status.SOSPESO, Status.ATTIVO)


@dataclass(frozen=True)
class Met:
    """Two enrolments of one person in the same albo: one is kept, the other's number goes into the log."""

    kept: Enrolment
    dropped: Enrolment


@transaction.atomic
def merge(kept_id: int, gone_id: int, actor: Actor, *, verified: bool = False) -> bool:
    """Merge a record into another. False where somebody has done it already.

    Raise ``CorrectionRefused`` where they do not look like one person and nobody has ``verified`` that they are.
    """
    locked = corrections.lock([kept_id, gone_id])
    kept, gone = locked.members.get(kept_id), locked.members.get(gone_id)
    if kept is None or gone is None:
        return False
    behind = check(kept, gone, locked)
    doubts = unlike(kept, gone)
    if doubts and not verified:
        raise CorrectionRefused(_("Le due schede non sembrano della stessa persona: serve una verifica."))
    addresses = [r.address for r in locked.of(gone)]
    PecRequest.objects.filter(member=gone).update(member=kept)
    ReservedAddress.objects.filter(member=gone).update(member=kept)
    Difference.objects.filter(member=gone).update(member=kept)
    moved, dropped = _move_enrolments(kept, gone)
    account = _settle_accounts(kept, gone)
    filled = _fill(kept, gone)
    log.record(
        MERGED,
        actor,
        gone,
        person=kept.pk,
        ordine=kept.ordine.code,
        record=f"{gone} ({masked(gone.tax_code)})",
        filled=", ".join(filled) or "–",
        moved="; ".join(moved) or "–",
        dropped="; ".join(dropped) or "–",
        addresses=", ".join(addresses) or "–",
        account=account,
        unlike=", ".join(doubts) or "–",
    )
    corrections.tell_provider(behind, gone.tax_code)
    support.end_all_of(gone, _("la scheda è stata unita a un'altra"), actor)
    gone.delete()
    return True


def merged_into(member_id: int) -> int | None:
    """The record that one that is no more was merged into."""
    entry = LogEntry.objects.filter(object_type=Member._meta.label_lower, object_id=member_id, action=MERGED).first()
    return entry.person if entry else None


def check(kept: Member, gone: Member, locked: Locked | None = None) -> list[PecRequest]:
    """Raise ``CorrectionRefused`` where these two cannot be merged like this; else the requests whose holder the
    provider must correct. Without ``locked``, as it looks at this moment.
    """
    if kept.pk == gone.pk:
        raise CorrectionRefused(_("È la stessa scheda."))
    if kept.ordine_id != gone.ordine_id:
        raise CorrectionRefused(_("Le due schede sono di Ordini diversi: prima una va trasferita."))
    # The account would go over to another codice fiscale.
    if kept.user is None and gone.user and gone.user.works_in_office:
        raise CorrectionRefused(access.identity_of_staff())
    requests = locked.requests if locked else list(PecRequest.objects.filter(member__in=[kept, gone]).order_by("pk"))
    live = sorted((r for r in requests if r.status in LIVE), key=lambda r: _ADVANCE.index(Status(r.status)))
    if len(live) > 1:
        raise CorrectionRefused(
            _(
                "Tutte e due le schede hanno una casella: %(end)s (%(end_status)s) e %(keep)s (%(keep_status)s). "
                "Prima va annullata o cessata %(end)s."
            )
            % {
                "end": live[0].address,
                "end_status": live[0].get_status_display(),
                "keep": live[1].address,
                "keep_status": live[1].get_status_display(),
            }
        )
    return corrections.to_correct_there(r for r in requests if r.member_id == gone.pk)


def unlike(one: Member, other: Member) -> list[str]:
    """In what the two do not look like one person: the names of the data that both have, each another."""
    pairs = [(shown, getattr(one, field), getattr(other, field)) for field, shown in _IDENTITY.items()]
    return [_label(shown) for shown, ours, theirs in pairs if ours and theirs and ours != theirs]


def meeting(kept: Member, gone: Member) -> tuple[list[Enrolment], list[Met]]:
    """The enrolments that go over, and those that meet another of the same albo.

    Of two in one albo the one that still stands is kept; if both do or neither, that of the record that stays.
    """
    own = {e.albo_id: e for e in kept.enrolments.select_related("albo")}
    moving, met = [], []
    for theirs in gone.enrolments.select_related("albo"):
        ours = own.get(theirs.albo_id)
        if ours is None:
            moving.append(theirs)
        elif ours.status not in CURRENT and theirs.status in CURRENT:
            met.append(Met(kept=theirs, dropped=ours))
        else:
            met.append(Met(kept=ours, dropped=theirs))
    return moving, met


def _move_enrolments(kept: Member, gone: Member) -> tuple[list[str], list[str]]:
    """Each in the words of the log."""
    moving, met = meeting(kept, gone)
    # Those that give way first: one albo has one enrolment of a person.
    Enrolment.objects.filter(pk__in=[pair.dropped.pk for pair in met]).delete()
    Enrolment.objects.filter(member=gone).update(member=kept)
    dropped = [f"{pair.dropped} ({pair.dropped.get_status_display()})" for pair in met]
    return [str(e) for e in moving], dropped


def _settle_accounts(kept: Member, gone: Member) -> str:
    """The record that stays keeps its account, or takes the other's. Say what became of it."""
    account = gone.user
    if account is None:
        return "–"
    Member.objects.filter(pk=gone.pk).update(user=None)
    gone.user = None
    if kept.user is None:
        Member.objects.filter(pk=kept.pk).update(user=account)
        kept.user = account
        return _("passato a questa scheda")
    return _("disattivato") if access.retire(account) else _("lasciato alla segreteria")


def _fill(kept: Member, gone: Member) -> list[str]:
    filled = [name for name in FILLED if not getattr(kept, name) and getattr(gone, name)]
    for name in filled:
        setattr(kept, name, getattr(gone, name))
    if "personal_email" in filled:
        kept.email_confirmed_at = gone.email_confirmed_at
    kept.wants_reminders = kept.wants_reminders and gone.wants_reminders
    if "mobile" in filled:
        kept.mobile_set_at = gone.mobile_set_at
    kept.save()
    return [_label(name) for name in filled]


def _label(field: str) -> str:
    return str(Member._meta.get_field(field).verbose_name)  # type: ignore[union-attr]  # plain fields
