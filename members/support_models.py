"""What is kept of a look at the portal as a member sees it."""

from __future__ import annotations

from typing import ClassVar, Self

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _
from django_scopes import ScopedManager


class SupportView(models.Model):
    """Somebody of the office looks at the portal as one member, for a while; a row of its own rather than a mark in the
    session alone, since a session that another tab saves late would bring an ended look back.
    """

    member = models.ForeignKey("members.Member", models.CASCADE, related_name="+", verbose_name=_("iscritto"))
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", verbose_name=_("chi guarda"))
    reason = models.CharField(_("motivo"), max_length=300)
    began_at = models.DateTimeField(db_default=Now())
    until = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    # The addresses opened so far: each is in the log once.
    seen = ArrayField(models.CharField(max_length=200), default=list)

    objects: ClassVar[models.Manager[Self]] = ScopedManager(ordine="member__ordine")

    class Meta:
        verbose_name = _("visita come iscritto")
        verbose_name_plural = _("visite come iscritto")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["user"], condition=models.Q(ended_at=None), name="one_open_support_view_per_user"
            )
        ]

    def __str__(self) -> str:
        return f"{self.user} → {self.member}"
