"""The pages of corrections: each tells beforehand what will come of it, and does it once."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from audit.models import LogEntry
from members.models import Member, StaffRole
from pec_requests import lifecycle
from pec_requests.models import PecDomain, PecRequest
from pec_requests.states import Kind
from tests.factories import MemberFactory, OrdineFactory, staff, tax_code
from tests.pec_requests.conftest import STAFF
from tests.pec_requests.test_lifecycle import ready

pytestmark = pytest.mark.django_db
NEW = tax_code(999)


@pytest.fixture
def office(member: Member, client: Client) -> Client:
    """Signed in as the responsabile of the member's Ordine."""
    client.force_login(staff(member.ordine))
    return client


def url(member: Member, name: str) -> str:
    return reverse(f"admin:members_member_{name}", args=[member.pk])


def text(response: Any) -> str:
    return str(response.content.decode())


def test_the_members_page_leads_to_what_one_may(office: Client, member: Member) -> None:
    page = text(office.get(url(member, "change")))
    assert all(url(member, name) in page for name in ("sheet", "tax_code", "merge", "transfer", "leave"))
    office.force_login(staff(member.ordine, StaffRole.Role.OPERATORE))
    page = text(office.get(url(member, "change")))
    assert url(member, "sheet") in page and url(member, "leave") in page
    assert not any(url(member, name) in page for name in ("tax_code", "merge", "transfer"))
    assert office.post(url(member, "transfer"), {"to": OrdineFactory().pk}).status_code == 403


def test_a_code_is_asked_for_shown_and_corrected_once(office: Client, member: Member, domain: PecDomain) -> None:
    pec = lifecycle.request_pec([member.pk], domain, STAFF).created[0]
    ready(pec)
    page = url(member, "tax_code")
    assert member.tax_code in text(office.get(page))
    assert "non è valido" in text(office.post(page, {"code": "x" * 16}))
    shown = text(office.post(page, {"code": NEW.lower()}))
    assert NEW in shown
    assert f"titolare della casella {pec.address}" in shown
    assert not pec.operations.filter(kind=Kind.TAX_CODE).exists()
    for answer in ("Codice fiscale corretto", "Non c&#x27;era nulla da fare"):
        assert answer in text(office.post(page, {"code": NEW, "confirmed": "1"}, follow=True))
    assert Member.objects.get().tax_code == NEW
    assert pec.operations.filter(kind=Kind.TAX_CODE).count() == 1


def test_a_code_that_disagrees_is_warned_of_and_one_of_another_leads_to_the_merge(
    office: Client, member: Member
) -> None:
    Member.objects.filter(pk=member.pk).update(surname="Bianchi")
    page = url(member, "tax_code")
    assert "non corrisponde a cognome" in text(office.post(page, {"code": NEW}))
    twin, foreign = MemberFactory(ordine=member.ordine), MemberFactory(ordine=OrdineFactory())
    assert f"{url(member, 'merge')}?altra={twin.pk}" in text(office.post(page, {"code": twin.tax_code}))
    answer = text(office.post(page, {"code": foreign.tax_code}))
    assert "altro Ordine" in answer
    assert "?altra=" not in answer


def test_two_records_are_shown_side_by_side_and_merged_once(office: Client, member: Member) -> None:
    twin = MemberFactory(ordine=member.ordine, town="Jesi")
    page = url(twin, "merge")
    for shown in (office.post(page, {"code": member.tax_code}), office.get(page, {"altra": member.pk})):
        assert "Jesi" in text(shown) and member.tax_code in text(shown)
        assert "rimane solo nel registro delle attività" in text(shown)
    assert "Scegliere quale" in text(office.post(page, {"code": member.tax_code, "confirmed": "1"}))
    wrong = {"code": MemberFactory(ordine=OrdineFactory()).tax_code, "keep": member.pk}
    assert "nulla da fare" in text(office.post(page, wrong, follow=True))
    assert Member.objects.filter(ordine=member.ordine).count() == 2
    data = {"code": member.tax_code, "keep": member.pk}
    for answer in ("Le due schede sono una sola", "Non c&#x27;era nulla da fare"):
        assert answer in text(office.post(page, data, follow=True))
    assert [m.pk for m in Member.objects.filter(ordine=member.ordine)] == [member.pk]
    assert "Unita qui la scheda" in text(office.get(url(member, "change")))
    office.force_login(staff(member.ordine))
    assert office.post(page, data).status_code == 404  # who has not done it learns nothing


def test_who_does_not_look_like_one_person_is_merged_only_when_somebody_has_made_sure(
    office: Client, member: Member
) -> None:
    other = MemberFactory(ordine=member.ordine, surname="Bianchi")
    data = {"code": other.tax_code, "keep": member.pk}
    shown = text(office.post(url(member, "merge"), {"code": other.tax_code}))
    assert "Non coincidono: cognome." in shown and 'name="verified"' in shown
    assert "serve una verifica" in text(office.post(url(member, "merge"), data, follow=True))
    assert Member.objects.count() == 2
    assert "sono una sola" in text(office.post(url(member, "merge"), data | {"verified": "1"}, follow=True))
    assert LogEntry.objects.get(action="member.merged").detail["unlike"] == "cognome"


def test_what_cannot_be_merged_says_why_and_offers_no_button(office: Client, member: Member, domain: PecDomain) -> None:
    twin = MemberFactory(ordine=member.ordine)
    lifecycle.request_pec([member.pk, twin.pk], domain, STAFF)
    shown = text(office.post(url(member, "merge"), {"code": twin.tax_code}))
    assert "Prima va annullata o cessata" in shown
    assert 'name="keep"' not in shown
    data = {"code": twin.tax_code, "keep": member.pk}
    assert "Prima va annullata" in text(office.post(url(member, "merge"), data, follow=True))
    assert Member.objects.count() == 2


def test_a_transfer_is_told_beforehand_and_the_record_is_gone_from_here(
    office: Client, member: Member, domain: PecDomain
) -> None:
    to, outside = OrdineFactory(), OrdineFactory()
    domain.ordini.remove(outside)
    pec = lifecycle.request_pec([member.pk], domain, STAFF).created[0]
    page = url(member, "transfer")
    assert f"La casella {pec.address} resta alla persona" in text(office.get(page))
    assert "non aderisce alla convenzione" in text(office.post(page, {"to": outside.pk}))
    assert office.post(page, {"to": member.ordine_id}).status_code == 200  # not one to choose
    for answer in ("Scheda trasferita", "Non c&#x27;era nulla da fare"):
        assert answer in text(office.post(page, {"to": to.pk}, follow=True))
    assert office.get(url(member, "sheet")).status_code == 404
    assert pec.address not in text(office.get(reverse("admin:pec_requests_pecrequest_changelist")))
    office.force_login(staff(to))
    assert "Scheda ricevuta" in text(office.get(url(member, "change")))
    assert PecRequest.objects.get().ordine_id == to.pk


def test_a_cancellation_says_when_the_mailbox_closes(office: Client, member: Member, domain: PecDomain) -> None:
    pec = lifecycle.request_pec([member.pk], domain, STAFF).created[0]
    page, enrolment = url(member, "leave"), member.enrolments.get()
    assert f"la casella {pec.address} rimane aperta per 60 giorni" in text(office.get(page))
    data = {"enrolments": enrolment.pk, "on": timezone.localdate().isoformat(), "reason": "Rinuncia"}
    for wrong, why in (
        ({"reason": " "}, "Indicare il motivo"),
        ({"on": "2026-02-31"}, "non esiste"),
        ({"on": "2999-01-01"}, "nel futuro"),
        ({"enrolments": MemberFactory(ordine=member.ordine).enrolments.get().pk}, "non è tra quelle disponibili"),
        ({"enrolments": []}, "almeno un"),
    ):
        assert why in text(office.post(page, data | wrong))
    assert not LogEntry.objects.filter(action="member.enrolment_cancelled").exists()
    for answer in ("Cancellazione registrata", "Non c&#x27;era nulla da fare"):
        assert answer in text(office.post(page, data, follow=True))
    enrolment.refresh_from_db()
    assert (enrolment.status, enrolment.cancelled_on) == ("CANCELLATO", timezone.localdate())
    assert LogEntry.objects.filter(action="member.enrolment_cancelled").count() == 1
    assert "Non è iscritto ad alcun albo" in text(office.get(page))


def test_a_sheet_holds_the_whole_record_and_is_in_the_log(office: Client, member: Member, domain: PecDomain) -> None:
    Member.objects.filter(pk=member.pk).update(town="<b>Jesi</b>")
    pec = lifecycle.request_pec([member.pk], domain, STAFF).created[0]
    response = office.get(url(member, "sheet"))
    page = text(response)
    for said in (member.tax_code, member.ordine.name, pec.address, "Richiesta la casella", "&lt;b&gt;Jesi", "Logoped"):
        assert said in page
    assert "<script" not in page
    assert "style=" not in page
    assert "no-store" in response["Cache-Control"]
    assert LogEntry.objects.get(action="member.sheet_printed").person == member.pk
