"""The codice fiscale, as far as the provider looks into it: valid, coherent with the name, of age."""

import re
from datetime import date

from anyascii import anyascii
from stdnum.it import codicefiscale

_VOWELS = "AEIOU"


def normalise(code: str) -> str:
    """The code as it is stored: capitals, no blanks."""
    return "".join(code.split()).upper()


def is_valid(code: str) -> bool:
    """Whether this is a person's code: 16 characters, a day that exists and the right check character."""
    return re.fullmatch(r"[A-Z0-9]{16}", code) is not None and codicefiscale.is_valid(code)


def birth_date(code: str, today: date) -> date:
    """The day of birth: of the two possible centuries, the one that makes the person younger than a hundred."""
    return codicefiscale.get_birth_date(code, minyear=today.year - 99)


def age(code: str, today: date) -> int:
    """Completed years of age."""
    born = birth_date(code, today)
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def fits(code: str, name: str, surname: str) -> bool:
    """Whether the first six letters come from this name and surname."""
    return code[:6] == surname_code(surname) + name_code(name)


def surname_code(surname: str) -> str:
    """The three letters of a surname: consonants, then vowels, then X."""
    consonants, vowels = _letters(surname)
    return f"{consonants}{vowels}XXX"[:3]


def name_code(name: str) -> str:
    """The three letters of a name: with four or more consonants, the first, third and fourth."""
    consonants, vowels = _letters(name)
    if len(consonants) >= 4:
        return consonants[0] + consonants[2] + consonants[3]
    return f"{consonants}{vowels}XXX"[:3]


def _letters(words: str) -> tuple[str, str]:
    letters = [letter for letter in anyascii(words).upper() if "A" <= letter <= "Z"]
    consonants = "".join(letter for letter in letters if letter not in _VOWELS)
    vowels = "".join(letter for letter in letters if letter in _VOWELS)
    return consonants, vowels
