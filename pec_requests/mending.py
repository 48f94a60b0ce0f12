"""What the member can mend of what the provider refused; all other refusals are the staff's alone.

Only the making of a mailbox is looked at: by then the member has told nothing yet, and the provider judges for the
first time what the record says. An e-mail it does not take the member replaces; where it finds the codice fiscale at
odds with surname and name, the member knows who is right, and the Ordine corrects it.
"""

from __future__ import annotations

import hashlib

from django.db import models

from pec_requests.models import PecRequest, ProviderOperation
from pec_requests.states import Kind


class Mend(models.TextChoices):
    """What is to be mended; the values are acts of ``Notice``."""

    EMAIL = "refused_email"
    IDENTITY = "refused_identity"


# By the provider's own names of fields. ``name`` is not among them: it may be the person's, or the mailbox's.
_BY_FIELD = {
    "recoveryEmail": Mend.EMAIL,
    "email": Mend.EMAIL,
    "taxCode": Mend.IDENTITY,
    "surname": Mend.IDENTITY,
}


def by_member(kind: str, refused_field: str) -> Mend | None:
    """What the member can mend where the provider refused this field; None where that is the staff's."""
    return _BY_FIELD.get(refused_field) if kind == Kind.CREATE else None


def wanted(request: PecRequest) -> Mend | None:
    """What stands in the way of this request and its member can mend, now."""
    refused = request.operations.filter(kind=Kind.CREATE, state=ProviderOperation.State.ATTENTION).first()
    return by_member(refused.kind, refused.refused_field) if refused else None


def refused_data(request: PecRequest, mend: Mend) -> str:
    """A short name for the data that were refused: the same again is no news."""
    member = request.member
    data = request.recovery_email if mend == Mend.EMAIL else f"{member.tax_code} {member.surname} {member.name}"
    return hashlib.sha256(data.encode()).hexdigest()[:16]
