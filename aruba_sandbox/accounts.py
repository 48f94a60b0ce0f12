"""Caselle: create, look up, search. What may be done to one later is in account_acts.py."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from http import HTTPStatus

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet

from aruba_sandbox import addresses, clock, effects, owners, tax_code
from aruba_sandbox.fields import Fields
from aruba_sandbox.models import Account, Owner
from aruba_sandbox.representations import ACCOUNT_TYPES
from aruba_sandbox.wire import ApiError, invalid, not_found

ADULT = 18
SORTABLE = {
    "name": "name",
    "type": "type",
    "status": "status",
    "requestDate": "request_date",
    "certificationDate": "certification_date",
    "activationDate": "certification_date",
    "suspensionDate": "suspension_date",
    "cancellationDate": "cancellation_date",
    "endDate": "end_date",
}


def live() -> QuerySet[Account]:
    """Every casella that is not closed, also not by a date that has come since."""
    not_due = Q(cancellation_date__isnull=True) | Q(cancellation_date__gt=clock.now())
    return Account.objects.filter(not_due, closed_at__isnull=True).select_related("owner")


def get(name: str, *, lock: bool = False) -> Account:
    """The live casella with this address; ``lock`` holds it and its owner until the transaction ends."""
    accounts = live().filter(name=addresses.normalise(name))
    account = (accounts.select_for_update() if lock else accounts).first()
    if account is None:
        raise not_found("Casella non trovata.")
    return account


def create(body: Fields) -> Account:
    """A new casella, still to be certified."""
    name = _new_address(body)
    owner = _holder(body.child("ownerId"))
    renewal = body.child("renewalData")
    account = Account(
        name=name,
        type=body.choice("type", tuple(ACCOUNT_TYPES)),
        owner=owner,
        recovery_email=recovery_email(body),
        renewal_type=renewal.choice("type", ("T", "S")),
        renewal_duration=renewal.integer("duration", most=5),
        contract_data=_contract_data(body),
        request_date=clock.now(),
    )
    account.end_date = clock.years_after(account.request_date, account.renewal_duration)
    _close_if_due(name)
    if was_anothers(name, owner.tax_code):
        raise invalid("L'indirizzo è assegnabile solo al titolare che lo aveva.")
    try:
        with transaction.atomic():
            account.save()
    except IntegrityError:
        raise invalid("L'indirizzo esiste già.") from None
    effects.record("create", name)
    return account


def available(body: Fields) -> dict[str, bool]:
    """Whether an address exists, and whether this tax code could have it."""
    domain = _active_domain(body, "domain", body.text("domain"))
    local_part = _local_part(body, "name", body.text("name"))
    code = tax_code.normalise(body.optional_text("taxCode"))
    name = f"{local_part}@{domain}"
    exists = live().filter(name=name).exists()
    return {"accountExists": exists, "isAccountAssignable": not exists and not was_anothers(name, code)}


def was_anothers(name: str, code: str) -> bool:
    """Whether a closed casella of somebody else had this address: then it is used up."""
    closed = Q(closed_at__isnull=False) | Q(cancellation_date__lte=clock.now())
    last = Account.objects.filter(closed, name=name).select_related("owner").order_by("-id").first()
    return last is not None and last.owner.tax_code != code


def search(body: Fields) -> QuerySet[Account]:
    """All live caselle that fit."""
    accounts = live()
    if body.has("owner"):
        accounts = accounts.filter(owner__in=owners.search(body.child("owner")))
    if body.has("status"):
        accounts = accounts.filter(status__iexact=body.text("status"))
    if body.has("type"):
        accounts = accounts.filter(type=body.text("type"))
    for field, column in (("activationDate", "certification_date"), ("endDate", "end_date")):
        accounts = accounts.filter(**_interval(body.optional_child(field), column))
    return accounts


def recovery_email(body: Fields) -> str:
    """The address that password links go to: ordinary mail, never a PEC."""
    email = body.text("recoveryEmail", least=5, most=80)
    if not addresses.is_email(email):
        body.refuse("recoveryEmail", "indirizzo e-mail non valido", "Email")
    if addresses.is_pec(email):
        body.refuse("recoveryEmail", "non può essere un indirizzo PEC", "Pec")
    return email


def refuse_unfit(owner: Owner) -> None:
    """Refuse a holder whose data want correcting or who is under age."""
    if owner.label == Owner.TO_CORRECT:
        raise invalid("Il titolare è da bonificare: correggere prima i suoi dati.")
    if tax_code.age(owner.tax_code, clock.now().date()) < ADULT:
        raise invalid("Il titolare non è maggiorenne.")


@contextmanager
def mistaken_if_missing() -> Iterator[None]:
    """Where the request names a holder in passing, an unknown one is bad data, not the 404 of the request itself."""
    try:
        yield
    except ApiError as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise
        raise invalid(error.description) from None


def _new_address(body: Fields) -> str:
    name = addresses.normalise(body.text("name"))
    local_part, at, domain = name.rpartition("@")
    if not at:
        body.refuse("name", "indicare l'indirizzo completo", "Pattern")
    _active_domain(body, "name", domain)
    _local_part(body, "name", local_part)
    return name


def _active_domain(body: Fields, field: str, domain: str) -> str:
    domain = addresses.normalise(domain)
    if domain not in settings.ACTIVE_DOMAINS:
        body.refuse(field, f"il dominio «{domain}» non è attivo", "Domain")
    return domain


def _local_part(body: Fields, field: str, local_part: str) -> str:
    local_part = addresses.normalise(local_part)
    if not addresses.is_local_part(local_part):
        body.refuse(field, "la parte prima della chiocciola non è ammessa", "Pattern")
    return local_part


def _holder(owner_id: Fields) -> Owner:
    with mistaken_if_missing():
        owner = owners.find(owner_id)
    refuse_unfit(owner)
    return owner


def _contract_data(body: Fields) -> dict[str, str | None] | None:
    if not body.has("contractData"):
        return None
    contract = body.child("contractData")
    return {field: contract.optional_text(field) or None for field in ("sdiCode", "cigOda")}


def _close_if_due(name: str) -> None:
    """Let go of an address whose cancellation date has come."""
    due = Account.objects.filter(name=name, closed_at__isnull=True, cancellation_date__lte=clock.now())
    for account in due.select_for_update():
        account.closed_at = account.cancellation_date
        account.save(update_fields=["closed_at"])


def _interval(limits: Fields, column: str) -> dict[str, datetime]:
    """The bounds of a search; a day given without an hour counts as a whole."""
    bounds = {}
    if limits.has("from"):
        bounds[f"{column}__gte"] = limits.moment("from")
    if limits.has("to"):
        whole_day = len(limits.text("to")) == len("2026-01-31")
        bounds[f"{column}__lt" if whole_day else f"{column}__lte"] = limits.moment("to") + timedelta(days=whole_day)
    return bounds
