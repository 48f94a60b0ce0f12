"""What is kept about coming in: sessions. Not on anybody's behalf: these rows belong to accounts, not to an Ordine."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models
from django.utils import timezone


class Session(AbstractBaseSession):
    """Django's session, which knows whose it is: so that one can list one's own, and all of somebody's can end at once.

    ``user`` is set from the right password on, before the second factor: who is half in is turned out, too.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, null=True, related_name="sessions")
    seen_at = models.DateTimeField(default=timezone.now)

    objects: ClassVar[Any]  # django-stubs knows the manager of Django's own model only

    class Meta(AbstractBaseSession.Meta):
        verbose_name = "sessione"
        verbose_name_plural = "sessioni"

    @classmethod
    def get_session_store_class(cls) -> Any:
        from members.session_store import SessionStore  # which imports this model

        return SessionStore
