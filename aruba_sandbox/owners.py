"""Holders (*titolari*): create, correct, find."""

import re

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from stdnum.it import iva

from aruba_sandbox import addresses, effects, tax_code
from aruba_sandbox.fields import Fields
from aruba_sandbox.models import Owner
from aruba_sandbox.wire import ApiError, invalid, not_found

CALL = "owners"
SORTABLE = {
    "id": "id",
    "name": "name",
    "surname": "surname",
    "taxCode": "tax_code",
    "vatNumber": "vat_number",
    "userType": "user_type",
}
ITALY = 260

_TELEPHONE = re.compile(r"\+\d{1,4}\.\d{4,15}")
_ZIP_CODE = re.compile(r"\d{5}")


def create(body: Fields) -> Owner:
    """A new holder; the same tax code may come again only with another VAT number."""
    owner = Owner(
        user_type=body.choice("userType", tuple(Owner.UserType.values)),
        name=body.text("name", most=80),
        surname=body.text("surname", most=80),
        tax_code=_tax_code(body, "taxCode"),
        vat_number=_vat_number(body, "vatNumber"),
        business_name=body.optional_text("businessName"),
        business_tax_code=body.optional_text("businessTaxCode", most=16),
        contacts=_contacts(body.child("contacts")),
        company_contacts=_contacts(body.child("companyContacts")) if body.has("companyContacts") else None,
    )
    if owner.user_type in Owner.VAT_WANTED and not owner.vat_number:
        body.refuse("vatNumber", f"obbligatorio per {owner.user_type}", "NotNull")
    _refuse_incoherent(owner)
    _save(owner)
    return owner


def update(body: Fields) -> Owner:
    """Change contacts at any time, identity only before recognition has begun."""
    owner = find(body.child("ownerId"), lock=True)
    if body.has("name") != body.has("surname"):
        body.refuse("name", "nome e cognome si modificano insieme")
    if body.has("name") or body.has("newTaxCode"):
        _correct_identity(owner, body)
    if body.has("newVatNumber"):
        owner.vat_number = _vat_number(body, "newVatNumber")
    if body.has("businessName"):
        owner.business_name = body.text("businessName")
    if body.has("contacts"):
        owner.contacts = _contacts(body.child("contacts"), owner.contacts)
    if body.has("companyContacts"):
        owner.company_contacts = _contacts(body.child("companyContacts"), owner.company_contacts)
    _save(owner)
    return owner


def find(owner_id: Fields, *, lock: bool = False) -> Owner:
    """The one holder this names by id, tax code or VAT number."""
    found = search(owner_id, strictly=True)
    owners = list((found.select_for_update() if lock else found)[:2])
    if not owners:
        raise not_found("Titolare non trovato.")
    if len(owners) > 1:
        raise invalid("Più titolari corrispondono ai dati indicati: indicare l'id.")
    return owners[0]


def get(owner_id: int) -> Owner:
    """The holder with this id."""
    try:
        return Owner.objects.get(pk=owner_id)
    except Owner.DoesNotExist:
        raise not_found("Titolare non trovato.") from None


def search(criteria: Fields, *, strictly: bool = False) -> QuerySet[Owner]:
    """All holders that fit; ``strictly`` wants something that identifies one."""
    owners = Owner.objects.order_by("id")
    if criteria.has("id"):
        owners = owners.filter(pk=criteria.integer("id"))
    if criteria.has("taxCode"):
        owners = owners.filter(tax_code=tax_code.normalise(criteria.text("taxCode")))
    if criteria.has("vatNumber"):
        owners = owners.filter(vat_number=criteria.text("vatNumber"))
    if strictly:
        if not any(map(criteria.has, ("id", "taxCode", "vatNumber"))):
            criteria.refuse("id", "indicare id, taxCode o vatNumber", "NotNull")
        return owners
    if criteria.has("name"):
        owners = owners.filter(name__iexact=criteria.text("name"))
    if criteria.has("surname"):
        owners = owners.filter(surname__iexact=criteria.text("surname"))
    if criteria.flag("toCorrectOnly"):
        owners = owners.filter(label=Owner.TO_CORRECT)
    return owners


def telephone(fields: Fields, field: str) -> str:
    """A number the way the provider writes it, or nothing."""
    number = fields.optional_text(field, most=30)
    if number and not _TELEPHONE.fullmatch(number):
        fields.refuse(field, "deve avere la forma +39.071000000", "Pattern")
    return number


def _correct_identity(owner: Owner, body: Fields) -> None:
    if owner.accounts.filter(certification_date__isnull=False).exists():
        raise ApiError(403, "I dati anagrafici non sono più modificabili: il riconoscimento è già iniziato.")
    if body.has("name"):
        owner.name = body.text("name", most=80)
        owner.surname = body.text("surname", most=80)
    if body.has("newTaxCode"):
        owner.tax_code = _tax_code(body, "newTaxCode")
    _refuse_incoherent(owner)
    owner.label = ""


def _refuse_incoherent(owner: Owner) -> None:
    if not tax_code.fits(owner.tax_code, owner.name, owner.surname):
        data = {"taxCode": owner.tax_code}
        Fields(data).refuse("taxCode", "codice fiscale non coerente con nome e cognome", "Incoherent")


def _save(owner: Owner) -> None:
    try:
        with transaction.atomic():
            owner.save()
    except IntegrityError:
        raise invalid("Titolare già presente con questo codice fiscale e questa partita IVA.") from None
    effects.record(CALL, owner.tax_code)


def _tax_code(body: Fields, field: str) -> str:
    code = tax_code.normalise(body.text(field))
    if not tax_code.is_valid(code):
        body.refuse(field, "codice fiscale non valido", "Pattern")
    return code


def _vat_number(body: Fields, field: str) -> str:
    number = body.optional_text(field)
    if number and not (len(number) == 11 and iva.is_valid(number)):
        body.refuse(field, "partita IVA non valida", "Pattern")
    return number


def _contacts(fields: Fields, before: dict[str, object] | None = None) -> dict[str, object]:
    """Contacts as they are shown; what a change leaves out stays as it was ``before``."""
    contacts: dict[str, object] = dict.fromkeys(("address", "town", "zipCode", "district", "telephoneNumber"), "")
    contacts |= {"email": "", "country": ITALY, "mobile": None, **(before or {})}
    contacts |= {name: fields.optional_text(name) for name in ("address", "town", "district") if fields.has(name)}
    if fields.has("country"):
        contacts["country"] = fields.integer("country")
    if fields.has("zipCode"):
        contacts["zipCode"] = _zip_code(fields, contacts["country"])
    if fields.has("email") or not before:
        contacts["email"] = _email(fields)
    contacts |= {name: telephone(fields, name) for name in ("telephoneNumber", "mobile") if fields.has(name)}
    return contacts


def _zip_code(fields: Fields, country: object) -> str:
    code = fields.optional_text("zipCode", most=12)
    if code and country == ITALY and not _ZIP_CODE.fullmatch(code):
        fields.refuse("zipCode", "un CAP italiano ha cinque cifre", "Pattern")
    return code


def _email(fields: Fields) -> str:
    email = fields.text("email", least=5, most=80)
    if not addresses.is_email(email):
        fields.refuse("email", "indirizzo e-mail non valido", "Email")
    return email
