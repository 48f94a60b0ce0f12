"""What the provider keeps: holders, caselle, password links, mail, and the count of effects for tests."""

from datetime import datetime
from typing import ClassVar

from django.db import models
from django.db.models import Case, Q, Value, When


class Owner(models.Model):
    """A *titolare*: the holder of caselle, known by codice fiscale."""

    class UserType(models.TextChoices):
        """Whom the provider tells apart; the first three need a VAT number."""

        AZIENDA = "AZIENDA"
        DITTA_INDIVIDUALE = "DITTA_INDIVIDUALE"
        LIBERO_PROFESSIONISTA = "LIBERO_PROFESSIONISTA"
        PRIVATO = "PRIVATO"
        NO_PROFIT = "NO_PROFIT"
        PUBBLICA_AMMINISTRAZIONE = "PUBBLICA_AMMINISTRAZIONE"

    VAT_WANTED = frozenset({UserType.AZIENDA, UserType.DITTA_INDIVIDUALE, UserType.LIBERO_PROFESSIONISTA})
    TO_CORRECT = "Da bonificare"

    user_type = models.CharField(max_length=30, choices=UserType.choices)
    name = models.CharField(max_length=80)
    surname = models.CharField(max_length=80)
    tax_code = models.CharField(max_length=16, db_index=True)
    vat_number = models.CharField(max_length=11, blank=True)
    business_name = models.CharField(max_length=255, blank=True)
    business_tax_code = models.CharField(max_length=16, blank=True)
    contacts = models.JSONField(default=dict)
    company_contacts = models.JSONField(null=True)
    label = models.CharField(max_length=30, blank=True)

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tax_code", "vat_number"], name="owner_once_per_vat_number"),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.surname}"


class Account(models.Model):
    """A *casella*. A closed one stays, because its address may go back only to the same codice fiscale."""

    class Status(models.TextChoices):
        """The provider's words; a suspended casella is told by its ``suspension_date``."""

        TO_CERTIFY = "Da Certificare"
        CERTIFIED = "Certificato"
        CANCELLING = "Richiesta Disdetta"
        CANCELLING_SUSPENDED = "Richiesta Disdetta Sospesa"

    name = models.CharField(max_length=255)
    type = models.CharField(max_length=30)
    owner = models.ForeignKey(Owner, on_delete=models.PROTECT, related_name="accounts")
    recovery_email = models.CharField(max_length=80)
    password = models.CharField(max_length=255, blank=True)
    renewal_type = models.CharField(max_length=1)
    renewal_duration = models.PositiveSmallIntegerField()
    contract_data = models.JSONField(null=True)
    request_date = models.DateTimeField()
    certification_date = models.DateTimeField(null=True)
    suspension_date = models.DateTimeField(null=True)
    cancellation_type = models.CharField(max_length=1, blank=True)
    cancellation_date = models.DateTimeField(null=True)
    end_date = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    status = models.GeneratedField(
        expression=Case(
            When(
                Q(cancellation_date__isnull=False, suspension_date__isnull=False),
                then=Value(Status.CANCELLING_SUSPENDED.value),
            ),
            When(cancellation_date__isnull=False, then=Value(Status.CANCELLING.value)),
            When(certification_date__isnull=False, then=Value(Status.CERTIFIED.value)),
            default=Value(Status.TO_CERTIFY.value),
        ),
        output_field=models.CharField(max_length=30),
        db_persist=True,
    )

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["name"], condition=Q(closed_at__isnull=True), name="address_once"),
        ]
        indexes: ClassVar = [models.Index(fields=["name"])]

    def __str__(self) -> str:
        return self.name

    def is_open(self, now: datetime) -> bool:
        """Whether the casella still exists: not closed, nor due to close by ``now``."""
        return self.closed_at is None and (self.cancellation_date is None or self.cancellation_date > now)


class PasswordLink(models.Model):
    """A link to set a password, mailed to the recovery address; only a digest of its secret is kept."""

    class Purpose(models.TextChoices):
        """What the link was asked for."""

        FIRST = "first"
        RESET = "reset"

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="password_links")
    digest = models.CharField(max_length=64, unique=True)
    purpose = models.CharField(max_length=10, choices=Purpose.choices)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)
    superseded_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.purpose} {self.account_id}"


class LoginThrottle(models.Model):
    """Wrong passwords in a row for one address, whether a casella has it or not."""

    address = models.CharField(max_length=255, unique=True)
    failures = models.PositiveSmallIntegerField(default=0)
    blocked_until = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.address


class Mail(models.Model):
    """One mail as one of its recipients got it."""

    sender = models.CharField(max_length=320)
    recipient = models.CharField(max_length=320, db_index=True)
    subject = models.TextField()
    text = models.TextField()
    html = models.TextField()
    received_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["-id"]

    def __str__(self) -> str:
        return self.subject


class Effect(models.Model):
    """One call that changed something, written in the same transaction as the change."""

    call = models.CharField(max_length=30)
    address = models.CharField(max_length=255)

    def __str__(self) -> str:
        return f"{self.call} {self.address}"
