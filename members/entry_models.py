"""What is kept about coming in: sessions, devices, and how often somebody has tried.

These rows belong to accounts and to callers, not to an Ordine.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


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


class KnownDevice(models.Model):
    """A browser by which somebody has come in. It keeps a secret in a cookie; here is the digest of it."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="known_devices")
    digest = models.CharField(max_length=64)
    used_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["user", "digest"], name="one_row_per_device")]

    def __str__(self) -> str:
        return f"{self.user_id} · {self.digest[:8]}"


class Tally(models.Model):
    """How often somebody has tried something, and until when they may not. Written by ``members.throttle`` alone.

    ``who`` is a digest of the caller's address, of a name that was typed, of an account or of a device of its own, as
    ``kind`` says. ``user`` is the account concerned, if there is one: the office of its Ordine can lift the lock.
    """

    class Kind(models.TextChoices):
        CALLER = "caller"
        NAME = "name"
        ACCOUNT = "account"
        DEVICE = "device"

    rule = models.CharField(_("dove"), max_length=40)
    kind = models.CharField(max_length=10, choices=Kind)
    who = models.CharField(max_length=64)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, null=True, related_name="+", verbose_name=_("account")
    )
    count = models.IntegerField(_("tentativi"))
    last_at = models.DateTimeField(_("ultimo tentativo"), db_default=Now())
    forget_at = models.DateTimeField(db_index=True)
    blocked_until = models.DateTimeField(_("bloccato fino a"), null=True)

    class Meta:
        verbose_name = _("accesso bloccato")
        verbose_name_plural = _("accessi bloccati")
        permissions: ClassVar = [("lift_lock", _("Può togliere il blocco a un accesso"))]
        constraints: ClassVar = [models.UniqueConstraint(fields=["rule", "kind", "who"], name="one_tally_each")]

    def __str__(self) -> str:
        return f"{self.rule} · {self.user or self.kind}"
