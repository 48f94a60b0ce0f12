"""Tokens: given, refreshed, refused, expired, revoked."""

import pytest

from tests.sandbox.partner import ACCOUNTS, Partner, ok, refused


def test_a_token_has_every_field_of_the_contract(partner: Partner) -> None:
    assert partner.token["expiresIn"] == 300
    assert partner.token["refreshExpiresIn"] == 43_200
    assert partner.token["tokenType"] == "Bearer"
    assert partner.token["accessToken"] != partner.token["refreshToken"]


def test_wrong_credentials_are_refused(partner: Partner) -> None:
    refused(partner.authenticate("sbagliata"), 401)


@pytest.mark.parametrize("header", [None, "Bearer abc", "Basic abc", "Bearer "])
def test_no_token_or_a_bad_one_is_refused(partner: Partner, header: str | None) -> None:
    partner.http.headers["Authorization"] = header  # type: ignore[assignment]
    refused(partner.get(f"{ACCOUNTS}/types"), 401)


def test_a_token_expires_and_can_be_refreshed(partner: Partner) -> None:
    partner.sandbox.advance(301)
    refused(partner.get(f"{ACCOUNTS}/types"), 401)
    fresh = ok(partner.post("auth/v2/refresh", {"refreshToken": partner.token["refreshToken"]}))
    partner.http.headers["Authorization"] = f"Bearer {fresh['accessToken']}"
    ok(partner.get(f"{ACCOUNTS}/types"))


def test_a_refresh_token_expires_and_an_access_token_is_none(partner: Partner) -> None:
    refused(partner.post("auth/v2/refresh", {"refreshToken": partner.token["accessToken"]}), 401)
    partner.sandbox.advance(43_201)
    refused(partner.post("auth/v2/refresh", {"refreshToken": partner.token["refreshToken"]}), 401)


def test_revoked_tokens_are_no_good(partner: Partner) -> None:
    partner.sandbox.revoke_tokens()
    refused(partner.get(f"{ACCOUNTS}/types"), 401)
    refused(partner.post("auth/v2/refresh", {"refreshToken": partner.token["refreshToken"]}), 401)
