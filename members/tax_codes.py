"""The codice fiscale: whether one is well formed, what it says, and whether it agrees with a person.

A code is never computed as a truth, only checked. Omocodia (digits written as letters where two people would share
a code) is undone before anything is read out of it.
"""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache

from stdnum.it import codicefiscale

from members.names import fold

_DIGIT = "[0-9LMNPQRSTUV]"
_SHAPE = re.compile(rf"[A-Z]{{6}}{_DIGIT}{{2}}[ABCDEHLMPRST]{_DIGIT}{{2}}[A-Z]{_DIGIT}{{3}}[A-Z]", re.ASCII)
_MONTHS = "ABCDEHLMPRST"
_DIGIT_POSITIONS = (6, 7, 9, 10, 12, 13, 14)
_LETTERS_TO_DIGITS = str.maketrans("LMNPQRSTUV", "0123456789")
_BLANKS = re.compile(r"\s+")
_NOT_LETTER = re.compile(r"[^a-z]+")
_GERMAN = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue"})
_WOMEN = 40
_ADULT = 18


def normalise(text: str) -> str:
    """Without blanks, upper case: how codes are kept and compared."""
    return _BLANKS.sub("", text).upper()


def is_valid(code: str) -> bool:
    """Whether a normalised code has the 16 characters, a birth date that exists and the right check character.

    Of python-stdnum the check character alone: its whole ``validate`` tidies the code twice first, which takes longer
    than all else that is done to a line of a register, and also lets pass a partita IVA's 11 digits.
    """
    if not _SHAPE.fullmatch(code) or codicefiscale.calc_check_digit(code[:15]) != code[15]:
        return False
    year, day = int(code[6:8].translate(_LETTERS_TO_DIGITS)), int(code[9:11].translate(_LETTERS_TO_DIGITS))
    # A year and that of a century later have the same days; but for 1900, which 2000 stands in for.
    return _exists(2000 + year, _MONTHS.index(code[8]) + 1, day - _WOMEN if day > _WOMEN else day)


def without_omocodia(code: str) -> str:
    """The code as it would be with digits only where digits belong, its check character computed again."""
    characters = list(code[:15])
    for position in _DIGIT_POSITIONS:
        characters[position] = characters[position].translate(_LETTERS_TO_DIGITS)
    plain = "".join(characters)
    return plain + codicefiscale.calc_check_digit(plain)


def birth_date(code: str, *, reference: date | None = None) -> date:
    """The birth date in a valid code. It has two digits of the year: the last such date not after ``reference``
    (today) is taken. ``ValueError`` for a code that is not valid.
    """
    if not is_valid(code):
        raise ValueError("not a codice fiscale")
    plain = without_omocodia(code)
    today = reference or date.today()
    year, month, day = int(plain[6:8]), _MONTHS.index(plain[8]) + 1, int(plain[9:11]) % _WOMEN
    dates = [date(century + year, month, day) for century in (2000, 1900) if _exists(century + year, month, day)]
    return next((born for born in dates if born <= today), dates[-1])


def sex(code: str) -> str:
    """``M`` or ``F``, from a valid code; ``ValueError`` for one that is not."""
    if not is_valid(code):
        raise ValueError("not a codice fiscale")
    return "F" if int(without_omocodia(code)[9:11]) > _WOMEN else "M"


def agrees(code: str, *, surname: str, name: str, birth_date: date | None, sex: str) -> bool:
    """Whether the code can be this person's. What is None or empty is not checked; a code that is not valid agrees
    with nobody.
    """
    if not is_valid(code):
        return False
    born, letter = born_and_sex(code)
    return (
        agrees_with_name(code, surname, name)
        and (birth_date is None or f"{birth_date:%y%m%d}" == born)
        and (not sex or sex == letter)
    )


def agrees_with_name(code: str, surname: str, name: str) -> bool:
    """The part of ``agrees`` that is about names, for a code that is known to be valid."""
    return (not surname or code[:3] in _surname_parts(surname)) and (not name or code[3:6] in _name_parts(name))


def born_and_sex(code: str) -> tuple[str, str]:
    """The birth date in a valid code as YYMMDD, and ``M`` or ``F``."""
    year, day = code[6:8].translate(_LETTERS_TO_DIGITS), int(code[9:11].translate(_LETTERS_TO_DIGITS))
    return f"{year}{_MONTHS.index(code[8]) + 1:02}{day % _WOMEN:02}", "F" if day > _WOMEN else "M"


def is_adult(code_or_birth_date: str | date, on: date) -> bool:
    """Whether somebody with this (valid) code or birth date is 18 or older on a day."""
    born = code_or_birth_date
    if isinstance(born, str):
        born = birth_date(born, reference=on)
    return (on.year - born.year) - ((on.month, on.day) < (born.month, born.day)) >= _ADULT


def _exists(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def _spellings(text: str) -> list[str]:
    """A name in upper-case letters A–Z only; German umlauts also in their two-letter spelling."""
    variants = {text, text.translate(_GERMAN)}
    return [_NOT_LETTER.sub("", fold(variant)).upper() for variant in variants]


def _split(letters: str) -> tuple[str, str]:
    consonants = "".join(letter for letter in letters if letter not in "AEIOU")
    return consonants, "".join(letter for letter in letters if letter in "AEIOU")


# Files repeat names: most are in here after a few thousand lines.
@lru_cache(maxsize=8192)
def _surname_parts(surname: str) -> frozenset[str]:
    return frozenset(_surname_part(spelling) for spelling in _spellings(surname))


@lru_cache(maxsize=8192)
def _name_parts(name: str) -> frozenset[str]:
    return frozenset(_name_part(spelling) for spelling in _spellings(name))


def _surname_part(letters: str) -> str:
    consonants, vowels = _split(letters)
    return (consonants + vowels + "XXX")[:3]


def _name_part(letters: str) -> str:
    """As for surnames, but of four or more consonants the second is left out."""
    consonants, vowels = _split(letters)
    if len(consonants) >= 4:
        return consonants[0] + consonants[2:4]
    return (consonants + vowels + "XXX")[:3]
