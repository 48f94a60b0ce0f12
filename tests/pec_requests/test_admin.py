"""The office: every act is a page that asks and a POST that does, within one's own Ordine and permissions."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.db.models.functions import Now
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from audit.models import LogEntry
from members.models import Member, StaffRole
from pec_requests import batches, lifecycle
from pec_requests.models import PecDomain, PecRequest, ProviderOperation
from pec_requests.states import Kind
from tests.factories import MemberFactory, OrdineFactory, UserFactory, staff, tax_code
from tests.pec_requests.conftest import STAFF
from tests.pec_requests.test_lifecycle import ready

pytestmark = pytest.mark.django_db
State = ProviderOperation.State


@pytest.fixture
def office(member: Member, client: Client) -> Client:
    """Signed in as the responsabile of the member's Ordine."""
    client.force_login(staff(member.ordine))
    return client


@pytest.fixture
def elsewhere(domain: PecDomain) -> PecRequest:
    """A request of another Ordine."""
    other = MemberFactory(ordine=OrdineFactory())
    return lifecycle.request_pec([other.pk], domain, STAFF).created[0]


def act_url(pec: PecRequest, act: str) -> str:
    return reverse("admin:pec_requests_pecrequest_act", args=[pec.pk, act])


def text(response: Any) -> str:
    return str(response.content.decode())


@pytest.mark.parametrize("words", ["rossi", "MARIO ros", "RSSMRA80", "ross mar"])
def test_members_are_found_by_name_and_codice_fiscale(office: Client, member: Member, words: str) -> None:
    MemberFactory(ordine=member.ordine, surname="Bianchi", name="Carla")
    page = text(office.get(reverse("admin:members_member_changelist"), {"q": words}))
    assert member.tax_code in page
    assert "Bianchi" not in page or words == "RSSMRA80"


def test_members_are_found_by_number(office: Client, member: Member) -> None:
    member.enrolments.update(number="4711")
    other = MemberFactory(ordine=member.ordine)
    page = text(office.get(reverse("admin:members_member_changelist"), {"q": "4711"}))
    assert member.tax_code in page
    assert other.tax_code not in page


def test_requesting_for_one_asks_first_and_then_does(office: Client, member: Member, domain: PecDomain) -> None:
    url = reverse("admin:members_member_request_pec")
    assert str(member) in text(office.get(url, {"ids": member.pk}))
    assert not PecRequest.objects.exists()
    response = office.post(url, {"ids": member.pk, "domain": domain.pk}, follow=True)
    assert "mario.rossi@tsrm.org" in text(response)
    assert LogEntry.objects.get(action="pec.request").actor_id == response.wsgi_request.user.pk


def test_requesting_twice_says_why_the_second_does_nothing(office: Client, member: Member, domain: PecDomain) -> None:
    url, data = reverse("admin:members_member_request_pec"), {"ids": member.pk, "domain": domain.pk}
    office.post(url, data)
    assert "Ha già una richiesta" in text(office.post(url, data, follow=True))
    assert PecRequest.objects.count() == 1


def test_requesting_for_all_without_leaves_out_who_has_or_cannot(
    office: Client, member: Member, domain: PecDomain
) -> None:
    MemberFactory(ordine=member.ordine, own_pec="mio@pec.example.it")
    MemberFactory(ordine=member.ordine, surname="Verdi")  # the codice fiscale says Rossi
    MemberFactory()  # of another Ordine
    url = reverse("admin:members_member_request_pec")
    page = text(office.get(url, {"tutti": "1"}))
    assert page.index("Il codice fiscale non corrisponde") < page.index("Verdi Mario")
    office.post(url, {"tutti": "1", "domain": domain.pk})
    assert [r.member_id for r in PecRequest.objects.all()] == [member.pk]


def test_selected_members_of_another_ordine_are_not_there(office: Client, domain: PecDomain) -> None:
    stranger = MemberFactory()
    office.post(reverse("admin:members_member_request_pec"), {"ids": stranger.pk, "domain": domain.pk})
    assert not PecRequest.objects.exists()


def test_the_status_is_never_editable(office: Client, pec: PecRequest) -> None:
    url = reverse("admin:pec_requests_pecrequest_change", args=[pec.pk])
    assert 'name="status"' not in text(office.get(url))
    assert office.post(url, {"status": "ATTIVO"}).status_code == 403
    assert PecRequest.objects.get().status == "RICHIESTA"


def test_cancelling_wants_a_reason(office: Client, pec: PecRequest) -> None:
    assert "Indicare il motivo" in text(office.post(act_url(pec, "cancel"), {"reason": " "}))
    assert PecRequest.objects.get().status == "RICHIESTA"
    office.post(act_url(pec, "cancel"), {"reason": "Ha già una PEC"})
    assert (PecRequest.objects.get().status, PecRequest.objects.get().reason) == ("ANNULLATO", "Ha già una PEC")


def test_a_second_click_on_an_act_is_no_error(office: Client, pec: PecRequest) -> None:
    office.post(act_url(pec, "cancel"), {"reason": "x"})
    response = office.post(act_url(pec, "cancel"), {"reason": "x"}, follow=True)
    assert "qualcuno ci aveva già pensato" in text(response)


def test_an_act_that_is_not_possible_any_more_says_so(office: Client, pec: PecRequest) -> None:
    ready(pec)
    lifecycle.decide([pec.pk], "accept", STAFF)
    response = office.post(act_url(pec, "cancel"), {"reason": "x"}, follow=True)
    assert "ha già accettato" in text(response)
    assert PecRequest.objects.get().status == "NON_ATTIVO"


@pytest.mark.parametrize("method", ["get", "post"])
def test_another_ordine_answers_like_one_that_never_was(office: Client, elsewhere: PecRequest, method: str) -> None:
    operation = elsewhere.operations.get()
    ordine = elsewhere.member.ordine
    batch = batches.order({ordine.pk: []}, elsewhere.domain, STAFF, asked="tutti", key=uuid.uuid4())[0].pk
    before = list(PecRequest.objects.values_list()), list(ProviderOperation.objects.values_list())
    for name, args in [
        ("admin:pec_requests_pecrequest_act", [elsewhere.pk, "cancel"]),
        ("admin:pec_requests_provideroperation_retry", [operation.pk]),
        ("admin:pec_requests_provideroperation_drop", [operation.pk]),
        ("admin:pec_requests_requestbatch_standing", [batch]),
        ("admin:pec_requests_requestbatch_cancel", [batch]),
        ("admin:members_member_invite", [elsewhere.member_id]),
        ("admin:members_member_code", [elsewhere.member_id]),
    ]:
        assert getattr(office, method)(reverse(name, args=args), {"reason": "x"}).status_code == 404
    for name, pk in [
        ("admin:pec_requests_pecrequest_change", elsewhere.pk),
        ("admin:members_member_change", elsewhere.member_id),
        ("admin:pec_requests_requestbatch_change", batch),
        ("admin:pec_requests_provideroperation_change", operation.pk),
    ]:
        there, nowhere = (getattr(office, method)(reverse(name, args=[n]), follow=True) for n in (pk, 999_999))
        assert there.status_code == nowhere.status_code
        if there.status_code == 200:
            told = [[str(message) for message in answer.context["messages"]] for answer in (there, nowhere)]
            assert told[0] == [message.replace("999999", str(pk)) for message in told[1]] != []
    assert before == (list(PecRequest.objects.values_list()), list(ProviderOperation.objects.values_list()))


def test_an_operatore_cannot_suspend(member: Member, client: Client, pec: PecRequest) -> None:
    client.force_login(staff(member.ordine, StaffRole.Role.OPERATORE))
    assert client.post(act_url(pec, "suspend"), {"reason": "x"}).status_code == 403
    assert client.post(act_url(pec, "cancel"), {"reason": "x"}).status_code == 302


def test_a_role_counts_only_in_its_own_ordine(member: Member, client: Client, elsewhere: PecRequest) -> None:
    user = staff(member.ordine, StaffRole.Role.RESPONSABILE)
    StaffRole.objects.create(user=user, ordine=elsewhere.member.ordine, role=StaffRole.Role.OPERATORE)
    client.force_login(user)
    assert client.post(act_url(elsewhere, "close"), {"reason": "x"}).status_code == 403


def test_members_and_visitors_do_not_enter_the_office(member: Member, client: Client, pec: PecRequest) -> None:
    for user in (None, member.user, UserFactory()):
        if user:
            client.force_login(user)
        for url in (reverse("admin:index"), act_url(pec, "cancel"), reverse("admin:members_member_request_pec")):
            assert client.post(url, {"reason": "x"}).status_code == 302
    assert PecRequest.objects.get().status == "RICHIESTA"


def test_retry_and_give_up(office: Client, pec: PecRequest) -> None:
    ready(pec)
    lifecycle.decide([pec.pk], "accept", STAFF)
    operation = pec.operations.get(kind=Kind.ACTIVATE)
    pec.operations.filter(pk=operation.pk).update(
        state=State.ATTENTION, last_error="Titolare da bonificare", finished_at=Now()
    )
    page = text(office.get(reverse("admin:pec_requests_pecrequest_change", args=[pec.pk])))
    assert "Titolare da bonificare" in page
    assert "Rinuncia" in page
    office.post(reverse("admin:pec_requests_provideroperation_retry", args=[operation.pk]))
    assert ProviderOperation.objects.get(pk=operation.pk).state == State.WAITING
    ProviderOperation.objects.filter(pk=operation.pk).update(state=State.ATTENTION, finished_at=Now())
    office.post(reverse("admin:pec_requests_provideroperation_drop", args=[operation.pk]))
    assert ProviderOperation.objects.get(pk=operation.pk).state == State.WITHDRAWN
    assert PecRequest.objects.get().accepted_at is None


def test_retry_for_selected_asks_first(office: Client, pec: PecRequest) -> None:
    pec.operations.update(state=State.ATTENTION, finished_at=Now())
    url = reverse("admin:pec_requests_provideroperation_changelist")
    data = {"action": "retry_selected", "_selected_action": [pec.operations.get().pk]}
    assert "tornano in coda" in text(office.post(url, data))
    assert pec.operations.get().state == State.ATTENTION
    office.post(url, {**data, "confirmed": "1"})
    assert pec.operations.get().state == State.WAITING


def test_what_needs_attention_is_listed(office: Client, pec: PecRequest, member: Member, domain: PecDomain) -> None:
    waiting = MemberFactory(ordine=member.ordine, personal_email="")
    lifecycle.request_pec([waiting.pk], domain, STAFF)
    page = text(office.get(reverse("admin:pec_requests_pecrequest_changelist"), {"attenzione": "si"}))
    assert "mario.rossi2@tsrm.org" in page
    assert "mario.rossi@tsrm.org" not in page


def test_a_codice_fiscale_of_another_ordine_gets_a_sentence(office: Client, member: Member) -> None:
    stranger = MemberFactory()
    data = {
        "ordine": member.ordine_id, "tax_code": stranger.tax_code, "surname": "Rossi", "name": "Mario",
        "enrolments-TOTAL_FORMS": 0, "enrolments-INITIAL_FORMS": 0,
    }  # fmt: skip
    assert "appartiene a un altro Ordine" in text(office.post(reverse("admin:members_member_add"), data))
    data |= {"tax_code": tax_code(700), "ordine": stranger.ordine_id}
    assert "Scegli un'opzione valida" in text(office.post(reverse("admin:members_member_add"), data)).replace(
        "&#x27;", "'"
    )
    assert not Member.objects.filter(tax_code=tax_code(700)).exists()


def test_editing_a_member_is_logged(office: Client, member: Member) -> None:
    url = reverse("admin:members_member_change", args=[member.pk])
    form = office.get(url).context["adminform"].form
    data = {name: form.initial.get(name) or "" for name in form.fields} | {"personal_email": "nuova@example.com"}
    enrolment = member.enrolments.get()
    data |= {"enrolments-TOTAL_FORMS": 1, "enrolments-INITIAL_FORMS": 1, "enrolments-0-id": enrolment.pk}
    data |= {
        f"enrolments-0-{n}": getattr(enrolment, n) or "" for n in ("number", "status", "enrolled_on", "cancelled_on")
    }
    data |= {"enrolments-0-member": member.pk, "enrolments-0-albo": enrolment.albo_id, "birth_date": "01/01/1980"}
    assert office.post(url, data | {"enrolments-0-enrolled_on": "01/01/2020"}).status_code == 302
    assert LogEntry.objects.get(action="member.updated").detail == {"fields": "E-mail personale"}


@pytest.mark.parametrize(
    ("name", "queries"),
    [
        ("admin:members_member_changelist", 11),
        ("admin:pec_requests_pecrequest_changelist", 9),
        ("admin:pec_requests_provideroperation_changelist", 11),
    ],
)
@pytest.mark.parametrize("rows", [1, 3])
def test_a_list_costs_the_same_whatever_its_length(
    office: Client, member: Member, domain: PecDomain, django_assert_num_queries: DjangoAssertNumQueries,
    name: str, queries: int, rows: int,
) -> None:  # fmt: skip
    people = [member, *(MemberFactory(ordine=member.ordine) for _ in range(rows - 1))]
    lifecycle.request_pec([m.pk for m in people], domain, STAFF)
    with django_assert_num_queries(queries):
        office.get(reverse(name))


def test_what_only_can_be_read_is_called_what_it_is(office: Client, member: Member, pec: PecRequest) -> None:
    """By every role that may change nothing there, on the page of a record as on that of a mailbox."""
    mailbox = reverse("admin:pec_requests_pecrequest_change", args=[pec.pk])
    record = reverse("admin:members_member_change", args=[member.pk])
    assert "<h1>Richiesta PEC</h1>" in text(office.get(mailbox))
    assert "<h1>Modifica iscritto</h1>" in text(office.get(record))
    office.force_login(staff(member.ordine, StaffRole.Role.REVISORE))
    assert "<h1>Iscritto</h1>" in text(office.get(record))
