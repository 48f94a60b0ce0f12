"""Suspending and cancelling, and taking both back."""

from datetime import datetime, timedelta

from tests.sandbox.partner import ACCOUNTS, MARIO, NAME, Partner, account_data, ok, refused, tax_code


def available(partner: Partner, code: str) -> dict[str, bool]:
    query = {"name": "mario.rossi", "domain": "tsrm.org", "taxCode": code}
    answer: dict[str, bool] = ok(partner.post(f"{ACCOUNTS}/accountAvailable", query))
    return answer


def test_suspend_and_back(partner: Partner) -> None:
    partner.account(active=True)
    suspended = ok(partner.act("suspend"))
    assert suspended["suspensionDate"]
    assert suspended["status"] == "Certificato"
    refused(partner.act("suspend"))
    assert ok(partner.act("suspend-undo"))["suspensionDate"] is None
    refused(partner.act("suspend-undo"))
    calls = partner.sandbox.calls()
    assert (calls["suspend"], calls["suspend-undo"]) == ({NAME: 1}, {NAME: 1})


def test_cancel_at_expiry_and_back(partner: Partner) -> None:
    end = partner.account(active=True)["endDate"]
    cancelled = ok(partner.act("cancellation", type="S"))
    assert (cancelled["status"], cancelled["cancellationDate"]) == ("Richiesta Disdetta", end)
    refused(partner.act("cancellation", type="S"))
    assert ok(partner.act("suspend"))["status"] == "Richiesta Disdetta Sospesa"
    assert ok(partner.act("cancellation-undo"))["status"] == "Certificato"
    refused(partner.act("cancellation-undo"))


def test_cancel_on_a_date_that_comes(partner: Partner) -> None:
    partner.account(active=True)
    refused(partner.act("cancellation", type="D"), field="cancellationDate")
    refused(partner.act("cancellation", type="D", cancellationDate="2020-01-01"), field="cancellationDate")
    tomorrow = (datetime.now().astimezone() + timedelta(days=1)).isoformat(timespec="seconds")
    cancelled = ok(partner.act("cancellation", type="D", cancellationDate=tomorrow))
    assert datetime.fromisoformat(cancelled["cancellationDate"]) == datetime.fromisoformat(tomorrow)
    partner.sandbox.advance(2 * 24 * 3600)
    again = Partner(partner.sandbox)
    refused(again.act("info"), 404)
    assert available(again, tax_code(502)) == {"accountExists": False, "isAccountAssignable": False}
    assert ok(again.post(ACCOUNTS, account_data()))["status"] == "Da Certificare"


def test_cancelled_now_it_is_gone_and_its_address_goes_back_to_its_holder_only(partner: Partner) -> None:
    partner.account(active=True)
    gone = ok(partner.act("cancellation", type="I"))
    assert gone["status"] == "Richiesta Disdetta"
    assert gone["cancellationDate"] == gone["endDate"]
    refused(partner.act("info"), 404)
    assert partner.sandbox.accounts() == []
    assert available(partner, MARIO) == {"accountExists": False, "isAccountAssignable": True}
    assert available(partner, tax_code(502)) == {"accountExists": False, "isAccountAssignable": False}
    other = tax_code(502)
    partner.owner(other)
    refused(partner.post(ACCOUNTS, account_data(code=other)))
    ok(partner.post(ACCOUNTS, account_data()))


def test_a_bad_kind_of_cancellation_is_refused(partner: Partner) -> None:
    partner.account()
    refused(partner.act("cancellation", type="Z"), field="type")


def test_acts_on_an_unknown_casella_are_not_found(partner: Partner) -> None:
    calls = ("suspend", "suspend-undo", "cancellation", "cancellation-undo", "owner-change", "activate")
    for call in (*calls, "password-reset", "recovery-email"):
        refused(partner.act(call), 404)
