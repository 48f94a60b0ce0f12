"""What is no password here, however long: what everybody tries first, dressed up."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from django.contrib.auth import password_validation as django_rules
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError

from members.models import User
from members.password_validation import OUR_WORDS


@pytest.mark.parametrize(
    "password",
    [
        *("Password2026!", "P@ssw0rd!!2026", "1234Juventus1234", "$uperman-2026", "0123456789", "qwertyuiop"),
        *("AlboPec2026!", "TSRM-PSTRP-2026", "Segreteria.2026", "$egreteria99!", "0rd1neTSRM!!", "pec-pec-pec-1"),
        *("mario.rossi1", "Marche_Rossi_9"),  # whose it is
    ],
)
def test_refused(password: str) -> None:
    owner = User(username="mario.rossi", first_name="Mario", last_name="Marche Rossi")
    with pytest.raises(ValidationError):
        validate_password(password, owner)


@pytest.mark.parametrize(
    "password",
    [
        *("Prova-Albo-2026", "cavallo batteria graffetta", "specchio-rosso", "società di pesca", "x" * 9 + "ù7"),
        *("4Xq-vv1-Lr8-0pz", "password di mia nonna", "ordine e disordine", "a" * 9 + "b" * 60, "🐴🔋📎✅ tanti segni"),
    ],
)
def test_accepted(password: str) -> None:
    """Any letters, any signs, any length, and words, as long as there are two."""
    validate_password(password, User(username="m-1"))


def test_a_password_as_long_as_a_form_may_be_takes_no_longer_to_judge() -> None:
    validate_password("1" * 2_000_000 + "due parole" + "1" * 400_000)


def test_every_common_password_that_is_long_enough_and_each_word_of_ours_is_refused() -> None:
    source = Path(django_rules.__file__).with_name("common-passwords.txt.gz")
    common = gzip.decompress(source.read_bytes()).decode().split()
    bare = [word for word in common if len(word) >= 10]
    dressed = [f"{word.capitalize()}{'2026!!!'}" for word in common[:5000] if word.isalpha()]
    ours = [f"{word.capitalize()}-{word}-01" for word in OUR_WORDS]
    assert len(bare) + len(dressed) > 3000
    accepted = []
    for password in (*bare, *dressed, *ours):
        try:
            validate_password(password)
            accepted.append(password)
        except ValidationError:
            pass
    assert accepted == []
