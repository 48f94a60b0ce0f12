"""Holders and caselle as the API shows them: every field of the contract, always."""

from datetime import datetime

from aruba_sandbox.models import Account, Owner
from aruba_sandbox.wire import moment

ACCOUNT_TYPES: dict[str, dict[str, object]] = {
    name: {
        "type": name,
        "description": description,
        "inboxBase": inbox,
        "inboxMaxExtra": 100,
        "archiveBase": archive,
        "archiveMaxExtra": 100,
    }
    for name, description, inbox, archive in (
        ("EMAIL", "Casella PEC Standard", 1, 0),
        ("EMAIL_PRO", "Casella PEC Pro", 2, 3),
        ("EMAIL_PREMIUM", "Casella PEC Premium", 2, 8),
    )
}


def owner(holder: Owner) -> dict[str, object]:
    """A holder."""
    return {
        "id": holder.pk,
        "userType": holder.user_type,
        "name": holder.name,
        "surname": holder.surname,
        "taxCode": holder.tax_code,
        "vatNumber": holder.vat_number or None,
        "businessName": holder.business_name or None,
        "businessTaxCode": holder.business_tax_code or None,
        "contacts": holder.contacts,
        "companyContacts": holder.company_contacts,
        "label": holder.label or None,
    }


def account(casella: Account, *, with_recovery_email: bool = False) -> dict[str, object]:
    """A casella, with the recovery address only where the convention shows it."""
    recovery_email = {"recoveryEmail": casella.recovery_email} if with_recovery_email else {}
    return {
        "name": casella.name,
        "type": casella.type,
        "status": casella.status,
        "quotas": _quotas(casella.type),
        "owner": owner(casella.owner),
        **dates(casella),
        "renewalData": {"type": casella.renewal_type, "duration": casella.renewal_duration},
        "contractData": casella.contract_data,
        "additionalServices": [],
        **recovery_email,
    }


def dates(casella: Account) -> dict[str, str | None]:
    """Everything that happened, or will happen, to a casella."""
    return {
        "requestDate": moment(casella.request_date),
        "certificationDate": _moment_or_none(casella.certification_date),
        "suspensionDate": _moment_or_none(casella.suspension_date),
        "cancellationDate": _moment_or_none(casella.cancellation_date),
        "endDate": moment(casella.end_date),
    }


def _quotas(account_type: str) -> list[dict[str, object]]:
    sizes = ACCOUNT_TYPES[account_type]
    return [
        {"type": kind, "base": sizes[field], "extra": 0, "used": 0, "available": sizes[field]}
        for kind, field in (("INBOX", "inboxBase"), ("ARCHIVIO", "archiveBase"))
    ]


def _moment_or_none(value: datetime | None) -> str | None:
    return moment(value) if value else None
