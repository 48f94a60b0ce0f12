"""Django's rules for passwords: in words that its Italian catalogue lacks, and against how people get past them."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import password_validation
from django.utils.translation import gettext as _

# What somebody who knows this portal tries first (docs/security.md). Long words before those that they begin with.
OUR_WORDS = (
    *("segreteria", "federazione", "iscrizione", "iscritto", "iscritta", "professione", "sanitario", "sanitaria"),
    *("password", "domicilio", "digitale", "certificata", "arubapec", "albopec", "ordine", "portale", "accesso"),
    *("casella", "posta", "aruba", "tsrm", "pstrp", "albo", "spid", "pec", "cie"),
)
_LEAST = 4  # letters that are left without them
_DISGUISES = str.maketrans("@4830!15$7", "aabeoiisst")


class MinimumLengthValidator(password_validation.MinimumLengthValidator):
    """So many characters at least."""

    def get_error_message(self) -> str:
        return _("Questa password è troppo corta: servono almeno %(length)d caratteri.") % {"length": self.min_length}


class CommonPasswordValidator(password_validation.CommonPasswordValidator):
    """None of the twenty thousand that everybody tries first, nor one of them, or of our own words, dressed up:
    with digits and signs at its ends, and others in the place of letters. Two words are a beginning of a good password.
    """

    def validate(self, password: str, user: Any = None) -> None:
        for word in {password, *_undressed(password)}:
            super().validate(word, user)
        if any(_is_ours(word) for word in _undressed(password)):
            super().validate("password")


def _undressed(password: str) -> set[str]:
    """What is left of a password without the digits and signs at its ends; they may stand for letters anywhere."""
    begun = _to_its_last_letter(password.lower())
    core = _from_its_first_letter(begun)
    return {core, core.translate(_DISGUISES), _from_its_first_letter(begun.translate(_DISGUISES))} - {""}


def _from_its_first_letter(text: str) -> str:
    return text[next((place for place, sign in enumerate(text) if sign.isalpha()), len(text)) :]


def _to_its_last_letter(text: str) -> str:
    return _from_its_first_letter(text[::-1])[::-1]


def _is_ours(word: str) -> bool:
    rest = word
    for ours in OUR_WORDS:
        rest = rest.replace(ours, "")
    return rest != word and sum(map(str.isalpha, rest)) < _LEAST
