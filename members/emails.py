"""Personal e-mail addresses: whether one can receive a recovery link, and how to show one without giving it away."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator
from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

# What the provider accepts as a recovery address.
MIN_LENGTH, MAX_LENGTH = 5, 80

_syntax = EmailValidator(allowlist=[])
_BETWEEN_WORDS = re.compile(r"[-_.]")


class EmailProblem(TextChoices):
    """Why a personal e-mail cannot serve to recover a PEC. The values are the import's warnings."""

    NONE = "", _("utilizzabile")
    MISSING = "email_missing", _("manca")
    INVALID = "email_invalid", _("non è un indirizzo valido")
    IS_PEC = "email_is_pec", _("è una PEC")


def problem(address: str) -> EmailProblem:
    """Why this address cannot receive a recovery link; ``EmailProblem.NONE``, which is empty, when it can."""
    address = address.strip()
    if not address:
        return EmailProblem.MISSING
    if not is_valid(address):
        return EmailProblem.INVALID
    return EmailProblem.IS_PEC if is_pec(address) else EmailProblem.NONE


def is_valid(address: str) -> bool:
    """Whether the provider and every mail server will take it: plain ASCII, no quoted local part, no bare IP address,
    5 to 80 characters. Blanks and line ends are never valid, so the address is safe in a mail's header.
    """
    if not (MIN_LENGTH <= len(address) <= MAX_LENGTH and address.isascii()):
        return False
    if address.startswith('"') or address.endswith("]"):
        return False
    try:
        _syntax(address)
    except ValidationError:
        return False
    return True


def is_pec(address: str) -> bool:
    """Whether the address is a certified mailbox: its domain is one of ``PEC_DOMAINS`` or lies below one, or has one of
    ``PEC_LABELS`` as a whole label (``pec.ordine.it``, but not ``aspec.it``).
    """
    domain = address.strip().rpartition("@")[2].lower().rstrip(".")
    labels = domain.split(".")
    parents = {".".join(labels[n:]) for n in range(len(labels))}
    return not parents.isdisjoint(settings.PEC_DOMAINS) or not set(labels).isdisjoint(settings.PEC_LABELS)


def is_employers(address: str) -> bool:
    """Whether this looks like an address at work, where messages from outside are often held back: a word of its domain
    fits one of ``EMPLOYER_LABELS`` (``regione.marche.it``, ``asst-monza.it``, ``aslroma1.it`` by ``asl*``).
    """
    words = _BETWEEN_WORDS.split(address.strip().rpartition("@")[2].lower())
    return any(fnmatchcase(word, label) for word in words for label in settings.EMPLOYER_LABELS)


def same(one: str, other: str) -> bool:
    """Whether two spellings are one mailbox: case does not count."""
    return one.strip().casefold() == other.strip().casefold()


def mask(address: str) -> str:
    """Enough for its owner to recognise: ``mario.rossi@example.it`` → ``m•••@example.it``."""
    local, at, domain = address.strip().rpartition("@")
    return f"{local[:1]}•••@{domain}" if at else "•••"
