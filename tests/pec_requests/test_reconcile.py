"""The register against the real sandbox: each difference by its name, what is mended and what never is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.utils import timezone
from django_scopes import scopes_disabled

from audit.models import LogEntry
from members.models import Member
from pec_requests import comparing, lifecycle, operations, reconcile
from pec_requests.comparing import Finding
from pec_requests.models import Difference, PecDomain, PecRequest, ProviderHealth, ProviderOperation
from pec_requests.provider import Holder, Mailbox, MailboxPage, MailboxStatus, Provider, Refused, Temporary, provider
from pec_requests.states import Kind
from tests.factories import tax_code
from tests.pec_requests.conftest import STAFF
from tests.sandbox_process import SandboxProcess

pytestmark = pytest.mark.django_db
Work = Callable[[], int]
State = ProviderOperation.State
STRANGER = Holder(
    tax_code(999), "Mario", "Rossi", "altro@example.com", "Via Po, 2", "Torino", "10100", "TO", "3330000000"
)


def fresh(pec: PecRequest) -> PecRequest:
    return PecRequest.objects.get(pk=pec.pk)


def found() -> list[tuple[str, str]]:
    """The open differences: kind and what could be done about each."""
    return [(d.kind, d.repair) for d in Difference.objects.filter(closed_at=None).order_by("address", "kind")]


_WAYS = {
    "RICHIESTA": [],
    "NON_ATTIVO": ["NON_ATTIVO"],
    "RIFIUTATO": ["NON_ATTIVO", "RIFIUTATO"],
    "ANNULLATO": ["ANNULLATO"],
    "ATTIVO": ["NON_ATTIVO", "ATTIVO"],
    "SOSPESO": ["NON_ATTIVO", "ATTIVO", "SOSPESO"],
    "CESSATO": ["NON_ATTIVO", "ATTIVO", "CESSATO"],
}


def force(pec: PecRequest, status: str) -> None:
    """The register in a status, by the moves that the database allows, with nothing asked of the provider."""
    for step in _WAYS[status]:
        accepted = {"accepted_at": timezone.now()} if step == "ATTIVO" else {}
        PecRequest.objects.filter(pk=pec.pk).update(status=step, **accepted)


class Between(Provider):
    """The real provider, with something happening before each ``find`` is answered."""

    def __init__(self, happens: Callable[[], object]) -> None:
        self._happens = happens

    def __getattribute__(self, name: str) -> Any:
        return object.__getattribute__(self, name) if name in ("find", "_happens") else getattr(provider(), name)

    def find(self, address: str) -> Mailbox | None:
        box = provider().find(address)
        self._happens()
        return box


class Listing(Provider):
    """A provider whose list and whose answers about one mailbox are given."""

    def __init__(self, listed: list[Mailbox], known: dict[str, Mailbox | Exception] | None = None) -> None:
        self._listed, self._known = listed, known
        self.asked: list[str] = []

    def mailbox_page(self, number: int, size: int) -> MailboxPage:
        rows = self._listed[number * size : (number + 1) * size]
        return MailboxPage(tuple(rows), last=(number + 1) * size >= len(self._listed))

    def find(self, address: str) -> Mailbox | None:
        self.asked.append(address)
        answer = self._known.get(address) if self._known is not None else {b.name: b for b in self._listed}.get(address)
        if isinstance(answer, Exception):
            raise answer
        return answer


def box(address: str, code: str, status: MailboxStatus = MailboxStatus.CERTIFIED, **changes: Any) -> Mailbox:
    return Mailbox(
        **{"name": address, "status": status, "holder_tax_code": code, "recovery_email": None, "suspended": False}
        | changes
    )


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


def test_a_left_over_that_a_new_request_has_taken_up_is_left_alone(
    ready: PecRequest, domain: PecDomain, work: Work
) -> None:
    lifecycle.decide([ready.pk], "cancel", STAFF, reason="errore")
    ready.operations.filter(kind=Kind.CLOSE).delete()

    def ask_again() -> None:
        if not PecRequest.objects.filter(member=ready.member, status="RICHIESTA").exists():
            assert lifecycle.request_pec([ready.member_id], domain, STAFF).created

    assert reconcile.run(Between(ask_again), repair=True).repaired == 0
    assert not ProviderOperation.objects.filter(kind=Kind.CLOSE).exists()


@pytest.mark.django_db(transaction=True)
def test_a_new_request_not_yet_committed_is_waited_for_before_a_left_over_is_closed(
    ready: PecRequest, domain: PecDomain
) -> None:
    lifecycle.decide([ready.pk], "cancel", STAFF, reason="errore")
    ready.operations.filter(kind=Kind.CLOSE).delete()
    standing = comparing.standing_now(ready.address)
    assert standing

    def mend() -> bool:
        try:
            with scopes_disabled():
                left_over = Finding(Difference.Kind.STATUS)
                return reconcile._mend(ready.address, left_over, Difference.Repair.CLOSE, standing)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as elsewhere:
        with transaction.atomic():
            assert lifecycle.request_pec([ready.member_id], domain, STAFF).created
            mending = elsewhere.submit(mend)
            while not mending.done() and not somebody_waits():
                pass
        assert mending.result() is False
    assert not ProviderOperation.objects.filter(kind=Kind.CLOSE).exists()


def somebody_waits() -> bool:
    """Whether another connection waits for a lock of ours."""
    with connection.cursor() as cursor:
        # Not pg_stat_activity, which stays the same for the length of a transaction.
        cursor.execute("SELECT EXISTS (SELECT 1 FROM pg_locks WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid)))")
        return bool(cursor.fetchone()[0])


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


def test_what_the_list_left_out_is_asked_about_before_it_is_called_missing(active: PecRequest) -> None:
    known = box(active.address, active.member.tax_code)
    provider_with_shifted_pages = Listing([], {active.address: known})
    assert reconcile.run(provider_with_shifted_pages).remaining == 0
    assert provider_with_shifted_pages.asked == [active.address]


def test_a_mailbox_listed_twice_counts_once(active: PecRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconcile, "PAGE", 1)
    twice = Listing([box(active.address, active.member.tax_code)] * 3)
    assert (reconcile.run(twice).accounts, found()) == (1, [])


def test_a_register_that_moves_meanwhile_is_not_judged(active: PecRequest) -> None:
    provider().close(active.address)

    def somebody_asks() -> None:
        operations.enqueue([active], Kind.RESET)

    reconcile.run(Between(somebody_asks))
    assert found() == []
    reconcile.run()
    assert found() == [("MISSING_THERE", "")]


def test_a_difference_keeps_its_first_day_and_ends_when_it_is_gone(active: PecRequest) -> None:
    provider().suspend(active.address)
    reconcile.run()
    first = Difference.objects.get()
    reconcile.run()
    assert Difference.objects.get().pk == first.pk
    provider().resume(active.address)
    outcome = reconcile.run()
    assert (outcome.checked, outcome.remaining) == (1, 0)
    assert Difference.objects.get().closed_at


def test_the_provider_away_half_way_names_nothing(
    active: PecRequest, aruba: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile, "PAGE", 1)
    provider().create("altro.rossi@tsrm.org", STRANGER, "m@example.com")

    class GoesAway(Between):
        def __getattribute__(self, name: str) -> Any:
            return object.__getattribute__(self, name) if name == "mailbox_page" else super().__getattribute__(name)

        def mailbox_page(self, number: int, size: int) -> MailboxPage:
            if number:
                raise Temporary("Il gestore non è raggiungibile.", outage=True)
            return provider().mailbox_page(number, size)

    with pytest.raises(reconcile.NotFinished, match="non è arrivato alla fine: Il gestore non è raggiungibile"):
        reconcile.run(GoesAway(lambda: None))
    assert found() == []
    reconcile.run()
    assert found() == [("MISSING_HERE", "")], "and the next run is not hindered"


def test_an_error_that_passes_does_not_cost_the_run(active: PecRequest, aruba: SandboxProcess) -> None:
    aruba.fault("search", "status", 503, times=2)
    assert reconcile.run().accounts == 1


def test_a_provider_that_asks_to_wait_for_long_is_left_in_peace(aruba: SandboxProcess, db: None) -> None:
    aruba.fault("search", "rate_limit", 600, times=1)
    with pytest.raises(reconcile.NotFinished):
        reconcile.run()


def test_while_the_breaker_is_open_nobody_calls(aruba: SandboxProcess, db: None) -> None:
    later = timezone.now() + timedelta(minutes=5)
    trouble = {"state": "STOPPED", "reason": "Credenziali rifiutate.", "open_until": later}
    ProviderHealth.objects.update_or_create(pk=1, defaults=trouble)
    with pytest.raises(reconcile.NotFinished, match="Credenziali rifiutate"):
        reconcile.run()
    ProviderHealth.objects.update(open_until=timezone.now())
    reconcile.run()


def test_an_address_that_the_provider_refuses_to_speak_of_leaves_the_others(
    pec: PecRequest, active: PecRequest
) -> None:
    other = box("zeta.rossi@tsrm.org", "X")
    refusing = Listing([other], {active.address: Refused("no"), other.name: other})
    outcome = reconcile.run(refusing)
    assert (outcome.undecided, found()) == (1, [("MISSING_HERE", "")])


def test_a_new_word_of_the_provider_is_shown(active: PecRequest) -> None:
    unknown = box(active.address, active.member.tax_code, MailboxStatus.UNKNOWN, status_text="In Lavorazione")
    refusal = Refused("Stato sconosciuto: «In Lavorazione».", code="unknown_status")
    reconcile.run(Listing([unknown], {active.address: refusal}), repair=True)
    assert found() == [("STATUS", "")]


def test_repairs_have_a_limit(active: PecRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconcile, "MOST_REPAIRS", 0)
    provider().change_recovery_email(active.address, "vecchia@example.com")
    assert (reconcile.run(repair=True).repaired, found()) == (0, [("RECOVERY_EMAIL", "RECOVERY_EMAIL")])


@contextmanager
def somebody_else_at_it() -> Iterator[None]:
    parameters = connection.get_connection_params()
    allowed = {key: parameters[key] for key in ("dbname", "user", "password", "host", "port") if parameters.get(key)}
    with psycopg.connect(**allowed) as other:
        other.execute("SELECT pg_advisory_lock(%s)", [reconcile._LOCK])
        yield


def test_one_run_at_a_time(aruba: SandboxProcess, db: None) -> None:
    with somebody_else_at_it(), pytest.raises(CommandError, match="in corso") as busy:
        call_command("reconcile")
    assert busy.value.returncode == 1
    call_command("reconcile")


@pytest.mark.django_db(transaction=True)
def test_no_transaction_is_open_during_a_call(active: PecRequest) -> None:
    provider().change_recovery_email(active.address, "vecchia@example.com")
    provider().create("altro.rossi@tsrm.org", STRANGER, "m@example.com")
    seen = []

    class Watching(Between):
        def __getattribute__(self, name: str) -> Any:
            seen.append(connection.in_atomic_block or not connection.get_autocommit())
            return super().__getattribute__(name)

    assert reconcile.run(Watching(lambda: None), repair=True).repaired == 1
    assert len(seen) >= 3 and not any(seen)
