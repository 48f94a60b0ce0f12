"""Signing in, and what a signed-in user may do."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.hashers import make_password
from django.db.models import Model
from django.http import HttpRequest

from members import roles
from members.current import AnyUser, roles_of, signed_in
from members.identification import identify
from members.models import User


class PortalBackend(BaseBackend):
    """Knows people by codice fiscale, e-mail or user name, and their permissions by their office roles.

    Groups and single permissions of Django's are not read: ``members.roles`` is the one place.
    """

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **kwargs: Any
    ) -> User | None:
        """The active user with this password. Takes one password hash, whoever exists."""
        if username is None or password is None:
            return None
        user = identify(username).user
        if user is None:
            make_password(password)
            return None
        # Django hashes once for an account without a password, too.
        return user if user.check_password(password) and user.is_active else None

    def get_user(self, user_id: int) -> User | None:
        user = signed_in(user_id)
        return user if user and user.is_active else None

    def get_all_permissions(self, user_obj: AnyUser, obj: Model | None = None) -> set[str]:
        """Where an object is given, what the role in the office of *its* Ordine carries."""
        if not user_obj.is_active or user_obj.is_anonymous:
            return set()
        return roles.permissions(roles_of(user_obj), obj)

    def has_perm(self, user_obj: AnyUser, perm: str, obj: Model | None = None) -> bool:
        return perm in self.get_all_permissions(user_obj, obj)

    def has_module_perms(self, user_obj: AnyUser, app_label: str) -> bool:
        return any(perm.startswith(f"{app_label}.") for perm in self.get_all_permissions(user_obj))
