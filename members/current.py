"""Who is asking: the record and the Ordini of the signed-in user, looked up once per request.

The user object lives as long as the request, so what is found is kept on it. Most people have a record and no office,
and every page of theirs asks for both: ``signed_in`` reads all of it at once.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, cast

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, Model, OuterRef
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from members.models import Member, Ordine, StaffRole, User

AnyUser = Any  # a User or an AnonymousUser, which Django types apart


def signed_in(user_id: int) -> User | None:
    """The user of a session, with what every page asks about them, in one query."""
    works = StaffRole.objects.filter(user=OuterRef("pk"))
    rows = User.objects.select_related("member__ordine").annotate(works=Exists(works))
    user: AnyUser = rows.filter(pk=user_id).first()
    if user is not None:
        user._portal_record = getattr(user, "member", None)
        if not user.works:
            user._portal_roles = []
    return cast("User | None", user)


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
