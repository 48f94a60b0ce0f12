"""The adapter and the sandbox, each by its own reading of the contract: a whole life, refusals and faults."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from stdnum.it import codicefiscale

from pec_requests.provider import (
    Availability,
    MailboxStatus,
    Misconfigured,
    ProviderError,
    Refused,
    Temporary,
    UnknownOutcome,
)
from pec_requests.provider.aruba import ArubaProvider
from pec_requests.provider.session import Transport
from pec_requests.provider.tokens import TokenStore
from tests.provider.conftest import LIMITS, every_mailbox
from tests.provider.examples import ADDRESS, HOLDER, RECOVERY, TAX_CODE
from tests.sandbox_process import SandboxProcess

OTHER_TAX_CODE = "VRDLGU75T12A271E"


def connect(sandbox: SandboxProcess, *, password: str | None = None, convention_calls: bool = True) -> ArubaProvider:
    transport = Transport(sandbox.url, LIMITS)
    tokens = TokenStore(transport, sandbox.username, password or sandbox.password)
    return ArubaProvider(transport, tokens, convention_calls=convention_calls)


@pytest.fixture
def clean(sandbox: SandboxProcess) -> Iterator[SandboxProcess]:
    """The sandbox with nothing in it, and nothing going wrong in it afterwards."""
    sandbox.reset()
    sandbox.clear_faults()
    yield sandbox
    sandbox.clear_faults()


@pytest.fixture
def aruba(clean: SandboxProcess) -> ArubaProvider:
    return connect(clean)


def test_a_whole_life(clean: SandboxProcess, aruba: ArubaProvider) -> None:
    assert aruba.find(ADDRESS) is None
    assert aruba.availability(ADDRESS, TAX_CODE) == Availability(exists=False, assignable=True)
    created = aruba.create(ADDRESS, HOLDER, RECOVERY)
    assert (created.name, created.status, created.holder_tax_code) == (ADDRESS, MailboxStatus.TO_CERTIFY, TAX_CODE)
    assert aruba.availability(ADDRESS, TAX_CODE) == Availability(exists=True, assignable=False)
    assert aruba.activate(ADDRESS).status is MailboxStatus.CERTIFIED
    assert aruba.reset_password(ADDRESS, TAX_CODE) == "m*****@e*****.com"
    aruba.change_recovery_email(ADDRESS, "nuova@example.com")
    assert aruba.suspend(ADDRESS).suspended
    found = aruba.find(ADDRESS)
    assert found is not None
    assert (found.recovery_email, found.suspended) == ("nuova@example.com", True)
    assert not aruba.resume(ADDRESS).suspended
    assert [mailbox.name for mailbox in every_mailbox(aruba)] == [ADDRESS]
    aruba.close(ADDRESS)
    assert aruba.find(ADDRESS) is None
    assert aruba.availability(ADDRESS, TAX_CODE) == Availability(exists=False, assignable=True)
    assert aruba.availability(ADDRESS, OTHER_TAX_CODE) == Availability(exists=False, assignable=False)


def test_the_holders_code_is_corrected_until_recognition(aruba: ArubaProvider) -> None:
    aruba.create(ADDRESS, HOLDER, RECOVERY)
    other = TAX_CODE[:11] + "B" + TAX_CODE[12:15]
    other += codicefiscale.calc_check_digit(other)
    aruba.correct_tax_code(TAX_CODE, other)
    assert aruba.activate(ADDRESS).holder_tax_code == other
    with pytest.raises(Refused, match="riconoscimento"):
        aruba.correct_tax_code(other, TAX_CODE)
    with pytest.raises(Refused):
        aruba.correct_tax_code(TAX_CODE, other)  # nobody has it any more


def test_the_holder_is_created_once(clean: SandboxProcess, aruba: ArubaProvider) -> None:
    for address in (ADDRESS, "mario.rossi2@tsrm.org"):
        aruba.create(address, HOLDER, RECOVERY)
    assert clean.calls()["owners"] == {TAX_CODE: 1}
    assert len(clean.accounts()) == 2


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda aruba: aruba.create(ADDRESS, HOLDER, RECOVERY), "esiste già"),
        (lambda aruba: aruba.create("mario.rossi@altrove.it", HOLDER, RECOVERY), "non è attivo"),
        (lambda aruba: aruba.create("m.r@tsrm.org", HOLDER, "mario@pec.it"), "PEC"),
        (lambda aruba: aruba.create("m.r@tsrm.org", replace(HOLDER, tax_code=OTHER_TAX_CODE), RECOVERY), "coerente"),
        (lambda aruba: aruba.change_recovery_email(ADDRESS, "mario@pec.it"), "PEC"),
        (lambda aruba: aruba.reset_password(ADDRESS, OTHER_TAX_CODE), "titolare"),
        (lambda aruba: aruba.resume(ADDRESS), "non è sospesa"),
        (lambda aruba: aruba.activate("nessuno@tsrm.org"), "trovata"),
        (lambda aruba: aruba.close("nessuno@tsrm.org"), "trovata"),
    ],
)
def test_refusals_come_in_the_providers_words(
    aruba: ArubaProvider, act: Callable[[ArubaProvider], object], words: str
) -> None:
    aruba.create(ADDRESS, HOLDER, RECOVERY)
    with pytest.raises(Refused) as refused:
        act(aruba)
    assert words.lower() in str(refused.value).lower()
    assert OTHER_TAX_CODE not in str(refused.value)


def test_a_holder_to_correct(clean: SandboxProcess, aruba: ArubaProvider) -> None:
    aruba.create(ADDRESS, HOLDER, RECOVERY)
    clean.label_owner(TAX_CODE, "Da bonificare")
    with pytest.raises(Refused) as refused:
        aruba.create("mario.rossi2@tsrm.org", HOLDER, RECOVERY)
    assert refused.value.code == "owner_to_correct"


@pytest.mark.parametrize(
    ("kind", "value", "error", "outage", "done"),
    [
        ("drop_before", None, UnknownOutcome, False, False),
        ("drop_after", None, UnknownOutcome, False, True),
        ("garbage", None, UnknownOutcome, False, False),
        ("garbage", 502, Temporary, True, False),
        ("partial", None, UnknownOutcome, False, True),
        ("status", 500, Temporary, False, False),
        ("status", 503, Temporary, True, False),
        ("status", 403, Refused, False, False),
        ("status", 401, Misconfigured, False, False),
        ("rate_limit", 2, Temporary, False, False),
        ("latency", 3, UnknownOutcome, False, True),
    ],
)
def test_faults_of_a_change(
    clean: SandboxProcess,
    aruba: ArubaProvider,
    kind: str,
    value: float | None,
    error: type[ProviderError],
    outage: bool,
    done: bool,
) -> None:
    clean.fault("create", kind, value)
    with pytest.raises(error) as caught:
        aruba.create(ADDRESS, HOLDER, RECOVERY)
    clean.clear_faults()
    assert type(caught.value) is error
    assert caught.value.outage == outage
    if kind == "rate_limit":
        assert caught.value.retry_after == value
    assert (aruba.find(ADDRESS) is not None) == done


@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "garbage", "partial", "rate_limit"])
@pytest.mark.parametrize("call", ["token", "info"])
def test_faults_of_a_look_are_temporary(clean: SandboxProcess, aruba: ArubaProvider, call: str, kind: str) -> None:
    connect(clean).create(ADDRESS, HOLDER, RECOVERY)
    clean.fault(call, kind)
    with pytest.raises(Temporary) as caught:
        aruba.find(ADDRESS)
    assert not caught.value.maybe_done
    clean.clear_faults()
    assert aruba.find(ADDRESS)


@pytest.mark.parametrize(
    ("kind", "value"), [("drop_after", None), ("garbage", None), ("partial", None), ("status", 500), ("status", 504)]
)
def test_a_doubtful_reset_is_sent_once(
    clean: SandboxProcess, aruba: ArubaProvider, kind: str, value: float | None
) -> None:
    aruba.create(ADDRESS, HOLDER, RECOVERY)
    aruba.activate(ADDRESS)
    clean.fault("password-reset", kind, value)
    with pytest.raises(UnknownOutcome):
        aruba.reset_password(ADDRESS, TAX_CODE)
    assert clean.calls().get("password-reset", {}).get(ADDRESS, 0) == (kind in ("drop_after", "partial"))


def test_a_connection_lost_once_does_not_stop_a_look(clean: SandboxProcess, aruba: ArubaProvider) -> None:
    clean.fault("info", "drop_before", times=1)
    assert aruba.find(ADDRESS) is None


def test_revoked_and_expired_tokens_are_not_noticed(clean: SandboxProcess, aruba: ArubaProvider) -> None:
    aruba.create(ADDRESS, HOLDER, RECOVERY)
    clean.revoke_tokens()
    assert aruba.find(ADDRESS)
    clean.advance(301)
    assert aruba.activate(ADDRESS).status is MailboxStatus.CERTIFIED
    clean.advance(43201)
    assert aruba.suspend(ADDRESS).suspended


def test_wrong_credentials(clean: SandboxProcess) -> None:
    with pytest.raises(Misconfigured):
        connect(clean, password="sbagliata").find(ADDRESS)


def test_many_at_once_and_every_page_of_them(clean: SandboxProcess, aruba: ArubaProvider) -> None:
    addresses = [f"mario.rossi{number}@tsrm.org" for number in range(2, 42)]
    aruba.create(ADDRESS, HOLDER, RECOVERY)
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(lambda address: aruba.create(address, HOLDER, RECOVERY), addresses))
    names = [mailbox.name for mailbox in every_mailbox(aruba, 7)]
    assert names == sorted([ADDRESS, *addresses])
    assert {mailbox.recovery_email for mailbox in every_mailbox(aruba)} == {RECOVERY}
    assert set(clean.calls()["create"].values()) == {1}
