"""Who is asking: the record and the Ordini of the signed-in user, looked up once per request.

The user object lives as long as the request, so what is found is kept on it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, cast

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from members.models import Member, Ordine, StaffRole

AnyUser = Any  # a User or an AnonymousUser, which Django types apart


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
        user._portal_roles = list(user.staff_roles.select_related("ordine").order_by("ordine__name"))
    return cast("list[StaffRole]", user._portal_roles)


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


def require_permission(request: HttpRequest, permission: str, obj: Model | None = None) -> None:
    """403 where the signed-in user lacks a named permission, for an object in the Ordine that the object belongs to."""
    if not request.user.has_perm(permission, obj):
        raise PermissionDenied
