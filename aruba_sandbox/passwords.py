"""The provider's rule for passwords: one list, shown to whoever types, watched by the page's script, checked here."""

import re
import unicodedata
from dataclasses import dataclass

_CAPITALS, _SMALL = "A-ZÀ-ÖØ-Þ", "a-zß-öø-ÿ"


@dataclass(frozen=True)
class Demand:
    """One thing a password must have. Python and JavaScript read the pattern alike."""

    words: str
    missing: str
    pattern: str


RULE = (
    Demand("da 8 a 256 caratteri", "La password deve avere da 8 a 256 caratteri.", r"^[\s\S]{8,256}(?![\s\S])"),
    Demand("una lettera maiuscola", "Manca una lettera maiuscola.", f"[{_CAPITALS}]"),
    Demand("una lettera minuscola", "Manca una lettera minuscola.", f"[{_SMALL}]"),
    Demand("una cifra", "Manca una cifra.", "[0-9]"),
    Demand(
        "un carattere speciale, per esempio ! ? # @ - _",
        "Manca un carattere speciale, per esempio ! ? # @ - _.",
        rf"[^{_CAPITALS}{_SMALL}0-9\s]",
    ),
)


def normalise(password: str) -> str:
    """The password as it is judged and kept: an accented letter is the same, whichever keyboard composes it."""
    return unicodedata.normalize("NFC", password)


def problems(password: str) -> list[str]:
    """What the rule still misses, one sentence each; nothing when the password is good."""
    return [demand.missing for demand in RULE if not re.search(demand.pattern, password)]
