"""Caselle: creating, looking up, searching."""

from datetime import datetime
from typing import Any

import pytest

from tests.sandbox.partner import (
    ACCOUNTS,
    MARIO,
    NAME,
    OWNERS,
    RECOVERY,
    Partner,
    account_data,
    ok,
    owner_data,
    refused,
    tax_code,
)

FIELDS = {
    *("name", "type", "status", "quotas", "owner", "requestDate", "certificationDate", "suspensionDate"),
    *("cancellationDate", "endDate", "renewalData", "contractData", "additionalServices"),
}


def test_a_new_casella_has_every_field(partner: Partner) -> None:
    owner = partner.owner()
    account = ok(
        partner.post(ACCOUNTS, account_data(ownerId={"id": str(owner["id"])}, contractData={"sdiCode": "ABC1234"}))
    )
    assert set(account) == FIELDS
    assert account["status"] == "Da Certificare"
    assert account["owner"] == owner
    assert account["renewalData"] == {"type": "T", "duration": 1}
    assert account["contractData"] == {"sdiCode": "ABC1234", "cigOda": None}
    assert [quota["type"] for quota in account["quotas"]] == ["INBOX", "ARCHIVIO"]
    assert all(set(quota) == {"type", "base", "extra", "used", "available"} for quota in account["quotas"])
    requested, ends = (datetime.fromisoformat(account[date]) for date in ("requestDate", "endDate"))
    assert 365 <= (ends - requested).days <= 366
    assert partner.sandbox.calls()["create"] == {NAME: 1}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": "mario.rossi"}, "name"),
        ({"name": "mario.rossi@example.com"}, "name"),
        ({"name": "mario..rossi@tsrm.org"}, "name"),
        ({"name": ".mario@tsrm.org"}, "name"),
        ({"name": f"{'m' * 65}@tsrm.org"}, "name"),
        ({"name": "mario rossi@tsrm.org"}, "name"),
        ({"name": "müller@tsrm.org"}, "name"),
        ({"type": "POSTA"}, "type"),
        ({"recoveryEmail": None}, "recoveryEmail"),
        ({"recoveryEmail": "mario"}, "recoveryEmail"),
        ({"recoveryEmail": "mario@tsrm.org"}, "recoveryEmail"),
        ({"recoveryEmail": "mario@pec.example.it"}, "recoveryEmail"),
        ({"recoveryEmail": "mario@legalmail.it"}, "recoveryEmail"),
        ({"ownerId": None}, "ownerId"),
        ({"ownerId": {}}, "id"),
        ({"ownerId": {"id": 999_999}}, None),
        ({"renewalData": {"type": "X", "duration": 1}}, "type"),
        ({"renewalData": {"type": "S", "duration": 6}}, "duration"),
        ({"renewalData": {"type": "S"}}, "duration"),
    ],
)
def test_bad_data_are_refused(partner: Partner, changes: dict[str, Any], field: str | None) -> None:
    partner.owner()
    refused(partner.post(ACCOUNTS, account_data(**changes)), field=field)
    assert partner.sandbox.accounts() == []


def test_an_address_that_exists_is_refused(partner: Partner) -> None:
    partner.account()
    refused(partner.post(ACCOUNTS, account_data(NAME.upper())))
    assert len(partner.sandbox.accounts()) == 1


def test_several_holders_with_the_same_code_want_an_id(partner: Partner) -> None:
    partner.owner()
    professional = partner.owner(userType="LIBERO_PROFESSIONISTA", vatNumber="00743110157")
    refused(partner.post(ACCOUNTS, account_data()))
    ok(partner.post(ACCOUNTS, account_data(ownerId={"id": professional["id"]})))


def test_a_holder_under_age_is_refused(partner: Partner) -> None:
    years_ago = f"{datetime.now().year - 17}"[2:]
    child = tax_code(start=f"RSSMRA{years_ago}A01")
    partner.owner(child)
    assert "maggiorenne" in refused(partner.post(ACCOUNTS, account_data(code=child)))


def test_info_shows_the_recovery_address_only_on_request(partner: Partner) -> None:
    account = partner.account()
    assert ok(partner.act("info")) == account
    assert ok(partner.act("info", loadExtraData=True)) == account | {"recoveryEmail": RECOVERY}
    refused(partner.act("info", name="nessuno@tsrm.org"), 404)


@pytest.mark.parametrize(
    ("query", "exists", "assignable"),
    [
        ({"name": "mario.rossi", "domain": "tsrm.org", "taxCode": MARIO}, True, False),
        ({"name": "mario.rossi2", "domain": "tsrm.org", "taxCode": MARIO}, False, True),
        ({"name": "mario.rossi", "domain": "tsrm-pstrp.org"}, False, True),
    ],
)
def test_availability(partner: Partner, query: dict[str, Any], exists: bool, assignable: bool) -> None:
    partner.account()
    answer = ok(partner.post(f"{ACCOUNTS}/accountAvailable", query))
    assert answer == {"accountExists": exists, "isAccountAssignable": assignable}


def test_availability_wants_an_active_domain(partner: Partner) -> None:
    refused(partner.post(f"{ACCOUNTS}/accountAvailable", {"name": "a", "domain": "example.com"}), field="domain")


def test_search_by_holder_status_type_and_dates(partner: Partner) -> None:
    partner.account("a@tsrm.org", active=True)
    partner.account("b@tsrm.org", tax_code(502))
    partner.act("suspend", name="b@tsrm.org")

    def names(**criteria: Any) -> list[str]:
        return [row["name"] for row in ok(partner.post(f"{ACCOUNTS}/search", criteria, sort="name,asc"))["content"]]

    today = datetime.now().date().isoformat()
    assert names() == ["a@tsrm.org", "b@tsrm.org"]
    assert names(owner={"taxCode": MARIO}) == ["a@tsrm.org"]
    assert names(status="Da Certificare") == ["b@tsrm.org"]
    assert names(type="EMAIL_PRO") == []
    assert names(activationDate={"from": "2020-01-01T00:00:00+01:00"}) == ["a@tsrm.org"]
    assert names(activationDate={"to": "2020-01-01"}) == []
    assert names(endDate={"from": today}) == ["a@tsrm.org", "b@tsrm.org"]


def test_search_pages_through_everything_once(partner: Partner) -> None:
    partner.owner()
    names = [f"mario.rossi{number}@tsrm.org" for number in range(5)]
    for name in names:
        ok(partner.post(ACCOUNTS, account_data(name)))
    pages = [
        ok(partner.post(f"{ACCOUNTS}/search", {}, **{"page": page, "size": 2, "sort[0]": "name,desc"}))
        for page in range(3)
    ]
    assert [row["name"] for page in pages for row in page["content"]] == names[::-1]
    assert [(page["first"], page["last"]) for page in pages] == [(True, False), (False, False), (False, True)]
    beyond = ok(partner.post(f"{ACCOUNTS}/search", {}, page=9))
    assert (beyond["empty"], beyond["totalElements"]) == (True, 5)


def test_a_search_date_must_be_one(partner: Partner) -> None:
    refused(partner.post(f"{ACCOUNTS}/search", {"endDate": {"from": "domani"}}), field="from")


def test_owner_change_gives_the_casella_to_another_holder(partner: Partner) -> None:
    partner.account()
    other = ok(partner.post(OWNERS, owner_data(tax_code(502))))
    changed = ok(
        partner.act("owner-change", newOwnerId=other["id"], recoveryEmail="new@example.com", mobile="+39.3331234567")
    )
    assert changed["owner"]["taxCode"] == tax_code(502)
    assert changed["owner"]["contacts"]["mobile"] == "+39.3331234567"
    refused(partner.act("owner-change", newOwnerId=999_999, recoveryEmail="new@example.com"))
