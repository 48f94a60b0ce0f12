"""Taking away a second factor that its owner has lost, once it is sure who they are (docs/produzione.md)."""

from __future__ import annotations

from allauth.mfa.models import Authenticator
from django.db import transaction

from audit import log
from audit.actors import Actor
from members import access, sessions
from members.models import User


@transaction.atomic
def remove(user: User, actor: Actor, *, reason: str) -> int:
    """Factors, recovery codes, open sessions: all end, and the owner is told by mail. Return how many factors."""
    account = User.objects.select_for_update(of=("self",)).get(pk=user.pk)
    removed = int(Authenticator.objects.filter(user=account).delete()[0])
    if removed:
        sessions.end_all(account)
        member = account.record
        person, ordine = (member.pk, member.ordine.code) if member else (None, "")
        detail = {"user": account.get_full_name() or account.username, "reason": reason}
        log.record("access.second_factor_removed", actor, account, person=person, ordine=ordine, **detail)
        access.tell_second_factor_changed(account)
    return removed
