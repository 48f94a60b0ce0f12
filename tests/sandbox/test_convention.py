"""The calls of the convention: activate, password reset, recovery address."""

import os
from collections.abc import Iterator

import pytest

from tests.sandbox.partner import MARIO, NAME, RECOVERY, Partner, ok, refused, tax_code
from tests.sandbox_process import SandboxProcess, database_beside, start_sandbox


def test_activate_certifies_and_mails_the_first_password_link(partner: Partner) -> None:
    account = partner.account(active=True)
    assert (account["status"], bool(account["certificationDate"])) == ("Certificato", True)
    (mail,) = partner.sandbox.mail(RECOVERY)
    assert NAME in mail["text"]
    assert f"{partner.sandbox.url}/password/" in mail["text"]
    assert f"{partner.sandbox.url}/password/" in mail["html"]


def test_activate_again_is_refused_and_mails_nothing(partner: Partner) -> None:
    partner.account(active=True)
    refused(partner.act("activate"))
    assert len(partner.sandbox.mail(RECOVERY)) == 1
    assert partner.sandbox.calls()["activate"] == {NAME: 1}


def test_activate_is_refused_once_cancellation_was_asked_for(partner: Partner) -> None:
    partner.account()
    partner.act("cancellation", type="S")
    refused(partner.act("activate"))


def test_password_reset_mails_a_link_and_masks_the_address(partner: Partner) -> None:
    partner.account(active=True)
    assert ok(partner.act("password-reset", taxCode=MARIO)) == {"sentTo": "m*****@e*****.com"}
    assert len(partner.sandbox.mail(RECOVERY)) == 2


def test_password_reset_wants_the_holder_and_a_certified_casella(partner: Partner) -> None:
    partner.account()
    refused(partner.act("password-reset", taxCode=MARIO))
    partner.act("activate")
    refused(partner.act("password-reset", taxCode=tax_code(502)), field="taxCode")
    assert "password-reset" not in partner.sandbox.calls()


def test_the_recovery_address_changes_once(partner: Partner) -> None:
    partner.account()
    refused(partner.act("recovery-email", recoveryEmail="m@pec.it"), field="recoveryEmail")
    for _ in range(2):
        ok(partner.act("recovery-email", recoveryEmail="nuova@example.com"))
    assert ok(partner.act("info", loadExtraData=True))["recoveryEmail"] == "nuova@example.com"
    assert partner.sandbox.calls()["recovery-email"] == {NAME: 1}


@pytest.fixture(scope="module")
def bare_sandbox(worker_id: str) -> Iterator[SandboxProcess]:
    """A sandbox without the convention's calls and without controls."""
    process = start_sandbox(
        database_beside(os.environ["DATABASE_URL"], f"sandbox_bare_{worker_id}"),
        controls=False,
        environment={"SANDBOX_CONVENTION_CALLS": "0"},
    )
    yield process
    process.stop()


def test_without_the_convention_its_calls_are_not_there(bare_sandbox: SandboxProcess) -> None:
    partner = Partner(bare_sandbox)
    name = f"mario.rossi{os.getpid()}@tsrm.org"
    partner.account(name)
    for call in ("activate", "password-reset", "recovery-email"):
        refused(partner.act(call, name=name), 404)
    assert "recoveryEmail" not in ok(partner.act("info", name=name, loadExtraData=True))


@pytest.mark.parametrize(
    ("method", "control"),
    [
        ("POST", "faults"),
        ("DELETE", "faults"),
        ("GET", "accounts"),
        ("GET", "calls"),
        ("POST", "reset"),
        ("POST", "clock"),
        ("POST", "tokens/revoke"),
        ("POST", "owners/label"),
    ],
)
def test_controls_that_are_off_are_not_there(bare_sandbox: SandboxProcess, method: str, control: str) -> None:
    assert bare_sandbox.http.request(method, f"{bare_sandbox.url}/_sandbox/{control}", timeout=10).status_code == 404


def test_mail_is_there_without_controls(bare_sandbox: SandboxProcess) -> None:
    assert isinstance(bare_sandbox.mail("nobody@example.com"), list)
