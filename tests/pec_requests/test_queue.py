"""The queue in figures: the same for the office, of its own Ordini, and for ``/metrics``, of all; and trying again."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models.functions import Now
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_scopes import scope
from pytest_django import DjangoAssertNumQueries

from audit.models import LogEntry
from members import roles
from members.models import Member, StaffRole
from pec_requests import figures, lifecycle, operations, retrying
from pec_requests.models import PecDomain, PecRequest, ProviderHealth, ProviderOperation, WorkerShare
from pec_requests.states import Kind
from tests.factories import MemberFactory, OrdineFactory, staff
from tests.pec_requests.conftest import STAFF
from tests.pec_requests.test_admin import text
from tests.pec_requests.test_lifecycle import ready

pytestmark = pytest.mark.django_db
State = ProviderOperation.State
LIST = reverse("admin:pec_requests_provideroperation_changelist")


@pytest.fixture
def office(member: Member, client: Client) -> Client:
    """Signed in as an operatore of the member's Ordine."""
    client.force_login(staff(member.ordine, StaffRole.Role.OPERATORE))
    return client


def requested(domain: PecDomain, count: int, **where: object) -> list[ProviderOperation]:
    """Operations that wait, of as many new members."""
    members = [MemberFactory(**where) for _ in range(count)]
    made = lifecycle.request_pec([m.pk for m in members], domain, STAFF).created
    return list(ProviderOperation.objects.filter(request__in=made).order_by("pk"))


def put(*chosen: ProviderOperation, **values: object) -> None:
    ended = {} if values.get("state", "WAITING") in ProviderOperation.OPEN else {"finished_at": Now()}
    ProviderOperation.objects.filter(pk__in=[o.pk for o in chosen]).update(**ended | values)


def retry_all(kind: str) -> str:
    return reverse("admin:pec_requests_provideroperation_retry_all", args=[kind])


def test_every_figure_is_counted_where_it_belongs(member: Member, domain: PecDomain) -> None:
    rows = requested(domain, 8, ordine=member.ordine)
    moment = timezone.now()
    put(rows[0], created_at=moment - timedelta(hours=2))
    put(rows[1], state=State.RUNNING, not_before=moment + timedelta(minutes=1))
    put(rows[2], state=State.RUNNING, not_before=moment - timedelta(minutes=1))  # its worker is gone
    put(rows[3], rows[4], state=State.ATTENTION, created_at=moment - timedelta(days=9), finished_at=moment)
    put(rows[5], state=State.UNKNOWN, finished_at=moment - timedelta(hours=23))
    put(rows[6], state=State.DONE, finished_at=moment)
    put(rows[7], state=State.WITHDRAWN, finished_at=moment)
    WorkerShare.objects.create(worker="uno", slots=6, ends_at=moment + timedelta(minutes=1))
    WorkerShare.objects.create(worker="due", slots=4, ends_at=moment - timedelta(minutes=1))
    now = figures.current()
    assert (now.waiting, now.in_flight, now.attention, now.unknown) == (2, 1, {Kind.CREATE: 2}, 1)
    assert (now.finished, now.workers, now.slots) == (1, 1, 6)
    assert 7200 <= now.oldest_seconds < 7260


def test_what_ended_long_ago_is_in_no_figure(pec: PecRequest) -> None:
    put(*pec.operations.all(), state=State.UNKNOWN, finished_at=timezone.now() - timedelta(hours=25))
    now = figures.current()
    assert (now.waiting, now.unknown, now.finished, now.oldest_at, now.oldest_seconds) == (0, 0, 0, None, 0)


def test_the_office_counts_its_own_and_metrics_count_all(office: Client, pec: PecRequest, domain: PecDomain) -> None:
    requested(domain, 2, ordine=OrdineFactory())
    with scope(ordine=[pec.member.ordine_id]):
        assert figures.current().waiting == 1
    assert "<dt>In attesa</dt> <dd> 1 </dd>" in " ".join(text(office.get(LIST)).split())
    assert 'pec_operations{state="waiting"} 3' in text(office.get("/metrics"))


def test_metrics_tell_attention_by_kind_the_age_the_rate_and_the_breaker(client: Client, domain: PecDomain) -> None:
    rows = requested(domain, 3)
    since = timezone.now() - timedelta(minutes=10)
    put(rows[0], state=State.ATTENTION)
    put(rows[1], state=State.DONE, finished_at=Now())
    put(rows[2], created_at=since)
    again = since + timedelta(minutes=11)
    ProviderHealth.objects.update_or_create(pk=1, defaults={"state": "OPEN", "since": since, "open_until": again})
    lines = text(client.get("/metrics")).splitlines()
    assert {
        'pec_operations_attention{kind="CREATE"} 1',
        'pec_operations_attention{kind="CLOSE"} 0',
        "pec_operations_finished_last_minute 1",
        'pec_provider_state{state="OPEN"} 1',
        'pec_provider_state{state="CLOSED"} 0',
        f"pec_provider_since_seconds {since.timestamp():.3f}",
        f"pec_provider_next_try_seconds {again.timestamp():.3f}",
    } <= set(lines)
    age = next(line for line in lines if line.startswith("pec_oldest_operation_seconds"))
    assert 600 <= float(age.split()[1]) < 660


def test_the_panel_tells_the_age_and_the_provider_in_words(office: Client, pec: PecRequest) -> None:
    put(*pec.operations.all(), created_at=timezone.now() - timedelta(minutes=5))
    page = text(office.get(LIST))
    assert "5\xa0minuti" in page
    assert ">raggiungibile</span>" in page
    until = timezone.now() + timedelta(minutes=1)
    trouble = {"state": "OPEN", "reason": "Il gestore non risponde", "open_until": until}
    ProviderHealth.objects.update_or_create(pk=1, defaults=trouble)
    page = text(office.get(LIST))
    assert ">non raggiungibile</span>" in page
    assert "<small>Il gestore non risponde</small>" in page
    assert f"Prossima prova dopo le {timezone.localtime(until):%H:%M:%S}." in page


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("known", [True, False])
def test_the_list_with_its_figures_costs_the_same_whatever_its_length(
    office: Client,
    member: Member,
    domain: PecDomain,
    django_assert_num_queries: DjangoAssertNumQueries,
    rows: int,
    known: bool,
) -> None:
    ProviderHealth.objects.all().delete()
    if known:
        ProviderHealth.objects.create(pk=1)
    put(*requested(domain, rows, ordine=member.ordine), state=State.ATTENTION)
    with django_assert_num_queries(11):
        office.get(LIST)


def test_retrying_all_of_a_kind_asks_first_and_then_does(office: Client, member: Member, domain: PecDomain) -> None:
    stuck = requested(domain, 3, ordine=member.ordine)
    put(*stuck[:2], state=State.ATTENTION, last_error="Titolare da bonificare")
    put(stuck[2], state=State.ATTENTION, last_error="Dominio sospeso")
    assert retry_all("CREATE") in text(office.get(LIST))
    page = text(office.get(retry_all("CREATE")))
    assert "3 operazioni da verificare tornano in coda" in page
    assert page.index("2 × Titolare da bonificare") < page.index("1 × Dominio sospeso")
    assert figures.current().attention == {Kind.CREATE: 3}
    assert "Operazioni rimesse in coda: 3." in text(office.post(retry_all("CREATE"), follow=True))
    assert (figures.current().waiting, figures.current().attention) == (3, {})
    assert LogEntry.objects.filter(action="operation.retry").count() == 3


def test_a_second_click_on_retry_all_is_no_error(office: Client, pec: PecRequest) -> None:
    put(*pec.operations.all(), state=State.ATTENTION)
    office.post(retry_all("CREATE"))
    assert "qualcuno ci aveva già pensato" in text(office.post(retry_all("CREATE"), follow=True))
    assert LogEntry.objects.filter(action="operation.retry").count() == 1


def test_retrying_all_touches_neither_another_kind_nor_another_ordine(
    office: Client, pec: PecRequest, domain: PecDomain
) -> None:
    ready(pec)
    lifecycle.decide([pec.pk], "accept", STAFF)
    theirs = requested(domain, 1, ordine=OrdineFactory())
    put(*theirs, *pec.operations.filter(kind=Kind.ACTIVATE), state=State.ATTENTION)
    assert "Nessuna operazione" in text(office.get(retry_all("CREATE")))
    office.post(retry_all("CREATE"))
    assert figures.current().attention == {Kind.CREATE: 1, Kind.ACTIVATE: 1}


def test_retrying_all_wants_the_permission_in_that_very_ordine(
    client: Client, pec: PecRequest, domain: PecDomain, monkeypatch: pytest.MonkeyPatch
) -> None:
    carried = {**roles.PERMISSIONS_BY_ROLE, "OPERATORE": frozenset({"pec_requests.view_provideroperation"})}
    monkeypatch.setattr(roles, "PERMISSIONS_BY_ROLE", carried)
    user = staff(pec.member.ordine, StaffRole.Role.OPERATORE)
    put(*pec.operations.all(), state=State.ATTENTION)
    client.force_login(user)
    assert "Riprova tutte" not in text(client.get(LIST))
    assert client.post(retry_all("CREATE")).status_code == 403
    elsewhere = requested(domain, 1, ordine=OrdineFactory())[0]
    put(elsewhere, state=State.ATTENTION)
    StaffRole.objects.create(user=user, ordine=elsewhere.request.member.ordine, role=StaffRole.Role.RESPONSABILE)
    assert client.post(retry_all("CREATE")).status_code == 302
    assert pec.operations.get().state == State.ATTENTION
    elsewhere.refresh_from_db()
    assert elsewhere.state == State.WAITING


def test_only_kinds_that_there_are_can_be_retried(office: Client, member: Member) -> None:
    assert office.get(retry_all("NIENTE")).status_code == 404


def test_each_thousand_is_a_transaction_of_its_own_and_nothing_is_met_twice(
    member: Member, domain: PecDomain, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck = requested(domain, 5, ordine=member.ordine)
    put(*stuck, state=State.ATTENTION)
    sets = []

    def retry(ids: list[int], actor: object) -> int:
        sets.append(list(ids))
        return len(ids)  # and all of them need attention again at once

    monkeypatch.setattr(retrying, "CHUNK", 2)
    monkeypatch.setattr(lifecycle, "retry_operations", retry)
    assert retrying.retry_all(ProviderOperation.objects.all(), STAFF) == 5
    assert [pk for ids in sets for pk in ids] == [o.pk for o in stuck]
    assert [len(ids) for ids in sets] == [2, 2, 1]


def page_of(office: Client, operation: ProviderOperation) -> str:
    return text(office.get(reverse("admin:pec_requests_provideroperation_change", args=[operation.pk])))


def test_an_operation_tells_who_holds_it_since_when_and_until_when(office: Client, pec: PecRequest) -> None:
    assert "appena c&#x27;è un worker libero" in page_of(office, pec.operations.get())
    (claim,) = operations.claim(1, "host-7:42")
    held = claim.operation
    page = page_of(office, held)
    since, until = (f"{timezone.localtime(at):%d/%m/%Y %H:%M:%S}" for at in (held.claimed_at, held.not_before))
    for words in ("host-7:42", "1 su 8", since, f"se il worker non risponde, dopo le {until}"):
        assert words in page
    assert pec.address in page
    put(held, not_before=timezone.now() - timedelta(seconds=1))
    assert "non si è più fatto vivo" in page_of(office, held)


def test_an_operation_that_needs_attention_has_the_providers_words_and_its_buttons(
    office: Client, pec: PecRequest
) -> None:
    ready(pec)
    lifecycle.decide([pec.pk], "accept", STAFF)
    operation = pec.operations.get(kind=Kind.ACTIVATE)
    put(operation, state=State.ATTENTION, last_error="Titolare da bonificare", claimed_by="host-7:42", attempts=1)
    page = page_of(office, operation)
    for words in ("Titolare da bonificare", "l&#x27;ultimo è stato host-7:42", "Aspetta la segreteria"):
        assert words in page
    for act in ("retry", "drop"):
        assert reverse(f"admin:pec_requests_provideroperation_{act}", args=[operation.pk]) in page
    put(operation, state=State.DONE)
    assert "Riprova" not in page_of(office, operation)
