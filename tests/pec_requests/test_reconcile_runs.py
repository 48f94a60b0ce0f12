"""A run of the comparison in a world that does not stand still: others at work, lists that shift, a provider away."""

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

from pec_requests import comparing, lifecycle, operations, reconcile
from pec_requests.comparing import Finding
from pec_requests.models import Difference, PecDomain, PecRequest, ProviderHealth, ProviderOperation
from pec_requests.provider import MailboxPage, Refused, Temporary, provider
from pec_requests.states import Kind
from tests.pec_requests.conftest import STAFF
from tests.pec_requests.reconciling import STRANGER, Between, Listing, box, found
from tests.sandbox_process import SandboxProcess

pytestmark = pytest.mark.django_db


def test_a_left_over_that_a_new_request_has_taken_up_is_left_alone(
    ready: PecRequest, domain: PecDomain, work: Callable[[], int]
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


@contextmanager
def somebody_else_at_it() -> Iterator[None]:
    parameters = connection.get_connection_params()
    allowed = {key: parameters[key] for key in ("dbname", "user", "password", "host", "port") if parameters.get(key)}
    with psycopg.connect(**allowed) as other:
        other.execute("SELECT pg_advisory_lock(%s)", [reconcile._LOCK])
        yield
        other.execute("SELECT pg_advisory_unlock(%s)", [reconcile._LOCK])  # the end of a connection is not waited for


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
