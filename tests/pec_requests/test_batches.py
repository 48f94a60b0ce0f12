"""Requests for many at once: previewed, confirmed, carried out whole or not at all, cancelled as far as not begun."""

from __future__ import annotations

import subprocess
import sys
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models.functions import Now
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from audit.models import LogEntry
from members.models import Member
from pec_requests import addresses, batches, lifecycle, operations, previewing
from pec_requests.admin import members as members_admin
from pec_requests.eligibility import Reason
from pec_requests.models import PecDomain, PecRequest, ProviderOperation, RequestBatch
from pec_requests.states import IllegalMove
from tests.factories import MemberFactory, staff
from tests.pec_requests.conftest import STAFF
from tests.pec_requests.test_addresses import in_threads, until, waiting_for_locks
from tests.pec_requests.test_crashes import ROOT, environment  # noqa: F401  (a fixture)

pytestmark = pytest.mark.django_db
State, Batch = ProviderOperation.State, RequestBatch.State
URL = "admin:members_member_request_pec"


@pytest.fixture
def office(member: Member, client: Client) -> Client:
    client.force_login(staff(member.ordine))
    return client


@pytest.fixture
def people(member: Member) -> dict[str, Member]:
    """One of each sort, of one Ordine; all but one have the same name."""
    ordine = member.ordine
    minor = timezone.localdate() - timedelta(days=17 * 365)
    return {
        "first": member,
        "homonym": MemberFactory(ordine=ordine),
        "without email": MemberFactory(ordine=ordine, personal_email=""),
        "minor": MemberFactory(ordine=ordine, birth_date=minor),
        "mismatch": MemberFactory(ordine=ordine, surname="Verdi"),
        "left": MemberFactory(ordine=ordine, enrolled=False),
    }


def ordered(people: dict[str, Member], *names: str) -> RequestBatch:
    chosen = [people[name] for name in names or people]
    domain = PecDomain.objects.get(name="tsrm.org")
    ids = {chosen[0].ordine_id: [m.pk for m in chosen]}
    (batch,) = batches.order(ids, domain, STAFF, asked="tutti", key=uuid.uuid4())
    return batch


def text(response: Any) -> str:
    return str(response.content.decode())


def test_the_preview_counts_what_will_come(
    people: dict[str, Member], domain: PecDomain, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what comes is that, although it is counted in parts."""
    lifecycle.request_pec([people["homonym"].pk], domain, STAFF)
    lifecycle.decide(PecRequest.objects.values_list("pk", flat=True), "cancel", STAFF, reason="x")
    ids = [m.pk for m in people.values()]
    for some in (1, 2, 100):
        monkeypatch.setattr(previewing, "_SOME", some)
        found = previewing.preview(ids, domain)
        assert [m.pk for m, _note in found.able.first] == [people[n].pk for n in ("first", "homonym", "without email")]
        assert [m.pk for m, _note in found.numbered.first] == [people[n].pk for n in ("first", "without email")]
        assert [m.pk for m, _note in found.returning.first] == [people["homonym"].pk]
        assert [m.pk for m, _note in found.without_email.first] == [people["without email"].pk]
        assert found.numbered.first[0][1] == "mario.rossi…@tsrm.org"
        assert {r: g.count for r, g in found.kept_out.items()} == dict.fromkeys(
            (Reason.MINOR, Reason.MISMATCH, Reason.NOT_ENROLLED), 1
        )
    made = {r.member_id: r.address for r in lifecycle.request_pec(ids, domain, STAFF).created}
    names = {people[n].pk: f"mario.rossi{number}@tsrm.org" for n, number in
             (("first", 2), ("homonym", ""), ("without email", 3))}  # fmt: skip
    assert made == names


def test_a_filtered_list_is_previewed_confirmed_and_told(office: Client, people: dict[str, Member]) -> None:
    query = "q=rossi&pec=senza"
    page = text(office.get(reverse("admin:members_member_changelist") + f"?{query}"))
    link = f"{reverse(URL)}?lista=q%3Drossi%26pec%3Dsenza"
    assert link in page
    answer = office.get(link)
    assert "«rossi», PEC: Senza PEC" in text(answer)
    assert "2 indirizzi avranno un numero" in text(answer)
    assert not RequestBatch.objects.exists()
    form = {name: values[0] for name, values in answer.context["hidden"].items()}
    form["domain"] = answer.context["preview"].domain.pk
    told = office.post(reverse(URL), form, follow=True)
    batch = RequestBatch.objects.get()
    assert (batch.state, batch.made, batch.refused, batch.member_ids) == (Batch.DONE, 3, 1, [])
    assert set(PecRequest.objects.values_list("batch", flat=True)) == {batch.pk}
    assert "Ha meno di 18 anni" in text(told)
    assert str(people["minor"]) in text(told)
    again = office.post(reverse(URL), form, follow=True)  # the second click
    assert again.redirect_chain == told.redirect_chain
    assert LogEntry.objects.filter(action="pec.batch.asked").count() == 1
    assert set(LogEntry.objects.filter(action="pec.request").values_list("actor_id", flat=True)) == {
        told.wsgi_request.user.pk
    }
    assert batch.asked in text(office.get(reverse("admin:pec_requests_requestbatch_changelist")))


def test_many_wait_for_a_worker_and_the_outcome_is_what_was_true_then(
    office: Client, people: dict[str, Member], domain: PecDomain, monkeypatch: pytest.MonkeyPatch,
    no_messages: list[str],
) -> None:  # fmt: skip
    monkeypatch.setattr(members_admin, "AT_ONCE", 1)
    with transaction.atomic():
        page = office.post(reverse(URL), {"tutti": "1", "domain": domain.pk}, follow=True)
    assert "In corso…" in text(page)
    assert not PecRequest.objects.exists()
    batch = RequestBatch.objects.get()
    standing = reverse("admin:pec_requests_requestbatch_standing", args=[batch.pk])
    assert standing in text(page)
    with pytest.raises(IllegalMove), transaction.atomic():
        lifecycle.request_pec([people["first"].pk], domain, STAFF)
        people["homonym"].enrolments.update(status="CANCELLATO")
        raise IllegalMove  # what was begun and taken back counts for nothing
    lifecycle.request_pec([people["first"].pk], domain, STAFF)
    people["homonym"].enrolments.update(status="CANCELLATO")
    batches.carry_out_waiting()
    batch.refresh_from_db()
    assert (batch.state, batch.made, batch.attempts) == (Batch.DONE, 1, 1)
    assert {r: told["count"] for r, told in batch.refusals.items()} == {
        "HAS_ONE": 1, "NOT_ENROLLED": 1, "MINOR": 1, "MISMATCH": 1,
    }  # fmt: skip
    assert 'hx-trigger="every 3s"' in text(office.get(standing))
    before = PecRequest.objects.count()
    batches.carry_out_waiting()
    assert PecRequest.objects.count() == before
    assert batches.standing(batch) == batches.Standing({"RICHIESTA": 1}, 1)  # type: ignore[dict-item]  # a str enum


def test_what_never_ends_is_given_up(people: dict[str, Member], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise ZeroDivisionError

    batch = ordered(people)
    monkeypatch.setattr(addresses, "reserve", fail)
    for _time in range(batches.MOST_ATTEMPTS):
        with pytest.raises(ZeroDivisionError):
            batches.carry_out(batch.pk)
    batches.carry_out(batch.pk)
    batch.refresh_from_db()
    assert (batch.state, batch.made, batch.member_ids) == (Batch.FAILED, 0, [])
    assert not PecRequest.objects.exists()


def test_only_what_has_not_begun_is_cancelled(
    office: Client, member: Member, domain: PecDomain, people: dict[str, Member]
) -> None:
    names = ("untried", "claimed", "tried", "made", "without email")
    people |= {name: MemberFactory(ordine=member.ordine) for name in names[:-1]}
    batch = ordered(people, *names)
    batches.carry_out(batch.pk)
    alone = lifecycle.request_pec([people["first"].pk], domain, STAFF).created[0]
    creations = {name: ProviderOperation.objects.filter(request__member=people[name]) for name in names}
    creations["claimed"].update(state=State.RUNNING, attempts=1, look_first=True)
    creations["tried"].update(attempts=1)
    creations["made"].update(state=State.DONE, attempts=1, finished_at=Now())
    PecRequest.objects.filter(member=people["made"]).update(status="NON_ATTIVO")
    url = reverse("admin:pec_requests_requestbatch_cancel", args=[batch.pk])
    assert "2 richieste che in questo momento non sono iniziate" in text(office.get(url))
    assert "Indicare il motivo" in text(office.post(url, {"reason": " "}))
    assert "Annullamento in corso" in text(office.post(url, {"reason": "Errore"}, follow=True))
    assert "ci aveva già pensato" in text(office.post(url, {"reason": "Altro"}, follow=True))
    batches.carry_out_waiting()
    by_name = {name: PecRequest.objects.get(member=people[name]) for name in names}
    assert [name for name in names if by_name[name].status == "ANNULLATO"] == ["untried", "without email"]
    assert by_name["untried"].reason == "Errore"
    assert by_name["made"].status == "NON_ATTIVO"
    assert PecRequest.objects.get(pk=alone.pk).status == "RICHIESTA"
    batch.refresh_from_db()
    assert (batch.cancelled, batch.is_being_cancelled) == (2, False)
    assert "Annullate 2 richieste" in text(
        office.get(reverse("admin:pec_requests_requestbatch_change", args=[batch.pk]))
    )
    assert not batches.ask_to_cancel(batch.pk, STAFF, "x")


def test_of_a_batch_that_nobody_has_begun_nothing_is_made(people: dict[str, Member]) -> None:
    batch = ordered(people)
    assert batches.ask_to_cancel(batch.pk, STAFF, "x")
    batches.carry_out_waiting()
    batch.refresh_from_db()
    assert (batch.state, batch.is_being_cancelled) == (Batch.CANCELLED, False)
    assert not PecRequest.objects.exists()


def test_asking_for_one_costs_what_asking_for_five_does(member: Member, domain: PecDomain) -> None:
    """And makes no table for it: the catalogue would grow with every request."""
    others = [MemberFactory(ordine=member.ordine).pk for _n in range(5)]
    counts = []
    for ids in ([member.pk], others):
        with CaptureQueriesContext(connection) as asked:
            assert len(lifecycle.request_pec(ids, domain, STAFF).made) == len(ids)
        counts.append(len(asked))
        assert not [query["sql"] for query in asked if "CREATE" in query["sql"].replace("'CREATE'", "")]
    assert counts == [13, 13]


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    """With connections of their own."""

    def test_a_double_click_is_one_batch_and_two_workers_make_it_once(self) -> None:
        one, two = MemberFactory(), None
        two = MemberFactory(ordine=one.ordine)
        domain, key = PecDomain.objects.get(name="tsrm.org"), uuid.uuid4()
        ids = {one.ordine_id: [one.pk, two.pk]}
        assert not in_threads(*[lambda: batches.order(ids, domain, STAFF, asked="tutti", key=key)] * 4)
        batch = RequestBatch.objects.get()
        assert not in_threads(*[lambda: batches.carry_out(batch.pk)] * 4)
        batch.refresh_from_db()
        assert (batch.state, batch.made, batch.refused) == (Batch.DONE, 2, 0)
        assert LogEntry.objects.filter(action="pec.batch.done").count() == 1

    def test_two_staff_with_the_same_list_ask_for_everybody_once(self) -> None:
        people = {"0": MemberFactory()}
        people |= {str(n): MemberFactory(ordine=people["0"].ordine) for n in range(1, 6)}
        rows = [ordered(people), ordered(people)]
        assert not in_threads(*[lambda row=row: batches.carry_out(row.pk) for row in rows])
        assert sorted(RequestBatch.objects.values_list("made", "refused")) == [(0, 6), (6, 0)]
        assert PecRequest.objects.values("address").distinct().count() == 6

    def test_cancelled_while_workers_claim_each_request_is_either(self) -> None:
        people = {"0": MemberFactory()}
        people |= {str(n): MemberFactory(ordine=people["0"].ordine) for n in range(1, 30)}
        batch = ordered(people)
        batches.carry_out(batch.pk)
        assert batches.ask_to_cancel(batch.pk, STAFF, "x")
        claims = [lambda: [operations.claim(1, "worker") for _n in range(12)]] * 2
        assert not in_threads(*claims, batches.carry_out_waiting, batches.carry_out_waiting)
        found = PecRequest.objects.values_list("status", "operations__state")
        assert set(found) <= {("ANNULLATO", "WITHDRAWN"), ("RICHIESTA", "RUNNING")}
        batch.refresh_from_db()
        assert batch.cancelled == sum(status == "ANNULLATO" for status, _state in found)
        assert not batch.is_being_cancelled

    @pytest.mark.slow
    def test_a_worker_killed_half_way_leaves_nothing(self, environment: dict[str, str]) -> None:  # noqa: F811
        people = {"0": MemberFactory()}
        people |= {str(n): MemberFactory(ordine=people["0"].ordine) for n in range(1, 6)}
        batch = ordered(people)
        task = "import django; django.setup(); from pec_requests import batches; batches.carry_out_waiting()"
        with transaction.atomic():
            addresses.lock(batch.domain)
            worker = subprocess.Popen([sys.executable, "-c", task], cwd=ROOT, env=environment)
            until(lambda: waiting_for_locks() == 1)  # it holds the batch, and the members
            with pytest.raises(IllegalMove):
                batches.ask_to_cancel(batch.pk, STAFF, "x")
            worker.kill()
            worker.wait()
        assert not PecRequest.objects.exists()

        def picked_up() -> bool:
            batches.carry_out_waiting()
            return RequestBatch.objects.get().state == Batch.DONE

        until(picked_up)  # once PostgreSQL has noticed that nobody is there any more
        assert RequestBatch.objects.get().made == PecRequest.objects.count() == 6
