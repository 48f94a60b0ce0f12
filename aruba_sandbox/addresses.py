"""E-mail addresses: what a casella may be called, what a recovery address may not be, how one is shown masked."""

import re
from string import ascii_lowercase, digits

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.crypto import salted_hmac

# A certified mailbox is known by its provider's domain or by a telling label of its domain.
PEC_DOMAINS = frozenset(
    {
        "actaliscertymail.it",
        "arubapec.it",
        "casellapec.com",
        "legalmail.it",
        "mypec.eu",
        "pec.it",
        "pecimprese.it",
        "poste-certificate.it",
        "postacertificata.gov.it",
        "postecert.it",
        "registerpec.it",
        "sicurezzapostale.it",
        "ticertifica.it",
    }
)
PEC_LABELS = frozenset(
    {"pec", "arubapec", "cert", "legalmail", "pecmail", "postacert", "postacertificata", "postecert"}
)

# Endings that a masked address keeps: a rare one would tell whose it is. More often those that are met more often.
_ENDINGS = ("com", "com", "com", "it", "it", "it", "org", "net", "eu")
_HIDDEN = "***"
_LETTERS = "aabbccddeeffggiillllmmmmnpprrrsssstv" + ascii_lowercase + digits

_LOCAL_PART = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")


def normalise(address: str) -> str:
    """The address as it is stored and compared."""
    return address.strip().lower()


def is_email(address: str) -> bool:
    """Whether this can be an e-mail address at all."""
    try:
        validate_email(address)
    except ValidationError:
        return False
    return True


def is_local_part(text: str) -> bool:
    """Whether a casella may have this before the ``@``."""
    return len(text) <= 64 and _LOCAL_PART.fullmatch(text) is not None


def is_pec(address: str) -> bool:
    """Whether this address belongs to a certified mailbox, ours or another provider's."""
    domain = normalise(address).rpartition("@")[2]
    return domain in {*PEC_DOMAINS, *settings.ACTIVE_DOMAINS} or not PEC_LABELS.isdisjoint(domain.split(".")[:-1])


def masked(address: str) -> str:
    """``mario@example.com`` as ``m*****@e*****.com``: always as many stars, so that lengths stay unknown."""
    local, _, domain = address.partition("@")
    name, _, ending = domain.rpartition(".")
    return f"{local[:1]}*****@{name[:1]}*****.{ending if ending in _ENDINGS else _HIDDEN}"


def decoy(*guess: str) -> str:
    """What whoever guesses wrong is shown, as masked as any: for the same guess always the same."""
    drawn = salted_hmac("aruba_sandbox.decoy", "\n".join(guess)).digest()
    local, name, ending = (
        choices[place % len(choices)]
        for choices, place in zip((_LETTERS, _LETTERS, (*_ENDINGS, _HIDDEN)), drawn, strict=False)
    )
    return masked(f"{local}@{name}.{ending}")
