"""Each call as it goes over the wire, and what is read from its answer."""

from typing import Any

import pytest

from pec_requests.provider import Availability, Mailbox, MailboxStatus, Refused, UnknownOutcome
from pec_requests.provider.aruba import ArubaProvider
from tests.provider.conftest import PASSWORD, every_mailbox, make_provider
from tests.provider.examples import (
    ACCOUNTS,
    ADDRESS,
    HOLDER,
    OWNERS,
    RECOVERY,
    TAX_CODE,
    TOKEN_PATH,
    account,
    envelope,
    page,
)
from tests.provider.wire import Wire

MAILBOX = Mailbox(ADDRESS, MailboxStatus.TO_CERTIFY, TAX_CODE, None, False, "Da Certificare")


def sent(wire: Wire) -> list[tuple[str, str, Any]]:
    """Method, path with query, and body of every request but those for the token."""
    calls = [call for call in wire.calls if call.path != TOKEN_PATH]
    return [(call.method, call.path + (f"?{call.query}" if call.query else ""), call.json) for call in calls]


def answer(wire: Wire, path: str, data: Any, **more: Any) -> None:
    wire.post(path, json=envelope(data), **more)


def test_token_and_headers(wire: Wire, aruba: ArubaProvider) -> None:
    answer(wire, f"{ACCOUNTS}/info", account())
    aruba.find(ADDRESS)
    aruba.find(ADDRESS)
    token, first, second = wire.calls
    assert token.json == {"username": "partner", "password": PASSWORD}
    assert "Authorization" not in token.headers
    for request in (first, second):
        assert request.headers["Authorization"] == "Bearer token-1"
        assert request.headers["Content-Type"] == request.headers["Accept"] == "application/json"


def test_correct_tax_code(wire: Wire, aruba: ArubaProvider) -> None:
    answer(wire, OWNERS, {"id": 1, "taxCode": "vrdlgu75t12a271e"})
    aruba.correct_tax_code(TAX_CODE, "VRDLGU75T12A271E")
    assert sent(wire) == [("PATCH", OWNERS, {"ownerId": {"taxCode": TAX_CODE}, "newTaxCode": "VRDLGU75T12A271E"})]
    answer(wire, OWNERS, {"id": 1, "taxCode": TAX_CODE})
    with pytest.raises(UnknownOutcome):
        aruba.correct_tax_code(TAX_CODE, "VRDLGU75T12A271E")


def test_find(wire: Wire, aruba: ArubaProvider) -> None:
    answer(wire, f"{ACCOUNTS}/info", account(recoveryEmail=RECOVERY, suspensionDate="2026-01-31T10:00:00+01:00"))
    assert aruba.find(ADDRESS) == Mailbox(ADDRESS, MailboxStatus.TO_CERTIFY, TAX_CODE, RECOVERY, True, "Da Certificare")
    assert sent(wire) == [("POST", f"{ACCOUNTS}/info", {"name": ADDRESS, "loadExtraData": True})]


@pytest.mark.parametrize("status", [status for status in MailboxStatus if status is not MailboxStatus.UNKNOWN])
def test_find_reads_every_status(wire: Wire, aruba: ArubaProvider, status: MailboxStatus) -> None:
    answer(wire, f"{ACCOUNTS}/info", account(status=status.value))
    mailbox = aruba.find(ADDRESS)
    assert mailbox is not None
    assert mailbox.status is status
    assert mailbox.closing == status.name.startswith("CLOSING")


def test_find_nothing(wire: Wire, aruba: ArubaProvider) -> None:
    wire.post(f"{ACCOUNTS}/info", status=404, json=envelope(None, [{"code": "004", "description": "No"}]))
    assert aruba.find(ADDRESS) is None


def test_availability(wire: Wire, aruba: ArubaProvider) -> None:
    answer(wire, f"{ACCOUNTS}/accountAvailable", {"accountExists": False, "isAccountAssignable": True})
    assert aruba.availability(ADDRESS, TAX_CODE) == Availability(exists=False, assignable=True)
    body = {"name": "mario.rossi", "domain": "tsrm.org", "taxCode": TAX_CODE}
    assert sent(wire) == [("POST", f"{ACCOUNTS}/accountAvailable", body)]


CREATE_BODY = {
    "name": ADDRESS,
    "type": "EMAIL",
    "recoveryEmail": RECOVERY,
    "ownerId": {"id": 7},
    "renewalData": {"type": "T", "duration": 1},
}
OWNER_SEARCH = ("POST", f"{OWNERS}/search?page=0&size=10", {"taxCode": TAX_CODE})


def test_create_for_a_known_holder(wire: Wire, aruba: ArubaProvider) -> None:
    answer(wire, f"{OWNERS}/search", page({"id": 7, "taxCode": TAX_CODE, "label": None}))
    answer(wire, ACCOUNTS, account())
    assert aruba.create(ADDRESS, HOLDER, RECOVERY) == MAILBOX
    assert sent(wire) == [OWNER_SEARCH, ("POST", ACCOUNTS, CREATE_BODY)]


def test_create_with_the_holder(wire: Wire, aruba: ArubaProvider) -> None:
    answer(wire, f"{OWNERS}/search", page())
    answer(wire, OWNERS, {"id": 7})
    answer(wire, ACCOUNTS, account())
    assert aruba.create(ADDRESS, HOLDER, RECOVERY) == MAILBOX
    owner = {
        "userType": "PRIVATO",
        "name": "Mario",
        "surname": "Rossi",
        "taxCode": TAX_CODE,
        "contacts": {
            "address": "Via Roma 1",
            "town": "Ancona",
            "zipCode": "60121",
            "district": "AN",
            "country": 260,
            "email": "mario.rossi@example.com",
            "telephoneNumber": "+39.3855371724",
            "mobile": "+39.3855371724",
        },
    }
    assert sent(wire) == [OWNER_SEARCH, ("POST", OWNERS, owner), ("POST", ACCOUNTS, CREATE_BODY)]


@pytest.mark.parametrize(
    ("owners", "code"),
    [
        ([{"id": 7, "taxCode": TAX_CODE}, {"id": 8, "taxCode": TAX_CODE}], "several_owners"),
        ([{"id": 7, "taxCode": TAX_CODE, "label": "Da bonificare"}], "owner_to_correct"),
    ],
)
def test_create_refuses_an_unclear_holder(
    wire: Wire, aruba: ArubaProvider, owners: list[dict[str, Any]], code: str
) -> None:
    answer(wire, f"{OWNERS}/search", page(*owners))
    with pytest.raises(Refused) as refused:
        aruba.create(ADDRESS, HOLDER, RECOVERY)
    assert refused.value.code == code
    assert "RSS*" in str(refused.value)
    assert TAX_CODE not in str(refused.value) + refused.value.detail
    assert sent(wire) == [OWNER_SEARCH]


@pytest.mark.parametrize(
    ("method", "arguments", "path", "body"),
    [
        ("activate", (ADDRESS,), "/activate", {"name": ADDRESS}),
        ("suspend", (ADDRESS,), "/suspend", {"name": ADDRESS}),
        ("resume", (ADDRESS,), "/suspend-undo", {"name": ADDRESS}),
        (
            "change_recovery_email",
            (ADDRESS, "nuova@example.com"),
            "/recovery-email",
            {"name": ADDRESS, "recoveryEmail": "nuova@example.com"},
        ),
    ],
)
def test_acts(wire: Wire, aruba: ArubaProvider, method: str, arguments: tuple[str, ...], path: str, body: Any) -> None:
    answer(wire, ACCOUNTS + path, account())
    assert getattr(aruba, method)(*arguments) == MAILBOX
    assert sent(wire) == [("POST", ACCOUNTS + path, body)]


def test_close(wire: Wire, aruba: ArubaProvider) -> None:
    answer(wire, f"{ACCOUNTS}/cancellation", account(status="Richiesta Disdetta"))
    aruba.close(ADDRESS)
    assert sent(wire) == [("POST", f"{ACCOUNTS}/cancellation", {"name": ADDRESS, "type": "I"})]


def test_reset_password(wire: Wire, aruba: ArubaProvider) -> None:
    answer(wire, f"{ACCOUNTS}/password-reset", {"sentTo": "m*****@e*****.com"})
    assert aruba.reset_password(ADDRESS, TAX_CODE) == "m*****@e*****.com"
    assert sent(wire) == [("POST", f"{ACCOUNTS}/password-reset", {"name": ADDRESS, "taxCode": TAX_CODE})]


def test_mailboxes_walks_the_pages(wire: Wire, aruba: ArubaProvider) -> None:
    pages = [
        page(account(name="A@tsrm.org"), account(name=None), last=False),
        page(account(name="b@tsrm.org", status="In Lavorazione", owner=None), last=True),
    ]
    for number, content in enumerate(pages):
        query = {"page": str(number), "size": "2", "sort": "name,asc"}
        answer(wire, f"{ACCOUNTS}/search", content, query=query)
    first, second = every_mailbox(aruba, 2)
    assert (first.name, first.status) == ("a@tsrm.org", MailboxStatus.TO_CERTIFY)
    assert (second.status, second.status_text, second.holder_tax_code) == (MailboxStatus.UNKNOWN, "In Lavorazione", "")
    assert [body for _, _, body in sent(wire)] == [{"loadExtraData": True}] * 2


def test_mailboxes_ends_on_an_empty_page(wire: Wire, aruba: ArubaProvider) -> None:
    answer(wire, f"{ACCOUNTS}/search", page(last=False))
    assert list(every_mailbox(aruba)) == []


@pytest.mark.parametrize(
    ("method", "argument"), [("activate", None), ("change_recovery_email", RECOVERY), ("reset_password", TAX_CODE)]
)
def test_without_the_convention_nothing_is_sent(wire: Wire, method: str, argument: str | None) -> None:
    aruba = make_provider(wire.url, convention_calls=False)
    with pytest.raises(Refused) as refused:
        getattr(aruba, method)(*filter(None, (ADDRESS, argument)))
    assert refused.value.code == "convention_off"
    assert not wire.calls
