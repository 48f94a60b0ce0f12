"""The register against the real sandbox: each difference by its name, what is mended and what never is."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.utils import timezone

from audit.models import LogEntry
from members.models import Member
from pec_requests import corrections, lifecycle, operations, reconcile
from pec_requests.models import Difference, PecRequest, ProviderOperation
from pec_requests.provider import Holder, MailboxStatus, Refused, provider
from pec_requests.states import Kind
from tests.factories import tax_code
from tests.pec_requests.conftest import STAFF
from tests.pec_requests.reconciling import STRANGER, Listing, box, force, found, fresh
from tests.sandbox_process import SandboxProcess

pytestmark = pytest.mark.django_db
Work = Callable[[], int]
State = ProviderOperation.State


def test_an_empty_register_and_one_that_agrees(active: PecRequest) -> None:
    outcome = reconcile.run()
    assert (outcome.accounts, outcome.foreign, outcome.checked, outcome.remaining) == (1, 0, 0, 0)


def test_each_state_that_fits_is_no_difference(active: PecRequest, work: Work) -> None:
    for act in ("suspend", "resume", "close"):
        lifecycle.decide([active.pk], act, STAFF, reason="prova")
        work()
        assert reconcile.run().checked == 0


def test_a_request_without_a_mailbox_is_normal(pec: PecRequest, aruba: SandboxProcess) -> None:
    reconcile.run()
    assert found() == []


def test_missing_there_is_named_and_never_mended(active: PecRequest) -> None:
    provider().close(active.address)
    outcome = reconcile.run(repair=True)
    assert found() == [("MISSING_THERE", "")]
    assert (outcome.remaining, outcome.repaired, fresh(active).status) == (1, 0, "ATTIVO")


def test_missing_here_is_of_the_ordine_of_its_holder(member: Member, aruba: SandboxProcess) -> None:
    ours = Holder(
        member.tax_code, "Mario", "Rossi", "m@example.com", "Via Po, 2", "Torino", "10100", "TO", "3330000000"
    )
    provider().create("mario.rossi@tsrm.org", ours, "m@example.com")
    provider().create("altro.rossi@tsrm.org", STRANGER, "m@example.com")
    reconcile.run(repair=True)
    assert found() == [("MISSING_HERE", "")] * 2
    owners = dict(Difference.objects.values_list("address", "member"))
    assert owners == {"altro.rossi@tsrm.org": None, "mario.rossi@tsrm.org": member.pk}


def test_other_domains_are_counted_apart(member: Member) -> None:
    outcome = reconcile.run(Listing([box("x@altri.example", "X")]))
    assert (outcome.accounts, outcome.foreign, outcome.checked) == (1, 1, 0)


def test_held_by_another_is_named_with_masked_codes_and_never_mended(pec: PecRequest, aruba: SandboxProcess) -> None:
    pec.operations.all().delete()
    provider().create(pec.address, STRANGER, "altro@example.com")
    reconcile.run(repair=True)
    assert found() == [("HOLDER", "")]
    difference = Difference.objects.get()
    assert STRANGER.tax_code not in difference.there and pec.member.tax_code not in difference.here


def test_another_recovery_email_is_brought_back_to_the_registers(
    active: PecRequest, work: Work, aruba: SandboxProcess
) -> None:
    provider().change_recovery_email(active.address, "vecchia@example.com")
    reconcile.run()
    assert found() == [("RECOVERY_EMAIL", "RECOVERY_EMAIL")]
    outcome = reconcile.run(repair=True)
    assert (outcome.repaired, outcome.remaining) == (1, 0)
    assert reconcile.run().remaining == 0  # while the operation waits
    work()
    account = aruba.account(active.address)
    assert account and account["recoveryEmail"] == active.recovery_email
    assert reconcile.run().checked == 0
    assert "vecchia@example.com" not in str(LogEntry.objects.get(action="pec.mended").detail)


def test_other_case_is_the_same_recovery_email(active: PecRequest) -> None:
    provider().change_recovery_email(active.address, active.recovery_email.upper())
    assert reconcile.run().checked == 0


def test_suspended_there_is_for_a_person(active: PecRequest) -> None:
    provider().suspend(active.address)
    reconcile.run(repair=True)
    assert found() == [("STATUS", "")]
    assert Difference.objects.get().there == "Certificato, sospesa"


@pytest.mark.parametrize(
    ("here", "there", "repair"),
    [
        ("ATTIVO", MailboxStatus.CLOSING, "FOUND_CLOSED"),
        ("SOSPESO", MailboxStatus.CLOSING, "FOUND_CLOSED"),
        ("ATTIVO", MailboxStatus.CLOSING_SUSPENDED, ""),
        ("NON_ATTIVO", MailboxStatus.CLOSING, ""),
        ("ATTIVO", MailboxStatus.TO_CERTIFY, ""),
        ("NON_ATTIVO", MailboxStatus.CERTIFIED, ""),
        ("ANNULLATO", MailboxStatus.TO_CERTIFY, "CLOSE"),
        ("CESSATO", MailboxStatus.CERTIFIED, ""),
        ("RIFIUTATO", MailboxStatus.CERTIFIED, ""),
        ("ATTIVO", MailboxStatus.UNKNOWN, ""),
    ],
)
def test_states_that_do_not_fit(pec: PecRequest, here: str, there: MailboxStatus, repair: str) -> None:
    pec.operations.all().delete()
    force(pec, here)
    reconcile.run(Listing([box(pec.address, pec.member.tax_code, there)]))
    assert found() == [("STATUS", repair)]
    reconcile.run(Listing([box(pec.address, "", there)]))
    assert found() == [("STATUS", "")], "a holder that nobody knows: nothing is safe"


def test_closing_there_ends_the_request_by_the_table_of_states(active: PecRequest) -> None:
    closing = Listing([box(active.address, active.member.tax_code, MailboxStatus.CLOSING)])
    assert reconcile.run(closing, repair=True).repaired == 1
    assert fresh(active).status == "CESSATO"
    assert LogEntry.objects.get(action="pec.close").actor_name == "reconcile"
    assert reconcile.run(closing).remaining == 0


def test_a_mailbox_left_over_there_is_closed(ready: PecRequest, work: Work, aruba: SandboxProcess) -> None:
    lifecycle.decide([ready.pk], "cancel", STAFF, reason="errore")
    ready.operations.filter(kind=Kind.CLOSE).delete()
    assert reconcile.run(repair=True).repaired == 1
    work()
    assert aruba.calls()["cancellation"] == {ready.address: 1}


def test_a_given_up_creation_that_succeeded_goes_on(pec: PecRequest, work: Work, aruba: SandboxProcess) -> None:
    aruba.fault("create", "status", 400, times=1)
    work()
    assert pec.operations.get().state == State.ATTENTION
    assert reconcile.run(repair=True).repaired == 0
    holder = Holder(
        pec.member.tax_code, "Mario", "Rossi", "m@example.com", "Via Po, 2", "Torino", "10100", "TO", "3330000000"
    )
    provider().create(pec.address, holder, pec.recovery_email)
    assert reconcile.run(repair=True).repaired == 1
    work()
    assert fresh(pec).status == "NON_ATTIVO"


@pytest.mark.parametrize(
    ("kind", "here", "there", "suspended"),
    [
        (Kind.CREATE, "RICHIESTA", MailboxStatus.TO_CERTIFY, False),
        (Kind.ACTIVATE, "NON_ATTIVO", MailboxStatus.CERTIFIED, False),
        (Kind.SUSPEND, "ATTIVO", MailboxStatus.CERTIFIED, True),
        (Kind.RESUME, "SOSPESO", MailboxStatus.CERTIFIED, False),
        (Kind.CLOSE, "ATTIVO", MailboxStatus.CLOSING, False),
        (Kind.CLOSE, "ANNULLATO", MailboxStatus.TO_CERTIFY, False),
    ],
)
def test_an_unsettled_operation_accounts_for_a_difference_of_its_kind(
    pec: PecRequest, kind: Kind, here: str, there: MailboxStatus, suspended: bool
) -> None:
    pec.operations.all().delete()
    force(pec, here)
    there_now = Listing([box(pec.address, pec.member.tax_code, there, suspended=suspended)])
    operations.enqueue([pec], Kind.RESET)
    pec.operations.filter(kind=Kind.RESET).update(state=State.ATTENTION, finished_at=timezone.now())
    reconcile.run(there_now)
    assert len(found()) == 1, "an operation of another kind explains nothing"
    operations.enqueue([pec], kind)
    reconcile.run(there_now)
    assert found() == []


def test_a_correction_under_way_accounts_for_the_code_of_before(ready: PecRequest) -> None:
    before = Listing([box(ready.address, ready.member.tax_code, MailboxStatus.TO_CERTIFY)])
    corrections.correct_tax_code(ready.member_id, tax_code(999), STAFF)
    reconcile.run(before)
    assert found() == []
    ready.operations.filter(kind=Kind.TAX_CODE).update(state=State.WITHDRAWN, finished_at=timezone.now())
    reconcile.run(before)
    assert found() == [("HOLDER", "")]


def test_a_new_word_of_the_provider_is_shown(active: PecRequest) -> None:
    unknown = box(active.address, active.member.tax_code, MailboxStatus.UNKNOWN, status_text="In Lavorazione")
    refusal = Refused("Stato sconosciuto: «In Lavorazione».", code="unknown_status")
    reconcile.run(Listing([unknown], {active.address: refusal}), repair=True)
    assert found() == [("STATUS", "")]


def test_repairs_have_a_limit(active: PecRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconcile, "MOST_REPAIRS", 0)
    provider().change_recovery_email(active.address, "vecchia@example.com")
    assert (reconcile.run(repair=True).repaired, found()) == (0, [("RECOVERY_EMAIL", "RECOVERY_EMAIL")])
