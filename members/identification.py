"""From what a person types to who they are: codice fiscale, e-mail where only one person has it, or user name."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import QuerySet
from django_scopes import scopes_disabled

from members import tax_codes
from members.models import Member, StaffRole, User


@dataclass(frozen=True)
class Found:
    """``user`` is None for a member without an account; ``shared`` is an e-mail that more than one person has."""

    user: User | None = None
    member: Member | None = None
    shared: bool = False


def normalise(identifier: str) -> str:
    """One spelling of what was typed, for comparing and for counting attempts."""
    code = tax_codes.normalise(identifier)
    return code if tax_codes.is_valid(code) else identifier.strip().lower()


def identify(identifier: str) -> Found:
    """Who this is, active or not; an empty ``Found`` for nobody."""
    code = tax_codes.normalise(identifier)
    if tax_codes.is_valid(code):
        return _by_tax_code(code)
    found = _by_email(identifier.strip()) if "@" in identifier else Found()
    return found if found != Found() else _by_username(identifier.strip())


def _by_tax_code(code: str) -> Found:
    member = every_member().filter(tax_code=code).first()
    return Found(member.user, member) if member else Found()


def _by_email(email: str) -> Found:
    """Everybody counts, with an account or without: an e-mail names a person only where no second one has it."""
    members = list(every_member().filter(personal_email__iexact=email)[:2])
    staff = {role.user for role in every_role().filter(user__email__iexact=email).select_related("user")[:2]}
    staff -= {member.user for member in members if member.user}
    if len(members) + len(staff) > 1:
        return Found(shared=True)
    if members:
        return Found(members[0].user, members[0])
    return Found(staff.pop()) if staff else Found()


def _by_username(username: str) -> Found:
    users = User.objects.filter(username__in={username, username.lower()})
    user = next(iter(sorted(users, key=lambda user: user.username != username)), None)
    return Found(user, user.record) if user else Found()


def every_role() -> QuerySet[StaffRole]:
    """Roles in all offices: for the doors, and to see what an account opens."""
    with scopes_disabled():
        return StaffRole.objects.all()


def every_member() -> QuerySet[Member]:
    """Members of all Ordini: the doors do not know yet whose member comes in."""
    with scopes_disabled():
        return Member.objects.select_related("user", "ordine").order_by("id")
