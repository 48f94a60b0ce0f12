"""Names as keys: letters of any alphabet folded to ``a``–``z``, for searching and for addresses."""

from __future__ import annotations

import re
from functools import lru_cache

from anyascii import anyascii

SEARCH_KEY_LENGTH = 170
_NOT_WORD = re.compile(r"[^a-z0-9]+")
_APOSTROPHES = re.compile(r"['`´’‘ʼ]")


def fold(text: str) -> str:
    """Transliterated, lower case words of letters and digits, one blank between: ``Dì  D'Angelo`` → ``di dangelo``."""
    return _NOT_WORD.sub(" ", anyascii(_APOSTROPHES.sub("", text)).lower().replace("'", "")).strip()


# Files repeat names: most are in here after a few thousand lines.
_folded = lru_cache(maxsize=8192)(fold)


def search_key(surname: str, name: str) -> str:
    """What lists are sorted by and searches look into: ``Dal Pozzo``, ``Anna`` → ``" dal pozzo  anna"``.

    A blank before every word, so that ``LIKE '% ros%'`` finds word beginnings, and two between surname and name, so
    that whoever is called Rossi comes before everybody called Rossi Bianchi. Cut to what the register keeps: one letter
    of another alphabet may be many of ours.
    """
    return f" {_folded(surname)}  {_folded(name)}"[:SEARCH_KEY_LENGTH]
