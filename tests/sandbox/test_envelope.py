"""The envelope around every answer, also around the ones to mistakes."""

from datetime import datetime

import pytest

from tests.sandbox.partner import ACCOUNTS, NAME, OWNERS, Partner, ok, refused


def test_the_envelope_is_complete(partner: Partner) -> None:
    envelope = partner.get(f"{ACCOUNTS}/types").json()
    assert set(envelope) == {"version", "datetime", "data", "errors"}
    assert datetime.fromisoformat(envelope["datetime"]).tzinfo


@pytest.mark.parametrize("body", [b"{", b"[]", b'"text"', b"\xff\xfe", b"[" * 100_000])
def test_a_body_that_is_no_json_object_is_refused(partner: Partner, body: bytes) -> None:
    refused(partner.http.post(partner.url(f"{ACCOUNTS}/info"), data=body, timeout=10))


@pytest.mark.parametrize("value", [7, True, ["x"], {"a": 1}, "", "a\0b", "\ud800", "x" * 300, None])
def test_a_field_of_the_wrong_kind_is_refused(partner: Partner, value: object) -> None:
    refused(partner.post(f"{ACCOUNTS}/info", {"name": value}), field="name")


def test_too_large_a_body_is_refused(partner: Partner) -> None:
    refused(partner.post(f"{ACCOUNTS}/info", {"name": "x" * 3_000_000}))


def test_a_wrong_method_is_refused(partner: Partner) -> None:
    refused(partner.get(ACCOUNTS), 405)


def test_an_unknown_address_is_refused(partner: Partner) -> None:
    refused(partner.get("partner/pec/v9/nothing"), 404)


def test_a_slash_at_the_end_and_a_charset_do_not_matter(partner: Partner) -> None:
    partner.account()
    headers = {"Content-Type": "application/json; charset=utf-8"}
    body = f'{{"name": "{NAME.upper()}", "unknown": 1}}'.encode()
    answer = partner.http.post(partner.url(f"{ACCOUNTS}/info/"), data=body, headers=headers, timeout=10)
    assert ok(answer)["name"] == NAME
    assert ok(partner.post(f"{OWNERS}/search/"))["totalElements"] == 1


def test_types_have_every_field(partner: Partner) -> None:
    kinds = ok(partner.get(f"{ACCOUNTS}/types"))
    assert "EMAIL" in [kind["type"] for kind in kinds]
    fields = {"type", "description", "inboxBase", "inboxMaxExtra", "archiveBase", "archiveMaxExtra"}
    assert all(set(kind) == fields for kind in kinds)
