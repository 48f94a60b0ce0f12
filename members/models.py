"""The albo: Ordini, albi, people and their enrolments, and the accounts people sign in with."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from django.contrib.auth.models import AbstractUser
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Collate, Now, Upper
from django.utils.translation import gettext_lazy as _
from django_scopes import ScopedManager, scopes_disabled

from members import emails, tax_codes
from members.emails import EmailProblem
from members.entry_models import KnownDevice as KnownDevice  # here Django looks for the models of this app
from members.entry_models import Session as Session
from members.entry_models import Tally as Tally
from members.names import SEARCH_KEY_LENGTH, search_key
from members.support_models import SupportView as SupportView  # where Django looks for the models of this app

MOST_REMINDERS = 6


def default_reminder_days() -> list[int]:
    """After how many days a casella that waits for its member is called to mind."""
    return [7, 15, 25]


def validate_reminder_days(days: list[int]) -> None:
    """A few reminders, each on a day of its own."""
    if not all(1 <= day <= 365 for day in days):
        raise ValidationError(_("Indicare giorni da 1 a 365."))
    if len(days) > MOST_REMINDERS:
        raise ValidationError(_("Al massimo %(most)d promemoria.") % {"most": MOST_REMINDERS})
    if len(set(days)) < len(days):
        raise ValidationError(_("Ogni giorno va indicato una volta sola."))


class Ordine(models.Model):
    """A professional body. Everything a member's data hangs on belongs to exactly one."""

    class OnSuspension(models.TextChoices):
        KEEP = "KEEP", _("La casella resta attiva")
        SUSPEND = "SUSPEND", _("La casella viene sospesa")

    code = models.SlugField(_("codice"), max_length=40, unique=True)
    name = models.CharField(_("denominazione"), max_length=250)
    short_name = models.CharField(_("nome breve"), max_length=80)
    provinces = ArrayField(models.CharField(max_length=2), verbose_name=_("province"), default=list, blank=True)
    address = models.CharField(_("indirizzo"), max_length=250, blank=True)
    tax_code = models.CharField(_("codice fiscale"), max_length=16, blank=True)
    email = models.EmailField(_("e-mail della segreteria"), blank=True)
    phone = models.CharField(_("telefono della segreteria"), max_length=40, blank=True)
    on_suspension = models.CharField(
        _("in caso di sospensione disciplinare"), max_length=10, choices=OnSuspension, default=OnSuspension.KEEP
    )
    closing_days = models.PositiveIntegerField(
        _("giorni prima della chiusura"),
        default=60,
        help_text=_("Quanto resta aperta la casella di chi lascia l'albo."),
    )
    reminder_days = ArrayField(
        models.IntegerField(),
        verbose_name=_("promemoria dopo giorni"),
        default=default_reminder_days,
        blank=True,
        validators=[validate_reminder_days],
        help_text=_(
            "Dopo quanti giorni ricordare all'iscritto che la casella aspetta di essere accettata: numeri separati da "
            "virgole, per esempio 7, 15, 25. Vuoto: nessun promemoria."
        ),
    )
    daily_digest = models.BooleanField(
        _("riepilogo quotidiano"),
        default=True,
        help_text=_("Ogni mattina, se c'è qualcosa da dire, un'e-mail alla segreteria."),
    )
    log_months = models.PositiveSmallIntegerField(
        _("mesi di conservazione del registro"),
        default=24,
        db_default=24,
        validators=[MinValueValidator(6), MaxValueValidator(240)],
        help_text=_("Per quanti mesi restano le voci del registro delle attività: almeno 6."),
    )
    forget_years = models.PositiveSmallIntegerField(
        _("anni di conservazione dei contatti di chi lascia l'albo"),
        default=5,
        db_default=5,
        validators=[MinValueValidator(1), MaxValueValidator(50)],
        help_text=_("Poi si cancellano recapiti e accesso al portale; iscrizioni e caselle restano, per legge."),
    )

    class Meta:
        verbose_name = _("Ordine")
        verbose_name_plural = _("Ordini")
        ordering: ClassVar = ["name"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(log_months__gte=6), name="log_kept_six_months"),
            models.CheckConstraint(condition=Q(forget_years__gte=1), name="contacts_kept_a_year"),
        ]
        permissions: ClassVar = [("view_letters", _("Può vedere i messaggi che il portale spedisce"))]

    def __str__(self) -> str:
        return self.short_name


class Albo(models.Model):
    """The national register of one profession, with the dates between which it takes enrolments."""

    name = models.CharField(_("denominazione"), max_length=150, unique=True)
    valid_from = models.DateField(_("valido dal"), null=True, blank=True)
    valid_to = models.DateField(_("valido fino al"), null=True, blank=True)

    class Meta:
        verbose_name = _("albo")
        verbose_name_plural = _("albi")
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return self.name


class User(AbstractUser):
    """An account: of a member, of the staff of one or more Ordini, or of the federation; or more than one of these.

    Members' accounts have a generated user name: people sign in with the codice fiscale of their record.
    """

    class Meta:
        verbose_name = _("utente")
        verbose_name_plural = _("utenti")

    @property
    def record(self) -> Member | None:
        """The member's record this account belongs to, if it is a member's."""
        # One's own record is not a matter of tenancy: this is how the tenancy of a request is found.
        with scopes_disabled():
            return Member.objects.select_related("ordine").filter(user=self).first()

    @property
    def works_in_office(self) -> bool:
        """Whether more than one person's own data hangs on this account: an office's, wherever, or the federation's."""
        # In any Ordine: the one that asks may not be the one it is true of.
        with scopes_disabled():
            return self.is_superuser or StaffRole.objects.filter(user=self).exists()


class StaffRole(models.Model):
    """What a user may do in the office of one Ordine; see ``members.roles`` for what each role carries.

    Written by ``members.staffing`` and nobody else.
    """

    class Role(models.TextChoices):
        REVISORE = "REVISORE", _("Revisore")
        OPERATORE = "OPERATORE", _("Operatore")
        RESPONSABILE = "RESPONSABILE", _("Responsabile")

    user = models.ForeignKey(User, models.CASCADE, related_name="staff_roles", verbose_name=_("utente"))
    ordine = models.ForeignKey(Ordine, models.PROTECT, related_name="staff_roles", verbose_name=_("Ordine"))
    role = models.CharField(_("ruolo"), max_length=20, choices=Role, default=Role.OPERATORE)

    objects: ClassVar[models.Manager[Self]] = ScopedManager(ordine="ordine")

    class Meta:
        verbose_name = _("incarico di segreteria")
        verbose_name_plural = _("incarichi di segreteria")
        permissions: ClassVar = [("manage_staff", _("Può dare, cambiare e togliere incarichi di segreteria"))]
        constraints: ClassVar = [models.UniqueConstraint(fields=["user", "ordine"], name="one_role_per_ordine")]

    def __str__(self) -> str:
        return f"{self.user} · {self.ordine} · {self.get_role_display()}"


class Member(models.Model):
    """One person (iscritto), known by codice fiscale in the whole installation and kept by one Ordine."""

    class Sex(models.TextChoices):
        M = "M", _("Maschile")
        F = "F", _("Femminile")

    # Its index is ``member_list``, whose first column it is.
    ordine = models.ForeignKey(Ordine, models.PROTECT, related_name="members", verbose_name=_("Ordine"), db_index=False)
    user = models.OneToOneField(
        User, models.SET_NULL, null=True, blank=True, related_name="member", verbose_name=_("utente")
    )
    tax_code = models.CharField(_("codice fiscale"), max_length=16, unique=True)
    # The code disagrees with surname, name, birth date or sex: the provider would refuse this person.
    tax_code_mismatch = models.BooleanField(_("codice fiscale incoerente"), default=False, editable=False)
    surname = models.CharField(_("cognome"), max_length=80)
    name = models.CharField(_("nome"), max_length=80)
    # By bytes: then beginnings can be looked up in the same index that lists are read from, in its order.
    search_key = models.CharField(max_length=SEARCH_KEY_LENGTH, editable=False, db_collation="C")
    sex = models.CharField(_("sesso"), max_length=1, choices=Sex, blank=True)
    birth_date = models.DateField(_("data di nascita"), null=True, blank=True)
    birth_place = models.CharField(_("luogo di nascita"), max_length=100, blank=True)
    birth_province = models.CharField(_("provincia di nascita"), max_length=2, blank=True)
    file_number = models.CharField(_("matricola"), max_length=30, blank=True)
    personal_email = models.CharField(_("e-mail personale"), max_length=254, blank=True)
    email_problem = models.CharField(
        _("problema dell'e-mail"),
        max_length=20,
        choices=EmailProblem,
        default=EmailProblem.MISSING,
        blank=True,
        editable=False,
    )
    email_confirmed_at = models.DateTimeField(_("e-mail confermata il"), null=True, blank=True, editable=False)
    mobile = models.CharField(_("cellulare"), max_length=40, blank=True)
    # Set when the member has written the number: then no import changes it.
    mobile_set_at = models.DateTimeField(_("cellulare indicato il"), null=True, blank=True, editable=False)
    own_pec = models.CharField(_("PEC propria"), max_length=254, blank=True)
    wants_reminders = models.BooleanField(_("vuole i promemoria"), default=True, db_default=True, editable=False)
    # As it was chosen; empty: never.
    language = models.CharField(_("lingua"), max_length=2, blank=True, default="", db_default="", editable=False)
    address = models.CharField(_("indirizzo"), max_length=200, blank=True)
    postcode = models.CharField(_("CAP"), max_length=10, blank=True)
    town = models.CharField(_("comune"), max_length=100, blank=True)
    province = models.CharField(_("provincia"), max_length=2, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects: ClassVar[models.Manager[Self]] = ScopedManager(ordine="ordine")

    class Meta:
        verbose_name = _("iscritto")
        verbose_name_plural = _("iscritti")
        ordering: ClassVar = ["search_key", "id"]
        permissions: ClassVar = [
            ("invite_member", _("Può invitare al portale")),
            ("print_code", _("Può stampare codici di primo accesso")),
            ("print_sheet", _("Può stampare la scheda")),
            ("export_lists", _("Può esportare elenchi")),
            ("see_as_member", _("Può vedere il portale come un iscritto")),
        ]
        indexes: ClassVar = [
            models.Index(fields=["ordine", "search_key", "id"], name="member_list"),
            models.Index(fields=["ordine", "province", "search_key", "id"], name="member_province"),
            # Of what is rare only the rare: the importing of everybody else does not pay for it.
            models.Index(
                fields=["ordine", "search_key", "id"], condition=Q(tax_code_mismatch=True), name="member_mismatch"
            ),
            models.Index(
                fields=["ordine", "email_problem", "search_key", "id"],
                condition=~Q(email_problem=""),
                name="member_email_problem",
            ),
            models.Index(F("ordine"), Collate("tax_code", "C"), F("id"), name="member_tax_code"),
            models.Index(Upper("personal_email"), name="member_email"),
        ]

    def __str__(self) -> str:
        return f"{self.surname} {self.name}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Keep what is derived from the record in step with it (bulk writers call ``derive`` themselves)."""
        self.derive()
        super().save(*args, **kwargs)

    def derive(self) -> None:
        """Set ``search_key``, ``tax_code_mismatch`` and ``email_problem`` from the other fields."""
        self.search_key = search_key(self.surname, self.name)
        self.tax_code_mismatch = not tax_codes.agrees(
            self.tax_code, surname=self.surname, name=self.name, birth_date=self.birth_date, sex=self.sex
        )
        self.email_problem = emails.problem(self.personal_email)

    @property
    def full_name(self) -> str:
        """Name, then surname, as one addresses a person."""
        return f"{self.name} {self.surname}"

    @property
    def usable_email(self) -> str:
        """The personal e-mail where it can receive a recovery link, else an empty string."""
        return "" if self.email_problem else self.personal_email


class Enrolment(models.Model):
    """One enrolment (iscrizione) of a member in an albo."""

    class Status(models.TextChoices):
        ISCRITTO = "ISCRITTO", _("Iscritto")
        SOSPESO = "SOSPESO", _("Sospeso")
        CANCELLATO = "CANCELLATO", _("Cancellato")

    # The index of ``one_enrolment_per_albo`` serves for the member; by albo one looks in ``Term``.
    member = models.ForeignKey(
        Member, models.PROTECT, related_name="enrolments", verbose_name=_("iscritto"), db_index=False
    )
    albo = models.ForeignKey(Albo, models.PROTECT, related_name="enrolments", verbose_name=_("albo"), db_index=False)
    number = models.CharField(_("numero di iscrizione"), max_length=30, db_index=True)
    enrolled_on = models.DateField(_("data di iscrizione"), null=True, blank=True)
    status = models.CharField(_("stato"), max_length=12, choices=Status, default=Status.ISCRITTO)
    cancelled_on = models.DateField(_("data di cancellazione"), null=True, blank=True)

    objects: ClassVar[models.Manager[Self]] = ScopedManager(ordine="member__ordine")

    class Meta:
        verbose_name = _("iscrizione")
        verbose_name_plural = _("iscrizioni")
        ordering: ClassVar = ["albo__name", "id"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["member", "albo"], name="one_enrolment_per_albo")]

    def __str__(self) -> str:
        return f"{self.albo} n. {self.number}"


class Term(models.Model):
    """What a member is found by and no column of the member holds, in the order of the members' list.

    A word of the name that is not the first, or, behind a ``=``, an albo, the status of an enrolment, or what
    ``pec_requests`` adds. Triggers of the database write these rows and nothing else does: an import by COPY keeps them
    right as well. They refer to nothing, since the triggers also take them away.
    """

    pk = models.CompositePrimaryKey("ordine_id", "term", "sort", "member_id")
    ordine = models.ForeignKey(Ordine, models.DO_NOTHING, related_name="+", db_constraint=False, db_index=False)
    term = models.CharField(max_length=170, db_collation="C")
    sort = models.CharField(max_length=170, db_collation="C")
    member = models.ForeignKey(Member, models.DO_NOTHING, related_name="+", db_constraint=False, db_index=False)

    objects: ClassVar[models.Manager[Self]] = ScopedManager(ordine="ordine")

    class Meta:
        verbose_name = _("voce di ricerca")
        verbose_name_plural = _("voci di ricerca")

    def __str__(self) -> str:
        return self.term


class AccessLink(models.Model):
    """A single-use way into an account: invitation, forgotten password, or a code printed by the Ordine.

    Only the digest of the secret is kept (SHA-256, hexadecimal).
    """

    class Purpose(models.TextChoices):
        INVITATION = "INVITATION", _("Invito")
        PASSWORD = "PASSWORD", _("Password dimenticata")
        PRINTED = "PRINTED", _("Codice consegnato a mano")

    user = models.ForeignKey(User, models.CASCADE, related_name="access_links", verbose_name=_("utente"))
    purpose = models.CharField(_("scopo"), max_length=12, choices=Purpose)
    digest = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField(_("scade il"))
    used_at = models.DateTimeField(_("usato il"), null=True, blank=True)
    # A newer link of the same purpose took this one's place.
    replaced_at = models.DateTimeField(_("sostituito il"), null=True, blank=True)

    class Meta:
        verbose_name = _("link di accesso")
        verbose_name_plural = _("link di accesso")

    def __str__(self) -> str:
        return f"{self.get_purpose_display()} · {self.user}"


class EmailChange(models.Model):
    """A member's wish for another personal e-mail; nothing changes before the new address confirms it.

    Only the digest of the link's secret is kept (SHA-256, hexadecimal).
    """

    member = models.ForeignKey(Member, models.CASCADE, related_name="email_changes", verbose_name=_("iscritto"))
    new_email = models.CharField(_("nuova e-mail personale"), max_length=254)
    # What it is to replace: where somebody else has put another in the meantime, the wish is out of date.
    old_email = models.CharField(_("e-mail di prima"), max_length=254, blank=True)
    digest = models.CharField(max_length=64, unique=True)
    # The member's session hash at the time: a new password of the portal voids the link.
    session_hash = models.CharField(max_length=64)
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    confirmed_at = models.DateTimeField(null=True, blank=True)
    # Taken back, or a newer wish took its place.
    dropped_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[models.Manager[Self]] = ScopedManager(ordine="member__ordine")

    class Meta:
        verbose_name = _("cambio dell'e-mail personale")
        verbose_name_plural = _("cambi dell'e-mail personale")

    def __str__(self) -> str:
        return f"{self.member} → {self.new_email}"


class ImportRun(models.Model):
    """One file that the office of an Ordine brought to be imported, from its upload to how it ended.

    Who may write ``state``: ``members.import_runs``. The file itself lies in a folder of ``members.uploads``.
    """

    class Kind(models.TextChoices):
        ALBO = "ALBO", _("Albo")
        PEC = "PEC", _("PEC esistenti (file per INI-PEC)")

    class State(models.TextChoices):
        UPLOADED = "UPLOADED", _("In attesa di lettura")
        READING = "READING", _("In lettura")
        COLUMNS = "COLUMNS", _("Colonne da indicare")
        READY = "READY", _("Da confermare")
        CONFIRMED = "CONFIRMED", _("In attesa di importazione")
        IMPORTING = "IMPORTING", _("In importazione")
        DONE = "DONE", _("Importato")
        FAILED = "FAILED", _("Non riuscito")
        CANCELLED = "CANCELLED", _("Annullato")

    ordine = models.ForeignKey(Ordine, models.PROTECT, related_name="import_runs", verbose_name=_("Ordine"))
    state = models.CharField(_("stato"), max_length=12, choices=State, default=State.UPLOADED)
    kind = models.CharField(_("che cosa contiene"), max_length=8, choices=Kind, blank=True)
    file_name = models.CharField(_("file"), max_length=150)
    file_size = models.BigIntegerField(_("dimensione"))
    file_sha256 = models.CharField("SHA-256", max_length=64)
    folder = models.CharField(max_length=40, unique=True, editable=False)
    uploaded_by = models.CharField(_("caricato da"), max_length=150)
    uploaded_at = models.DateTimeField(_("caricato il"), db_default=Now())
    # In whose name the import writes: ``Actor`` as JSON.
    confirmed_by = models.JSONField(default=dict, blank=True, editable=False)
    ended_at = models.DateTimeField(_("concluso il"), null=True, blank=True)
    # The file's columns, each with its name, its header and an example; and field → name, as somebody chose.
    columns = models.JSONField(default=list, blank=True, editable=False)
    mapping = models.JSONField(default=dict, blank=True, editable=False)
    counts = models.JSONField(default=dict, blank=True, editable=False)
    problem = models.TextField(_("problema"), blank=True)
    # Which worker's turn it is, and when it was last seen at work.
    claim = models.UUIDField(null=True, editable=False)
    alive_at = models.DateTimeField(null=True, editable=False)

    objects: ClassVar[models.Manager[Self]] = ScopedManager(ordine="ordine")

    class Meta:
        verbose_name = _("importazione")
        verbose_name_plural = _("importazioni")
        ordering: ClassVar = ["-id"]
        permissions: ClassVar = [("import_albo", _("Può importare l'albo"))]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["ordine"], condition=Q(state__in=["CONFIRMED", "IMPORTING"]), name="one_import_per_ordine"
            )
        ]

    def __str__(self) -> str:
        return self.file_name


class ColumnMapping(models.Model):
    """Which column of a file holds what, as the office of an Ordine once said of a file with these headers."""

    ordine = models.ForeignKey(Ordine, models.CASCADE, related_name="column_mappings", verbose_name=_("Ordine"))
    headers = models.CharField(max_length=64)  # the digest of their set
    mapping = models.JSONField(default=dict)

    objects: ClassVar[models.Manager[Self]] = ScopedManager(ordine="ordine")

    class Meta:
        verbose_name = _("colonne di un file")
        verbose_name_plural = _("colonne dei file")
        constraints: ClassVar = [models.UniqueConstraint(fields=["ordine", "headers"], name="one_mapping_per_headers")]

    def __str__(self) -> str:
        return self.headers
