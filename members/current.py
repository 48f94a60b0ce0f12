"""Who is asking: the record and the Ordini of the signed-in user, looked up once per request.

The user object lives as long as the request, so what is found is kept on it. Most people have a record and no office,
and every page of theirs asks for both: ``signed_in`` reads all of it at once.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import wraps
from typing import Any, cast

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django_scopes import scope, scopes_disabled

from members import proof, roles
from members.by_hand import columns, objects, rows_by_hand
from members.models import Member, Ordine, StaffRole, User

AnyUser = Any  # a User or an AnonymousUser, which Django types apart


def signed_in(user_id: int) -> User | None:
    """The user of a session, with what every page asks about them, in one query."""
    found = rows_by_hand(_SIGNED_IN, [user_id])
    if not found:
        return None
    works, *values = found[0]
    user, member, ordine = objects(values, User, Member, Ordine)
    if member.pk is not None:
        member.ordine, member.user = ordine, user
    user._portal_record = member if member.pk is not None else None
    if not works:
        user._portal_roles = []
    return cast(User, user)


_SIGNED_IN = f"""
SELECT EXISTS (SELECT FROM {StaffRole._meta.db_table} s WHERE s.user_id = {User._meta.db_table}.id),
    {columns(User, Member, Ordine)}
FROM {User._meta.db_table}
LEFT JOIN {Member._meta.db_table} ON {Member._meta.db_table}.user_id = {User._meta.db_table}.id
LEFT JOIN {Ordine._meta.db_table} ON {Ordine._meta.db_table}.id = {Member._meta.db_table}.ordine_id
WHERE {User._meta.db_table}.id = %s
"""  # noqa: S608  (names of our own)
_ROLES = f"""
SELECT {columns(StaffRole, Ordine)}
FROM {StaffRole._meta.db_table}
JOIN {Ordine._meta.db_table} ON {Ordine._meta.db_table}.id = {StaffRole._meta.db_table}.ordine_id
WHERE {StaffRole._meta.db_table}.user_id = %s ORDER BY {Ordine._meta.db_table}.name
"""  # noqa: S608  (names of our own)


def record_of(user: AnyUser) -> Member | None:
    """The member's record of this account, with its Ordine; None for staff only and for visitors."""
    if not user.is_authenticated:
        return None
    if not hasattr(user, "_portal_record"):
        user._portal_record = user.record
    return cast("Member | None", user._portal_record)


def roles_of(user: AnyUser) -> list[StaffRole]:
    """What the user may do in the offices of which Ordini."""
    if not user.is_authenticated:
        return []
    if not hasattr(user, "_portal_roles"):
        # How the tenancy of a request is found: no scope is open yet.
        found = rows_by_hand(_ROLES, [user.pk])
        user._portal_roles = [_role(*objects(row, StaffRole, Ordine)) for row in found]
    return cast("list[StaffRole]", user._portal_roles)


def _role(role: StaffRole, ordine: Ordine) -> StaffRole:
    role.ordine = ordine
    return role


def staff_ordini(user: AnyUser) -> list[Ordine]:
    """The Ordini in whose office the user works."""
    return [role.ordine for role in roles_of(user)]


def is_staff(user: AnyUser) -> bool:
    """Whether the user works in an office, or is the federation's administrator."""
    return bool(user.is_authenticated and user.is_active and (user.is_superuser or roles_of(user)))


def record_required(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """For pages about one's own record: the view gets it as its second argument.

    Visitors sign in first; an account without a record is told whose page this is.
    """

    @wraps(view)
    def with_record(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        record = record_of(request.user)
        if record is None:
            return render(request, "members/no_record.html")
        return view(request, record, *args, **kwargs)

    return cast("Callable[..., HttpResponse]", login_required(with_record))


def may(user: AnyUser, permission: str, obj: Model | None = None) -> bool:
    """Whether somebody holds a named permission: for an object, in the Ordine that it belongs to."""
    if permission in roles.OF_THE_ORDINE_ALONE:
        return bool(user.is_active) and permission in roles.permissions(roles_of(user), obj)
    return bool(user.has_perm(permission, obj))


def require_permission(request: HttpRequest, permission: str, obj: Model | None = None) -> None:
    """403 where the signed-in user lacks a named permission, for an object in the Ordine that the object belongs to.

    Who has it is asked to prove who they are, where it is for something delicate.
    """
    if not may(request.user, permission, obj):
        raise PermissionDenied
    proof.require_for(request, permission)


def only_where(user: AnyUser, permission: str) -> AbstractContextManager[None]:
    """A scope of the Ordini in which somebody holds a permission: who reads in two offices may act in one only.

    For acts on what a list holds, where no object says in which Ordine it must be held.
    """
    wanted: AbstractContextManager[None] = (
        scopes_disabled() if user.is_superuser else scope(ordine=roles.ordini_where(roles_of(user), permission))
    )
    return wanted
