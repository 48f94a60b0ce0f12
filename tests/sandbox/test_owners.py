"""Holders: what is accepted, what is refused, how they are found."""

from typing import Any

import pytest

from tests.sandbox.partner import (
    ACCOUNTS,
    MARIO,
    NAME,
    OWNERS,
    Partner,
    account_data,
    ok,
    owner_data,
    refused,
    tax_code,
)

VAT = "00743110157"
OTHER_VAT = "01573850516"


def test_a_new_holder_is_echoed_whole(partner: Partner) -> None:
    data = owner_data()
    owner = partner.owner()
    assert isinstance(owner["id"], int)
    assert {key: owner[key] for key in ("userType", "name", "surname", "taxCode")} == {
        key: data[key] for key in ("userType", "name", "surname", "taxCode")
    }
    assert owner["contacts"] == data["contacts"] | {"mobile": None}
    assert owner["vatNumber"] is None
    assert owner["label"] is None
    assert ok(partner.get(f"{OWNERS}/{owner['id']}")) == owner


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"userType": "PERSONA"}, "userType"),
        ({"name": ""}, "name"),
        ({"surname": "R" * 81}, "surname"),
        ({"taxCode": "RSSMRA80A01H501X"}, "taxCode"),
        ({"taxCode": VAT}, "taxCode"),
        ({"taxCode": "RSS-MRA80A01H501U"}, "taxCode"),
        ({"name": "Luigi"}, "taxCode"),
        ({"surname": "Bianchi"}, "taxCode"),
        ({"vatNumber": "00743110158"}, "vatNumber"),
        ({"userType": "AZIENDA"}, "vatNumber"),
        ({"userType": "LIBERO_PROFESSIONISTA"}, "vatNumber"),
        ({"contacts": None}, "contacts"),
        ({"contacts": {}}, "email"),
        ({"contacts": {"email": "a@b"}}, "email"),
        ({"contacts": {"email": "senza-chiocciola"}}, "email"),
        ({"contacts": {"email": "a@example.com", "telephoneNumber": "071000000"}}, "telephoneNumber"),
        ({"contacts": {"email": "a@example.com", "mobile": "+39 333"}}, "mobile"),
        ({"contacts": {"email": "a@example.com", "zipCode": "6010"}}, "zipCode"),
        ({"contacts": {"email": "a@example.com", "country": "Italia"}}, "country"),
    ],
)
def test_bad_data_are_refused(partner: Partner, changes: dict[str, Any], field: str) -> None:
    refused(partner.post(OWNERS, owner_data(**changes)), field=field)
    assert partner.sandbox.calls() == {}


def test_a_code_with_omocodia_is_good(partner: Partner) -> None:
    assert partner.owner(tax_code(start="RSSMRA80A0M"))["taxCode"].startswith("RSSMRA80A0M")


def test_a_code_is_normalised(partner: Partner) -> None:
    assert partner.owner(f" {MARIO.lower()} ")["taxCode"] == MARIO


@pytest.mark.parametrize(
    ("name", "surname", "start"),
    [
        ("Gianfranco", "De Rossi", "DRSGFR80A01"),
        ("Niccolò", "Fò", "FOXNCL80A01"),
        ("Ada", "Müller", "MLLDAA80A41"),
        ("Łucja", "Strauß", "STRLCJ80A41"),
        ("Maria Pia", "D'Angelo", "DNGMRP80A41"),
    ],
)
def test_name_and_code_agree(partner: Partner, name: str, surname: str, start: str) -> None:
    partner.owner(tax_code(start=start), name=name, surname=surname)


def test_the_same_code_again_needs_another_vat_number(partner: Partner) -> None:
    partner.owner()
    refused(partner.post(OWNERS, owner_data()))
    partner.owner(userType="LIBERO_PROFESSIONISTA", vatNumber=VAT)
    refused(partner.post(OWNERS, owner_data(userType="LIBERO_PROFESSIONISTA", vatNumber=VAT)))
    assert partner.sandbox.calls() == {"owners": {MARIO: 2}}


def test_an_unknown_holder_is_not_found(partner: Partner) -> None:
    refused(partner.get(f"{OWNERS}/999999"), 404)
    refused(partner.patch(OWNERS, {"ownerId": {"taxCode": MARIO}}), 404)


def test_contacts_change_field_by_field(partner: Partner) -> None:
    owner = partner.owner()
    changed = ok(partner.patch(OWNERS, {"ownerId": {"id": str(owner["id"])}, "contacts": {"mobile": "+39.3331234567"}}))
    assert changed["contacts"] == owner["contacts"] | {"mobile": "+39.3331234567"}


def test_identity_changes_before_recognition(partner: Partner) -> None:
    partner.owner()
    refused(partner.patch(OWNERS, {"ownerId": {"taxCode": MARIO}, "name": "Mara"}), field="name")
    other = tax_code(502)
    assert ok(partner.patch(OWNERS, {"ownerId": {"taxCode": MARIO}, "newTaxCode": other}))["taxCode"] == other
    renamed = {"ownerId": {"taxCode": other}, "name": "Mauro", "surname": "Rosso"}
    refused(partner.patch(OWNERS, renamed | {"name": "Luca"}), field="taxCode")
    assert ok(partner.patch(OWNERS, renamed))["surname"] == "Rosso"


def test_identity_is_locked_once_recognition_has_begun(partner: Partner) -> None:
    partner.account(active=True)
    refused(partner.patch(OWNERS, {"ownerId": {"taxCode": MARIO}, "newTaxCode": tax_code(502)}), 403)
    refused(partner.patch(OWNERS, {"ownerId": {"taxCode": MARIO}, "name": "Mauro", "surname": "Rosso"}), 403)
    ok(partner.patch(OWNERS, {"ownerId": {"taxCode": MARIO}, "contacts": {"town": "Fermo"}}))


def test_a_holder_to_correct_gets_no_casella_until_corrected(partner: Partner) -> None:
    partner.owner()
    partner.sandbox.label_owner(MARIO, "Da bonificare")
    refused(partner.post(ACCOUNTS, account_data()))
    assert ok(partner.post(f"{OWNERS}/search", {"toCorrectOnly": True}))["totalElements"] == 1
    ok(partner.patch(OWNERS, {"ownerId": {"taxCode": MARIO}, "name": "Mauro", "surname": "Rosso"}))
    assert ok(partner.post(ACCOUNTS, account_data()))["name"] == NAME


def test_search_filters_sorts_and_pages(partner: Partner) -> None:
    ids = [partner.owner(tax_code(place))["id"] for place in (503, 501, 502)]
    partner.owner(tax_code(start="VRDNNA80A41"), name="Anna", surname="Verdi")
    assert ok(partner.post(f"{OWNERS}/search", {"surname": "ROSSI"}))["totalElements"] == 3
    assert [row["id"] for row in ok(partner.post(f"{OWNERS}/search", {"id": ids[1]}))["content"]] == [ids[1]]
    page = ok(partner.post(f"{OWNERS}/search", {"name": "mario"}, page=1, size=2, sort="taxCode,desc"))
    assert [row["taxCode"] for row in page["content"]] == [tax_code(501)]
    assert {key: value for key, value in page.items() if key != "content"} == {
        "number": 1,
        "size": 2,
        "totalElements": 3,
        "totalPages": 2,
        "first": False,
        "last": True,
        "numberOfElements": 1,
        "empty": False,
    }


@pytest.mark.parametrize("query", [{"sort": "shoeSize"}, {"sort": "name,up"}, {"size": 0}, {"page": "-1"}])
def test_a_bad_page_is_refused(partner: Partner, query: dict[str, Any]) -> None:
    refused(partner.post(f"{OWNERS}/search", {}, **query))
