"""Transfer of a member to another Ordine: the one that keeps the record hands it over, casella and all.

No Ordine can take a record: only the one that has it gives it. The enrolments go over as they stand, since who moves is
never out of the albo: ended here, they would have the casella closed (``register``). Their numbers are in the log; the
new Ordine writes its own, by hand or with its next import, over them.
"""

from __future__ import annotations

from django.db import transaction
from django.utils.translation import gettext as _

from audit import log
from audit.actors import Actor
from members.models import Member, Ordine
from pec_requests import corrections, notices
from pec_requests.corrections import CorrectionRefused
from pec_requests.eligibility import domains_for
from pec_requests.models import PecRequest
from pec_requests.states import LIVE


@transaction.atomic
def hand_over(member_id: int, to: Ordine, actor: Actor) -> bool:
    """Hand a member of the scope over. False where somebody has done it already."""
    member = corrections.lock([member_id]).members.get(member_id)
    if member is None or member.ordine_id == to.pk:
        return False
    check(member, to)
    before = member.ordine
    numbers = "; ".join(str(e) for e in member.enrolments.select_related("albo")) or "–"
    Member.objects.filter(pk=member.pk).update(ordine=to)
    member.ordine = to
    detail = {"before": before.short_name, "after": to.short_name, "enrolments": numbers}
    # Each Ordine reads it in its own log.
    for action, ordine in (("member.handed_over", before), ("member.received", to)):
        log.record(action, actor, member, person=member.pk, ordine=ordine.code, **detail)
    notices.transferred(member, before, live_request(member))
    return True


def check(member: Member, to: Ordine) -> None:
    """Raise ``CorrectionRefused`` where that Ordine could not keep the member's casella."""
    request = live_request(member)
    if request and not domains_for([to.pk]).filter(pk=request.domain_id).exists():
        raise CorrectionRefused(
            _(
                "%(ordine)s non aderisce alla convenzione per il dominio %(domain)s: la casella %(address)s non si può "
                "trasferire. Cessarla prima, o chiedere alla federazione di aggiungere il dominio."
            )
            % {"ordine": to.short_name, "domain": request.domain.name, "address": request.address}
        )


def live_request(member: Member) -> PecRequest | None:
    """The member's request or casella that stands, if any."""
    return PecRequest.objects.select_related("domain").filter(member=member, status__in=LIVE).first()
