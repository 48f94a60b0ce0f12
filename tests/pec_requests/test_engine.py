"""Operations carried out against the real sandbox: each kind, each kind of error, each effect once."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from post_office.models import Email

from audit.models import LogEntry
from pec_requests import health, lifecycle, operations, passwords, shares
from pec_requests.models import PecRequest, ProviderHealth, ProviderOperation, ReservedAddress, WorkerShare
from pec_requests.performing import Done, perform
from pec_requests.provider import Holder, UnknownOutcome, provider, reset
from pec_requests.settling import settle
from pec_requests.states import Kind
from tests.factories import tax_code
from tests.pec_requests.conftest import STAFF
from tests.sandbox_process import SandboxProcess

pytestmark = pytest.mark.django_db
Work = Callable[[], int]
State = ProviderOperation.State


def fresh(pec: PecRequest) -> PecRequest:
    return PecRequest.objects.get(pk=pec.pk)


def last(pec: PecRequest) -> ProviderOperation:
    return pec.operations.order_by("-id")[0]


def abandon(pec: PecRequest, **changes: Any) -> None:
    """As a killed worker leaves it: claimed, the lease over, nothing known."""
    pec.operations.update(
        state=State.RUNNING,
        claim=uuid.uuid4(),
        look_first=True,
        not_before=timezone.now() - timedelta(seconds=1),
        finished_at=None,
        **changes,
    )


@pytest.fixture
def active(pec: PecRequest, work: Work) -> PecRequest:
    work()
    lifecycle.decide([pec.pk], "accept", STAFF)
    work()
    return fresh(pec)


def test_from_request_to_active(active: PecRequest, aruba: SandboxProcess) -> None:
    assert active.status == "ATTIVO"
    assert aruba.calls()["create"] == {active.address: 1}
    assert aruba.calls()["activate"] == {active.address: 1}
    account = aruba.account(active.address)
    assert account
    assert account["recoveryEmail"] == active.recovery_email


@pytest.mark.parametrize(
    ("acts", "status"), [(["suspend"], "SOSPESO"), (["suspend", "resume"], "ATTIVO"), (["close"], "CESSATO")]
)
def test_what_staff_decide_happens_when_the_provider_confirms(
    active: PecRequest, work: Work, acts: list[str], status: str
) -> None:
    for act in acts:
        lifecycle.decide([active.pk], act, STAFF, reason="decisione del consiglio")
        work()
    assert fresh(active).status == status


def test_a_closing_that_an_earlier_try_had_after_all_is_no_refusal(
    active: PecRequest, aruba: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The earlier call comes through after we have looked and before we call: the second is refused."""
    real = provider()
    monkeypatch.setattr(
        real, "close", lambda address: (type(real).close(real, address), type(real).close(real, address))
    )
    lifecycle.decide([active.pk], "close", STAFF, reason="x")
    claim = operations.claim(1, "here")[0]
    settle(claim, perform(claim, real))
    assert fresh(active).status == "CESSATO"
    assert aruba.calls()["cancellation"] == {active.address: 1}


def test_refusing_closes_the_mailbox_at_the_provider(pec: PecRequest, work: Work, aruba: SandboxProcess) -> None:
    work()
    lifecycle.decide([pec.pk], "refuse", STAFF)
    work()
    assert aruba.calls()["cancellation"] == {pec.address: 1}
    assert last(pec).state == State.DONE


def test_an_address_taken_by_somebody_else_gives_way_to_the_next(
    pec: PecRequest, work: Work, aruba: SandboxProcess
) -> None:
    stranger = Holder(
        tax_code(999), "Mario", "Rossi", "altro@example.com", "Via Po, 2", "Torino", "10100", "TO", "3330000000"
    )
    provider().create(pec.address, stranger, "altro@example.com")
    work()
    assert (fresh(pec).status, fresh(pec).address) == ("NON_ATTIVO", "mario.rossi2@tsrm.org")
    assert not ReservedAddress.objects.filter(address=pec.address, member__isnull=False).exists()
    sentence = LogEntry.objects.get(action="pec.readdressed").sentence
    assert sentence.startswith(f"L'indirizzo {pec.address} risulta già assegnato")


@pytest.mark.parametrize("call", ["create", "activate"])
def test_a_lost_answer_is_looked_up_and_nothing_happens_twice(
    pec: PecRequest, work: Work, aruba: SandboxProcess, call: str
) -> None:
    aruba.fault(call, "drop_after", times=1)
    work()
    lifecycle.decide([pec.pk], "accept", STAFF)
    work()
    assert fresh(pec).status == "ATTIVO"
    assert aruba.calls()[call] == {pec.address: 1}


@pytest.mark.parametrize(
    ("kind", "value"), [("status", 500), ("status", 503), ("garbage", 200), ("partial", None), ("drop_before", None)]
)
def test_errors_that_pass_are_tried_again(
    pec: PecRequest, work: Work, aruba: SandboxProcess, kind: str, value: Any
) -> None:
    aruba.fault("create", kind, value, times=1)
    work()
    assert fresh(pec).status == "NON_ATTIVO"
    assert aruba.calls()["create"] == {pec.address: 1}


def test_the_provider_that_asks_to_wait_is_left_in_peace(pec: PecRequest, work: Work, aruba: SandboxProcess) -> None:
    aruba.fault("create", "rate_limit", 120, times=1)
    work()
    operation = last(pec)
    assert operation.state == State.WAITING
    assert timedelta(seconds=100) < operation.not_before - timezone.now() < timedelta(seconds=121)


def test_a_refusal_needs_attention_and_can_be_retried(pec: PecRequest, work: Work, aruba: SandboxProcess) -> None:
    aruba.fault("create", "status", 400, times=1)
    work()
    assert last(pec).state == State.ATTENTION
    assert last(pec).last_error
    assert fresh(pec).status == "RICHIESTA"
    assert lifecycle.retry_operations([last(pec).pk], STAFF) == 1
    work()
    assert fresh(pec).status == "NON_ATTIVO"


def test_giving_up_a_refused_activation_takes_the_acceptance_back(
    pec: PecRequest, work: Work, aruba: SandboxProcess
) -> None:
    work()
    lifecycle.decide([pec.pk], "accept", STAFF)
    aruba.fault("activate", "status", 400, times=1)
    work()
    assert last(pec).state == State.ATTENTION
    lifecycle.drop_operation(last(pec).pk, STAFF)
    assert fresh(pec).accepted_at is None
    lifecycle.decide([pec.pk], "cancel", STAFF, reason="rifiutata dal gestore")
    work()
    assert fresh(pec).status == "ANNULLATO"
    assert aruba.account(pec.address) is None or aruba.calls()["cancellation"] == {pec.address: 1}


def test_an_outage_opens_the_breaker_and_burns_no_attempt(
    pec: PecRequest, work: Work, aruba: SandboxProcess, settings: Any
) -> None:
    settings.BREAKER_THRESHOLD, settings.BREAKER_SECONDS = 3, 600
    aruba.fault("*", "status", 503)
    assert work() == 3
    assert health.current().state == ProviderHealth.State.OPEN
    assert (last(pec).state, last(pec).attempts) == (State.WAITING, 0)
    assert work() == 0
    aruba.clear_faults()
    ProviderHealth.objects.update(open_until=timezone.now())
    ProviderOperation.objects.update(not_before=timezone.now())
    work()
    assert health.current().state == ProviderHealth.State.CLOSED
    assert fresh(pec).status == "NON_ATTIVO"


@pytest.mark.django_db
def test_during_a_long_outage_somebody_looks_every_minute(settings: Any) -> None:
    settings.BREAKER_SECONDS = 15
    for _time in range(settings.BREAKER_THRESHOLD + 12):
        health.failed("Il gestore non risponde.", probe=True)
    pause = health.current().open_until - timezone.now()  # type: ignore[operator]
    assert 58 < pause.total_seconds() <= 60


def test_wrong_credentials_stop_the_queue_with_one_alarm(
    pec: PecRequest, work: Work, aruba: SandboxProcess, settings: Any
) -> None:
    settings.ARUBA_PASSWORD, settings.BREAKER_SECONDS = "sbagliata", 600
    settings.ADMINS = [("Amministratore", "admin@example.com")]
    reset()
    work()
    ProviderHealth.objects.update(open_until=timezone.now())
    work()
    assert health.current().state == ProviderHealth.State.STOPPED
    assert last(pec).attempts == 0
    assert Email.objects.filter(to="admin@example.com").count() == 1


def test_a_worker_killed_after_creating_does_not_create_again(
    pec: PecRequest, work: Work, aruba: SandboxProcess
) -> None:
    work()
    with_guard_off = PecRequest.objects.filter(pk=pec.pk)
    assert with_guard_off.get().status == "NON_ATTIVO"
    lifecycle.decide([pec.pk], "accept", STAFF)
    aruba.fault("activate", "drop_after", times=1)
    claim = operations.claim(1, "ucciso")[0]
    with pytest.raises(UnknownOutcome):
        perform(claim, provider())
    ProviderOperation.objects.filter(pk=claim.operation.pk).update(not_before=timezone.now())  # the lease is over
    work()
    assert fresh(pec).status == "ATTIVO"
    assert aruba.calls()["activate"] == {pec.address: 1}


def test_while_others_have_every_slot_a_worker_waits(
    pec: PecRequest, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shares, "_RENEWED_AFTER", 0.02)
    ends = timezone.now() + timedelta(seconds=0.5)
    WorkerShare.objects.create(worker="morto", slots=10, ends_at=ends)
    work()
    assert fresh(pec).status == "NON_ATTIVO"
    assert last(pec).claimed_at >= ends


def test_who_lost_the_claim_settles_nothing(pec: PecRequest, aruba: SandboxProcess) -> None:
    claim = operations.claim(1, "lento")[0]
    pec.operations.update(claim=uuid.uuid4(), claimed_by="svelto")
    settle(claim, Done())
    assert (last(pec).state, fresh(pec).status) == (State.RUNNING, "RICHIESTA")


def test_an_operation_never_overtakes_an_earlier_one(active: PecRequest, aruba: SandboxProcess) -> None:
    lifecycle.decide([active.pk], "suspend", STAFF, reason="x")
    lifecycle.decide([active.pk], "close", STAFF, reason="x")
    first = operations.claim(10, "uno")
    assert [c.operation.kind for c in first] == [Kind.SUSPEND]
    assert operations.claim(10, "due") == []


def test_a_password_reset_is_tried_once(active: PecRequest, work: Work, aruba: SandboxProcess) -> None:
    aruba.fault("password-reset", "drop_after", times=1)
    passwords.ask_reset(active.pk, STAFF)
    work()
    assert last(active).state == State.UNKNOWN
    assert aruba.calls()["password-reset"] == {active.address: 1}


def test_a_password_reset_whose_worker_was_killed_is_not_repeated(
    active: PecRequest, work: Work, aruba: SandboxProcess
) -> None:
    passwords.ask_reset(active.pk, STAFF)
    active.operations.filter(kind=Kind.RESET).update(
        state=State.RUNNING, claim=uuid.uuid4(), look_first=True, not_before=timezone.now() - timedelta(seconds=1)
    )
    work()
    assert last(active).state == State.UNKNOWN
    assert "password-reset" not in aruba.calls()


def test_a_reset_link_can_be_asked_again_only_after_a_while(active: PecRequest, work: Work) -> None:
    passwords.ask_reset(active.pk, STAFF)
    with pytest.raises(passwords.ResetRefused, match="già stato chiesto"):
        passwords.ask_reset(active.pk, STAFF)
    work()
    assert "•" in last(active).result or "*" in last(active).result
    with pytest.raises(passwords.ResetRefused, match="attendere due minuti"):
        passwords.ask_reset(active.pk, STAFF)


def test_cancelling_during_the_creation_leaves_no_mailbox(pec: PecRequest, work: Work, aruba: SandboxProcess) -> None:
    abandon(pec, attempts=1)
    lifecycle.decide([pec.pk], "cancel", STAFF, reason="x")
    work()
    assert fresh(pec).status == "ANNULLATO"
    assert aruba.account(pec.address) is None or aruba.calls()["cancellation"] == {pec.address: 1}
    assert not pec.operations.filter(state__in=ProviderOperation.UNSETTLED).exists()


def test_an_unexpected_error_of_ours_never_loses_an_operation(
    pec: PecRequest, work: Work, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.OPERATION_MAX_ATTEMPTS = 3
    monkeypatch.setattr("pec_requests.calling.perform", lambda *_args: 1 / 0)
    assert work() == 3
    assert (last(pec).state, last(pec).look_first) == (State.ATTENTION, True)
    assert not lifecycle.can_drop(last(pec))
