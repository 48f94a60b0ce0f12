"""The append-only log and its seals. Rows are only ever inserted: a database trigger refuses anything else."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models.functions import Cast, Now
from django.utils.translation import gettext_lazy as _

from audit import words


class CurrentTransaction(models.Func):
    """The number of the transaction that inserts the row: what tells which rows can still get neighbours."""

    function = "pg_current_xact_id"
    output_field = models.TextField()


class LogEntry(models.Model):
    """One act: who did what to which object, when, from where.

    ``person`` is the primary key of the member concerned and ``ordine`` the code of their Ordine, both plain values:
    the log stands below the apps that write to it and outlives the rows it speaks of.
    """

    at = models.DateTimeField(_("quando"), db_default=Now(), editable=False)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.DO_NOTHING,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("utente"),
        db_constraint=False,
    )
    actor_name = models.CharField(_("chi"), max_length=150)
    ip = models.GenericIPAddressField(_("da dove"), null=True, blank=True)
    action = models.CharField(_("azione"), max_length=60)
    object_type = models.CharField(_("tipo di oggetto"), max_length=60, blank=True)
    object_id = models.BigIntegerField(_("oggetto"), null=True, blank=True)
    person = models.BigIntegerField(_("iscritto"), null=True, blank=True)
    ordine = models.CharField(_("Ordine"), max_length=40, blank=True)
    detail = models.JSONField(_("dettagli"), default=dict, blank=True)
    transaction = models.BigIntegerField(
        editable=False,
        db_index=True,
        db_default=Cast(Cast(CurrentTransaction(), models.TextField()), models.BigIntegerField()),
    )

    class Meta:
        verbose_name = _("voce del registro")
        verbose_name_plural = _("voci del registro")
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [
            models.Index(fields=["object_type", "object_id", "-id"], name="audit_entry_object"),
            models.Index(fields=["person", "-id"], name="audit_entry_person"),
            # The office reads its log by these (``members.log_admin``), newest first.
            models.Index(fields=["ordine", "id"], name="audit_entry_ordine"),
            models.Index(fields=["ordine", "action", "id"], name="audit_entry_action"),
            models.Index(
                fields=["ordine", "actor", "id"], condition=models.Q(actor__isnull=False), name="audit_entry_actor"
            ),
            # Entries lie in the order of time: which pages a day is on is all that must be known.
            BrinIndex(fields=["at"], autosummarize=True, name="audit_entry_at"),
        ]

    def __str__(self) -> str:
        return self.sentence

    @property
    def sentence(self) -> str:
        """The act in words a person understands."""
        return words.sentence(self.action, self.detail)


class Seal(models.Model):
    """The hash over one batch of entries and over the seal before it.

    A batch is every entry written by the transactions numbered from ``since`` up to, not including, ``until``.
    ``parts`` says of each Ordine in it (by code; empty for the federation's) how many entries it has and their hash, so
    that one Ordine's can be shown, or go when their time is over, without the others': ``{code: {"count": n, "hash":
    "…"}}``. ``digest`` is over all of that, the moment and the digest before: see ``audit.sealing``.
    """

    since = models.BigIntegerField()
    until = models.BigIntegerField(unique=True)
    count = models.IntegerField()
    parts = models.JSONField(default=dict)
    digest = models.CharField(max_length=64)
    sealed_at = models.DateTimeField()

    class Meta:
        verbose_name = _("sigillo")
        verbose_name_plural = _("sigilli")

    def __str__(self) -> str:
        return f"{self.since}–{self.until}"
