"""Personal e-mails: which can receive a recovery link."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from members import emails
from members.emails import EmailProblem


@pytest.mark.parametrize(
    "address", ["a@b.it", "mario.rossi+pec@example.it", "m@mail.example.com", " mario@example.it "]
)
def test_ordinary_addresses_are_usable(address: str) -> None:
    assert not emails.problem(address)


@pytest.mark.parametrize("address", ["", " ", "\t\n"])
def test_missing(address: str) -> None:
    assert emails.problem(address) is EmailProblem.MISSING


@pytest.mark.parametrize(
    "address",
    [
        "senza-chiocciola.it",
        "x@@example.it",
        "a b@example.it",
        "mario@localhost",
        "mario@[127.0.0.1]",
        '"a b"@example.it',
        "mario@example.it\nBcc: tutti@example.it",
        "mario@example.it, luigi@example.it",
        "mario@città.it",
        "niccolò@example.it",
        "mario@example",
        "mario@.it",
        ".mario@example.it",
        "Mario <mario@example.it>",
        "m@" + "a" * 76 + ".it",
        "a@b\0.it",
        "mario@example.it;",
        "\u212aarl@example.it",
        "x@pec .it",
    ],
)
def test_invalid(address: str) -> None:
    assert emails.problem(address) is EmailProblem.INVALID


def test_the_length_that_the_provider_takes() -> None:
    assert emails.is_valid("a" * 60 + "@" + "b" * 16 + ".it")
    assert not emails.is_valid("a" * 60 + "@" + "b" * 17 + ".it")


@pytest.mark.parametrize(
    "address",
    [
        "mario.rossi@tsrm.org",
        "mario.rossi@TSRM-PSTRP.ORG",
        "m.rossi@pec.it",
        "m.rossi@pec.ordine.example",
        "m@ORDINE.PEC.it",
        "m@legalmail.it",
        "m@cgn.legalmail.it",
        "m@arubapec.it",
        "m@sub.arubapec.it",
        "m@postecert.it",
        "m@pecmail.example",
    ],
)
def test_certified_mailboxes(address: str) -> None:
    assert emails.problem(address) is EmailProblem.IS_PEC


@pytest.mark.parametrize(
    "address",
    ["pec@example.it", "m@aspec.it", "m@pecora.it", "m@spec.example.it", "m@mytsrm.org", "m@tsrm.org.example"],
)
def test_what_only_looks_like_one(address: str) -> None:
    assert not emails.problem(address)


def test_the_lists_are_settings(settings: pytest.FixtureRequest) -> None:
    settings.PEC_DOMAINS, settings.PEC_LABELS = ["ingpec.example"], ["certa"]  # type: ignore[attr-defined]
    assert emails.is_pec("m@posta.ingpec.example")
    assert emails.is_pec("m@certa.it")
    assert not emails.is_pec("m@tsrm.org")


def test_masked() -> None:
    assert emails.mask("mario.rossi@example.it") == "m•••@example.it"
    assert emails.mask("niente") == "•••"


@hypothesis_settings(deadline=None)
@given(st.text())
def test_no_text_makes_it_fail(text: str) -> None:
    emails.mask(text)
    if not emails.problem(text):
        assert text.strip().isascii()
        assert len(text.strip().split()) == 1


@pytest.mark.parametrize(
    ("address", "at_work"),
    [
        ("a@asl.example.it", True),
        ("a@AUSL.RE.IT", True),
        ("a@aslroma1.it", True),
        ("a@asst-monza.it", True),
        ("a@sanita.marche.it", True),
        ("a@ospedaleniguarda.it", True),
        ("asl@example.it", False),
        ("a@mail.example.com", False),
        ("a@basl.it", False),
        ("", False),
    ],
)
def test_addresses_at_work_are_told(address: str, at_work: bool) -> None:
    assert emails.is_employers(address) is at_work
