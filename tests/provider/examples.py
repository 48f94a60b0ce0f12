"""Answers of the provider as its contract writes them, about invented people."""

from typing import Any

from pec_requests.provider import Holder

TOKEN_PATH = "/service/public/auth/v2/token"
REFRESH_PATH = "/service/public/auth/v2/refresh"
OWNERS = "/service/public/partner/pec/v2/owners"
ACCOUNTS = "/service/public/partner/pec/v3/accounts"
TAX_CODE = "RSSMRA80A01A271M"
ADDRESS = "mario.rossi@tsrm.org"
RECOVERY = "mario@example.com"
HOLDER = Holder(
    tax_code=TAX_CODE,
    name="Mario",
    surname="Rossi",
    email="mario.rossi@example.com",
    address="Via Roma 1",
    town="Ancona",
    postcode="60121",
    province="AN",
    mobile="385 5371724",
)


def envelope(data: object, errors: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """The envelope of every answer."""
    return {"version": "v2", "datetime": "2026-01-31T10:00:00+01:00", "data": data, "errors": errors or []}


def problem(description: str, *, code: str = "001", field: str = "", message: str = "") -> dict[str, Any]:
    """One of an envelope's errors."""
    validation = {
        "objectName": "request",
        "field": field,
        "code": "Pattern",
        "rejectedValue": "VALORE-RIFIUTATO",
        "defaultMessage": message,
    }
    return {"code": code, "description": description, "validationError": validation if field else None}


def token_data(access: str = "token-1", refresh: str = "refresh-1", seconds: float = 300) -> dict[str, Any]:
    """What the two calls of authentication answer."""
    return {
        "accessToken": access,
        "expiresIn": seconds,
        "refreshToken": refresh,
        "refreshExpiresIn": 43200,
        "tokenType": "Bearer",
    }


def account(**changes: Any) -> dict[str, Any]:
    """A casella, with every field of the contract."""
    return {
        "name": ADDRESS,
        "type": "EMAIL",
        "status": "Da Certificare",
        "quotas": [{"type": "INBOX", "base": 1, "extra": 0, "used": 0, "available": 1}],
        "owner": {"id": 7, "userType": "PRIVATO", "name": "Mario", "surname": "Rossi", "taxCode": TAX_CODE},
        "requestDate": "2026-01-31T10:00:00+01:00",
        "certificationDate": None,
        "suspensionDate": None,
        "cancellationDate": None,
        "endDate": None,
        "renewalData": {"type": "T", "duration": 1},
        "contractData": None,
        "additionalServices": [],
        **changes,
    }


def page(*content: Any, last: bool = True) -> dict[str, Any]:
    """A page of a search."""
    return {"content": list(content), "number": 0, "size": 200, "last": last, "empty": not content}
