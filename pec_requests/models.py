"""Requests for a certified mailbox, the addresses they use up, and what is asked of the provider for them."""

from __future__ import annotations

import uuid
from typing import ClassVar, Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _
from django_scopes import ScopedManager

from members.models import Member, Ordine, User
from members.names import SEARCH_KEY_LENGTH
from pec_requests.states import LIVE, Kind, Status


class PecDomain(models.Model):
    """A domain of the convention, and the Ordini that may assign addresses in it."""

    name = models.CharField(_("dominio"), max_length=100, unique=True)
    ordini = models.ManyToManyField(Ordine, related_name="pec_domains", verbose_name=_("Ordini"), blank=True)

    class Meta:
        verbose_name = _("dominio PEC")
        verbose_name_plural = _("domini PEC")
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return self.name


class ReservedAddress(models.Model):
    """An address that is used up for ever: the provider gives a deleted one again only to its old holder.

    ``member`` is None where the provider says that somebody unknown to us has it.
    """

    address = models.CharField(_("indirizzo"), max_length=164, unique=True)
    member = models.ForeignKey(Member, models.PROTECT, null=True, blank=True, related_name="reserved_addresses")
    reserved_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name = _("indirizzo riservato")
        verbose_name_plural = _("indirizzi riservati")

    def __str__(self) -> str:
        return self.address


class RequestBatch(models.Model):
    """Requests that somebody in the office asked for at once, for many members of one Ordine.

    It is the order itself: a worker carries out what waits here, all of it in one transaction. ``member_ids`` is who
    was in the list when it was confirmed, and emptied when that is done. What cannot be requested is counted by reason
    in ``refusals``, with the first who cannot: ``{reason: {"count": n, "first": [member ids]}}``.
    """

    class State(models.TextChoices):
        WAITING = "WAITING", _("in corso")
        DONE = "DONE", _("fatta")
        FAILED = "FAILED", _("non riuscita")
        CANCELLED = "CANCELLED", _("annullata prima di cominciare")

    # From the page that asked: a second click finds the batch of the first.
    key = models.UUIDField(default=uuid.uuid4, editable=False)
    ordine = models.ForeignKey(Ordine, models.PROTECT, related_name="+", verbose_name=_("Ordine"))
    domain = models.ForeignKey(PecDomain, models.PROTECT, related_name="+", verbose_name=_("dominio"))
    # Whoever asked, as the log knows them: ``audit.actors.Actor``.
    actor = models.JSONField(_("chi"))
    asked_at = models.DateTimeField(_("quando"), db_default=Now())
    asked = models.CharField(_("per chi"), max_length=500)
    member_ids = ArrayField(models.BigIntegerField(), default=list, editable=False)
    members = models.PositiveIntegerField(_("iscritti"), default=0)
    state = models.CharField(_("stato"), max_length=10, choices=State, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    made = models.PositiveIntegerField(_("richieste"), default=0)
    refused = models.PositiveIntegerField(_("non possibili"), default=0)
    refusals = models.JSONField(default=dict)
    done_at = models.DateTimeField(_("fatta il"), null=True, blank=True)
    # "Cancel what has not begun": decided once, carried out a part at a time.
    cancel_actor = models.JSONField(null=True, blank=True)
    cancel_reason = models.CharField(_("motivo dell'annullamento"), max_length=300, blank=True)
    cancel_asked_at = models.DateTimeField(_("annullamento chiesto il"), null=True, blank=True)
    cancel_done_at = models.DateTimeField(_("annullamento concluso il"), null=True, blank=True)
    cancelled = models.PositiveIntegerField(_("annullate"), default=0)

    objects: ClassVar[models.Manager[Self]] = ScopedManager(ordine="ordine")

    class Meta:
        verbose_name = _("richiesta in blocco")
        verbose_name_plural = _("richieste in blocco")
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["ordine", "key"], name="one_batch_per_click")]
        indexes: ClassVar = [
            models.Index(fields=["ordine", "-id"], name="batch_list"),
            models.Index(fields=["id"], condition=Q(state="WAITING"), name="batch_waiting"),
            models.Index(
                fields=["id"],
                condition=Q(cancel_asked_at__isnull=False, cancel_done_at=None),
                name="batch_being_cancelled",
            ),
        ]

    def __str__(self) -> str:
        return _("Richiesta in blocco n. %(number)s") % {"number": self.pk}

    @property
    def who(self) -> str:
        return str(self.actor["name"])

    @property
    def is_being_cancelled(self) -> bool:
        return self.cancel_asked_at is not None and self.cancel_done_at is None


class PecRequest(models.Model):
    """One assignment of a mailbox (casella) to a member. ``status`` is written by ``lifecycle`` and nobody else."""

    public_id = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    member = models.ForeignKey(Member, models.PROTECT, related_name="pec_requests", verbose_name=_("iscritto"))
    # The member's Ordine and search key, and whether staff must look at it (``attention``): lists are read by them, and
    # the database writes them.
    ordine = models.ForeignKey(
        Ordine, models.PROTECT, related_name="+", editable=False, db_constraint=False, db_index=False
    )
    sort = models.CharField(max_length=SEARCH_KEY_LENGTH, editable=False, db_collation="C")
    needs_staff = models.BooleanField(db_default=False, editable=False)
    domain = models.ForeignKey(
        PecDomain, models.PROTECT, related_name="requests", verbose_name=_("dominio"), db_index=False
    )
    # Its index is ``request_batch``: of requests made one by one there is nothing in it.
    batch = models.ForeignKey(
        RequestBatch, models.PROTECT, related_name="requests", null=True, editable=False, db_index=False
    )
    address = models.CharField(_("indirizzo"), max_length=164, db_index=True, db_collation="C")
    recovery_email = models.CharField(_("email di recupero"), max_length=254, blank=True)
    status = models.CharField(_("stato"), max_length=12, choices=Status, default=Status.RICHIESTA)
    reason = models.CharField(_("motivo"), max_length=300, blank=True)
    requested_at = models.DateTimeField(_("richiesta il"), db_default=Now())
    accepted_at = models.DateTimeField(_("accettata il"), null=True, blank=True)
    status_at = models.DateTimeField(_("nello stato dal"), db_default=Now())
    # The member is in no albo any more: the Ordine has the mailbox closed on this day (``register``).
    closes_on = models.DateField(_("da chiudere il"), null=True, blank=True, editable=False)
    # The last of the Ordine's ``reminder_days`` that this request was reminded of (``reminders``).
    reminded = models.PositiveSmallIntegerField(default=0, db_default=0, editable=False)

    objects: ClassVar[models.Manager[Self]] = ScopedManager(ordine="ordine")

    class Meta:
        verbose_name = _("richiesta PEC")
        verbose_name_plural = _("richieste PEC")
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["member"], condition=Q(status__in=LIVE), name="one_live_request_per_member"
            ),
            models.UniqueConstraint(
                fields=["address"], condition=Q(status__in=LIVE), name="one_live_request_per_address"
            ),
            models.CheckConstraint(condition=Q(status__in=Status.values), name="known_request_status"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["ordine", "id"], name="request_list"),
            models.Index(fields=["ordine", "status", "id"], name="request_status"),
            models.Index(fields=["ordine", "status", "sort", "member"], name="request_by_name"),
            models.Index(fields=["ordine", "domain", "id"], name="request_domain"),
            models.Index(fields=["ordine", "address", "member"], name="request_address"),
            models.Index(fields=["ordine", "id"], condition=Q(needs_staff=True), name="request_needs_staff"),
            models.Index(
                fields=["closes_on"],
                condition=Q(closes_on__isnull=False, status__in=LIVE),
                name="request_closes_on",
            ),
            models.Index(
                fields=["ordine", "reminded", "status_at"],
                condition=Q(status="NON_ATTIVO", accepted_at=None),
                name="request_to_accept",
            ),
            models.Index(
                fields=["batch", "status", "id"],
                include=["needs_staff"],
                condition=Q(batch__isnull=False),
                name="request_batch",
            ),
        ]
        permissions: ClassVar = [
            ("request_pec", _("Può richiedere una PEC")),
            ("cancel_request", _("Può annullare una richiesta")),
            ("retry_operation", _("Può riprovare un'operazione")),
            ("drop_operation", _("Può rinunciare a un'operazione")),
            ("suspend_pec", _("Può sospendere e riattivare una casella")),
            ("close_pec", _("Può cessare una casella")),
            ("cancel_enrolment", _("Può cancellare dall'albo")),
            ("correct_tax_code", _("Può correggere un codice fiscale")),
            ("merge_members", _("Può unire due schede")),
            ("transfer_member", _("Può trasferire a un altro Ordine")),
            ("settle_alarm", _("Può chiudere un allarme sull'email di recupero")),
        ]

    def __str__(self) -> str:
        return self.address

    @property
    def is_live(self) -> bool:
        """Whether the request, or the mailbox it led to, still stands."""
        return self.status in LIVE


class ProviderOperation(models.Model):
    """One thing asked of the provider, written in the transaction that decided it: PostgreSQL is the queue.

    ``not_before`` is when a waiting operation may start, and for a running one when its lease ends. ``look_first`` is
    set for as long as a call may have had an effect that nobody has confirmed: whoever takes the operation next asks
    the provider before repeating it. ``claim`` names the present claim; only its owner can settle the operation.
    """

    class State(models.TextChoices):
        WAITING = "WAITING", _("in attesa")
        RUNNING = "RUNNING", _("in corso")
        DONE = "DONE", _("riuscita")
        ATTENTION = "ATTENTION", _("da verificare")
        UNKNOWN = "UNKNOWN", _("esito sconosciuto")
        WITHDRAWN = "WITHDRAWN", _("ritirata")

    OPEN: ClassVar = (State.WAITING, State.RUNNING)
    UNSETTLED: ClassVar = (State.WAITING, State.RUNNING, State.ATTENTION)

    request = models.ForeignKey(PecRequest, models.PROTECT, related_name="operations", verbose_name=_("richiesta"))
    # The request's: the list is read by it, and the database writes it.
    ordine = models.ForeignKey(
        Ordine, models.PROTECT, related_name="+", editable=False, db_constraint=False, db_index=False
    )
    # The request's address, here too: operations of one account follow one another, whatever request they are of.
    address = models.CharField(_("casella"), max_length=164)
    kind = models.CharField(_("operazione"), max_length=20, choices=Kind)
    state = models.CharField(_("esito"), max_length=12, choices=State, default=State.WAITING)
    recovery_email = models.CharField(_("email di recupero"), max_length=254, blank=True)
    # The code by which the provider may still know the holder: of a correction, and of a closing that follows one.
    former_tax_code = models.CharField(_("codice fiscale di prima"), max_length=16, blank=True, db_default="")
    attempts = models.PositiveIntegerField(_("tentativi"), default=0)
    not_before = models.DateTimeField(_("non prima di"), db_default=Now())
    look_first = models.BooleanField(default=False)
    claim = models.UUIDField(null=True, blank=True)
    claimed_by = models.CharField(_("presa in carico da"), max_length=120, blank=True)
    claimed_at = models.DateTimeField(_("presa in carico il"), null=True, blank=True)
    result = models.CharField(_("risposta"), max_length=200, blank=True)
    last_error = models.CharField(_("ultimo errore"), max_length=600, blank=True)
    # Which field the provider refused, by its own name, where it named one: see ``mending``.
    refused_field = models.CharField(max_length=40, blank=True, default="", db_default="", editable=False)
    created_at = models.DateTimeField(_("creata il"), db_default=Now())
    finished_at = models.DateTimeField(_("conclusa il"), null=True, blank=True)

    objects: ClassVar[models.Manager[Self]] = ScopedManager(ordine="ordine")

    class Meta:
        verbose_name = _("operazione presso il gestore")
        verbose_name_plural = _("operazioni presso il gestore")
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["request", "kind"],
                condition=Q(state__in=["WAITING", "RUNNING", "ATTENTION"]),
                name="one_unsettled_operation_of_a_kind",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["WAITING", "RUNNING"], finished_at=None)
                | (~Q(state__in=["WAITING", "RUNNING"]) & Q(finished_at__isnull=False)),
                name="open_operations_have_no_end",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["not_before", "id"], condition=Q(state__in=["WAITING", "RUNNING"]), name="operation_queue"
            ),
            # Its condition is no other index's: the planner has no choice but this one for what the claim asks.
            models.Index(fields=["address", "id"], condition=Q(finished_at=None), name="operation_order"),
            models.Index(fields=["finished_at"], condition=Q(finished_at__isnull=False), name="operation_finished"),
            models.Index(fields=["ordine", "id"], name="operation_list"),
            models.Index(fields=["ordine", "state", "id"], name="operation_state"),
            models.Index(fields=["ordine", "kind", "id"], name="operation_kind"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} · {self.get_state_display()}"


class ProviderHealth(models.Model):
    """The circuit breaker of all workers: one row (primary key 1)."""

    class State(models.TextChoices):
        CLOSED = "CLOSED", _("raggiungibile")
        OPEN = "OPEN", _("non raggiungibile")
        STOPPED = "STOPPED", _("credenziali rifiutate")

    state = models.CharField(_("stato"), max_length=10, choices=State, default=State.CLOSED)
    failures = models.PositiveIntegerField(default=0)
    # While not CLOSED, nobody calls before this moment; then one operation at a time tries.
    open_until = models.DateTimeField(null=True, blank=True)
    since = models.DateTimeField(_("dal"), db_default=Now())
    reason = models.CharField(_("motivo"), max_length=600, blank=True)

    class Meta:
        verbose_name = _("stato del gestore")
        verbose_name_plural = _("stato del gestore")

    def __str__(self) -> str:
        return self.get_state_display()


class WorkerShare(models.Model):
    """How many of the calls that the provider allows at once one worker may make, and until when it may.

    The shares that have not ended never add up to more than ``PROVIDER_CONCURRENCY``.
    """

    worker = models.CharField(max_length=120, unique=True)
    slots = models.PositiveIntegerField(default=0)
    ends_at = models.DateTimeField()

    class Meta:
        verbose_name = _("parte di un worker")
        verbose_name_plural = _("parti dei worker")

    def __str__(self) -> str:
        return f"{self.worker}: {self.slots}"


class RecoveryEmailChange(models.Model):
    """A member's wish to change the recovery e-mail; nothing changes before the new address confirms it.

    Only the SHA-256 of the link's secret is kept. Somebody at ``told_email`` may say that it was not the member
    (``recovery_alarms``): that is an alarm, open until staff give a ``verdict``.
    """

    class Dropped(models.TextChoices):
        REPLACED = "REPLACED", _("un altro ha preso il suo posto")
        WITHDRAWN = "WITHDRAWN", _("ritirato dall'iscritto")
        STOPPED = "STOPPED", _("fermato da un allarme")

    class Verdict(models.TextChoices):
        MEMBER = "MEMBER", _("È stato l'iscritto")
        STRANGER = "STRANGER", _("Non è stato l'iscritto")

    request = models.ForeignKey(PecRequest, models.PROTECT, related_name="recovery_changes")
    asked_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    new_email = models.CharField(_("nuova email di recupero"), max_length=254)
    # What was in force when it was asked for, and who was told that it was asked: the same address, where there is one.
    old_email = models.CharField(max_length=254, blank=True, db_default="")
    told_email = models.CharField(max_length=254, blank=True, db_default="")
    digest = models.CharField(max_length=64, unique=True)
    # The asker's session hash at the time: a new password of the portal voids the link.
    session_hash = models.CharField(max_length=64)
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    confirmed_at = models.DateTimeField(null=True, blank=True)
    applied_at = models.DateTimeField(null=True, blank=True)
    dropped_at = models.DateTimeField(null=True, blank=True)
    dropped = models.CharField(max_length=10, choices=Dropped, blank=True, db_default="")
    alarm_at = models.DateTimeField(null=True, blank=True)
    verdict = models.CharField(max_length=10, choices=Verdict, blank=True, db_default="")

    objects: ClassVar[models.Manager[Self]] = ScopedManager(ordine="request__member__ordine")

    class Meta:
        verbose_name = _("cambio dell'email di recupero")
        verbose_name_plural = _("cambi dell'email di recupero")

    def __str__(self) -> str:
        return f"{self.request} → {self.new_email}"


class Difference(models.Model):
    """Where the register and the provider disagree about a mailbox, from the run that found it to the one that did not.

    ``repair`` is what the portal may do about it by itself; blank where a person must decide. ``member`` says whose
    Ordine sees it: without one (a mailbox of somebody unknown) only the federation does.
    """

    class Kind(models.TextChoices):
        MISSING_THERE = "MISSING_THERE", _("manca presso il gestore")
        MISSING_HERE = "MISSING_HERE", _("manca nel registro")
        STATUS = "STATUS", _("altro stato")
        RECOVERY_EMAIL = "RECOVERY_EMAIL", _("altra email di recupero")
        HOLDER = "HOLDER", _("altro titolare")

    class Repair(models.TextChoices):
        RECOVERY_EMAIL = "RECOVERY_EMAIL", _("riportare presso il gestore l'email di recupero del registro")
        FOUND_CLOSED = "FOUND_CLOSED", _("segnare nel registro che la casella è cessata")
        CLOSE = "CLOSE", _("chiudere la casella presso il gestore")
        RETRY = "RETRY", _("concludere la creazione della casella")

    kind = models.CharField(_("differenza"), max_length=20, choices=Kind)
    address = models.CharField(_("indirizzo"), max_length=254)
    request = models.ForeignKey(
        PecRequest, models.CASCADE, null=True, blank=True, related_name="differences", verbose_name=_("richiesta")
    )
    member = models.ForeignKey(
        Member, models.CASCADE, null=True, blank=True, related_name="pec_differences", verbose_name=_("iscritto")
    )
    here = models.CharField(_("nel registro"), max_length=300, blank=True)
    there = models.CharField(_("presso il gestore"), max_length=300, blank=True)
    repair = models.CharField(_("riparazione"), max_length=20, choices=Repair, blank=True)
    first_seen = models.DateTimeField(_("vista la prima volta"), db_default=Now())
    last_seen = models.DateTimeField(_("vista l'ultima volta"), db_default=Now())
    closed_at = models.DateTimeField(_("chiusa il"), null=True, blank=True)
    repaired_at = models.DateTimeField(_("riparata il"), null=True, blank=True)

    objects: ClassVar[models.Manager[Self]] = ScopedManager(ordine="member__ordine")

    class Meta:
        verbose_name = _("differenza con il gestore")
        verbose_name_plural = _("differenze con il gestore")
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["address", "kind"], condition=Q(closed_at=None), name="one_open_difference_of_a_kind"
            )
        ]

    def __str__(self) -> str:
        return f"{self.address}: {self.get_kind_display()}"


class Notice(models.Model):
    """A mail that is still to be written: the transaction of a move has other things to do than to word it."""

    request = models.ForeignKey(PecRequest, models.PROTECT, related_name="+")
    act = models.CharField(max_length=20)
    created_at = models.DateTimeField(db_default=Now())

    objects: ClassVar[models.Manager[Self]] = ScopedManager(ordine="request__member__ordine")

    class Meta:
        verbose_name = _("avviso da scrivere")
        verbose_name_plural = _("avvisi da scrivere")

    def __str__(self) -> str:
        return f"{self.request}: {self.act}"


class Told(models.Model):
    """What a member is told of a request once, and never again: a reminder's day, or that certain data were refused.

    The row stands for the mail, sent or not: nobody who comes later, or at the same time, writes it a second time.
    """

    request = models.ForeignKey(PecRequest, models.PROTECT, related_name="+", db_index=False)
    what = models.CharField(max_length=60)
    at = models.DateTimeField(db_default=Now())

    objects: ClassVar[models.Manager[Self]] = ScopedManager(ordine="request__ordine")

    class Meta:
        verbose_name = _("avviso dato")
        verbose_name_plural = _("avvisi dati")
        constraints: ClassVar = [models.UniqueConstraint(fields=["request", "what"], name="told_once")]

    def __str__(self) -> str:
        return f"{self.request}: {self.what}"


class Digest(models.Model):
    """The day's mail to the office of an Ordine: this row keeps a second one from being sent."""

    ordine = models.ForeignKey(Ordine, models.PROTECT, related_name="+", db_index=False)
    day = models.DateField()

    objects: ClassVar[models.Manager[Self]] = ScopedManager(ordine="ordine")

    class Meta:
        verbose_name = _("riepilogo spedito")
        verbose_name_plural = _("riepiloghi spediti")
        constraints: ClassVar = [models.UniqueConstraint(fields=["ordine", "day"], name="one_digest_a_day")]

    def __str__(self) -> str:
        return f"{self.ordine} · {self.day}"
