"""A member as the provider wants to read one: a holder (*titolare*) who is a private person."""

import re

from pec_requests.provider.base import Holder

ITALY = 260
_MOBILE = re.compile(r"3\d{8,9}")
_LANDLINE = re.compile(r"0\d{5,10}")
_WITHOUT_PLUS = re.compile(r"39(3\d{9}|0\d{7,10})")


def owner_fields(holder: Holder, recovery_email: str) -> dict[str, object]:
    """The body of the call that creates a holder. What the portal does not know is left out."""
    return {
        "userType": "PRIVATO",
        "name": holder.name,
        "surname": holder.surname,
        "taxCode": holder.tax_code,
        "contacts": _contacts(holder, recovery_email),
    }


def telephone(text: str) -> str:
    """An Italian number as the provider writes it, ``+39.071000000``; ``""`` where it can be none."""
    digits = re.sub(r"[\s./()-]", "", text)
    if digits.startswith(("+39", "0039")):
        digits = digits.removeprefix("+39").removeprefix("0039")
    elif found := _WITHOUT_PLUS.fullmatch(digits):
        digits = found[1]
    return f"+39.{digits}" if _MOBILE.fullmatch(digits) or _LANDLINE.fullmatch(digits) else ""


def _contacts(holder: Holder, recovery_email: str) -> dict[str, object]:
    number = telephone(holder.mobile)
    contacts: dict[str, object] = {
        "address": holder.address,
        "town": holder.town,
        "zipCode": holder.postcode,
        "district": holder.province,
        "country": ITALY,
        "email": holder.email or recovery_email,
        "telephoneNumber": number,
        "mobile": number if number.startswith("+39.3") else "",
    }
    return {field: value for field, value in contacts.items() if value != ""}
