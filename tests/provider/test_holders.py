"""Telephone numbers and contacts as the provider wants them, and the masking of codes."""

from dataclasses import replace

import pytest

from pec_requests.provider.holders import owner_fields, telephone
from pec_requests.provider.words import cleaned, masked
from tests.provider.examples import HOLDER, RECOVERY


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("3855371724", "+39.3855371724"),
        ("385 53.71-724", "+39.3855371724"),
        ("+39 071 000000", "+39.071000000"),
        ("+39.071000000", "+39.071000000"),
        ("0039 (071) 000000", "+39.071000000"),
        ("071/000000", "+39.071000000"),
        ("393855371724", "+39.3855371724"),
        ("3935371724", "+39.3935371724"),
        ("39071000000", "+39.071000000"),
        ("", ""),
        ("nessuno", ""),
        ("+41 44 668 18 00", ""),
        ("385", ""),
        ("38553717240000", ""),
        ("３８５５３７１７２４", ""),
    ],
)
def test_telephone(written: str, sent: str) -> None:
    assert telephone(written) == sent


def test_landline_is_no_mobile() -> None:
    contacts = owner_fields(replace(HOLDER, mobile="071 000000"), RECOVERY)["contacts"]
    assert isinstance(contacts, dict)
    assert contacts["telephoneNumber"] == "+39.071000000"
    assert "mobile" not in contacts


def test_what_is_unknown_is_left_out() -> None:
    holder = replace(HOLDER, email="", address="", town="", postcode="", province="", mobile="?")
    assert owner_fields(holder, RECOVERY)["contacts"] == {"country": 260, "email": RECOVERY}


@pytest.mark.parametrize("code", ["RSSMRA80A01A271S", "rssmra80a01a271s", "RSSMRAULALMAN71S"])
def test_codes_are_masked_wherever_they_stand(code: str) -> None:
    assert masked(f"Codice «{code}».") == f"Codice «{code[:3]}*************»."


def test_cleaned_is_short() -> None:
    assert len(cleaned("parola " * 10_000)) == 300
