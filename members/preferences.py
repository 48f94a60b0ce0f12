"""What a member may choose of the mails that come: reminders or none. Security and the law are not to be chosen.

A reminder carries a signed link that ends them without signing in. It names the member and can do nothing else, so that
it may hold for as long as the mail is kept.
"""

from __future__ import annotations

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.db import transaction
from django.urls import reverse

from audit import log
from audit.actors import Actor
from members.identification import every_member
from members.models import Member

_signer = Signer(salt="members.preferences.reminders")


@transaction.atomic
def set_reminders(member: Member, wanted: bool, actor: Actor) -> bool:
    """Switch the reminders of a member on or off. False where they were so already."""
    # Whoever comes by a link is not signed in, and a signed-in user may follow somebody else's.
    if not every_member().filter(pk=member.pk, wants_reminders=not wanted).update(wants_reminders=wanted):
        return False
    action = "member.reminders_on" if wanted else "member.reminders_off"
    log.record(action, actor, member, person=member.pk, ordine=member.ordine.code)
    return True


def unsubscribe_link(member: Member) -> str:
    """The address that ends a member's reminders."""
    token = _signer.sign(str(member.pk))
    return f"{settings.PORTAL_URL}{reverse('members:unsubscribe', args=[token])}"


def owner_of(token: str) -> Member | None:
    """Whose reminders a link ends; None where it is not one of ours, or the record is no more."""
    try:
        pk = int(_signer.unsign(token))
    except (BadSignature, ValueError):
        return None
    return every_member().filter(pk=pk).first()
