"""The member's pages: what is shown, what can be done, and that only one's own request is there."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.db.models.functions import Now
from django.test import Client
from django.urls import reverse
from post_office.models import Email
from pytest_django import DjangoAssertNumQueries

from members import emails
from members.models import Member
from pec_requests import health, lifecycle
from pec_requests.models import PecRequest, ProviderOperation, RecoveryEmailChange
from pec_requests.states import Kind
from tests.factories import PASSWORD, MemberFactory, UserFactory, staff
from tests.pec_requests.conftest import STAFF
from tests.pec_requests.test_lifecycle import activate, operations, ready
from tests.pec_requests.test_recovery import ask

pytestmark = pytest.mark.django_db
LIST = "/utente/scheda-anagrafica/richieste-pec/"
State = ProviderOperation.State


@pytest.fixture
def me(member: Member, client: Client) -> Client:
    assert member.user
    client.force_login(member.user)
    return client


def url(name: str, pec: PecRequest) -> str:
    return reverse(f"pec_requests:{name}", args=[pec.public_id])


def text(response: Any) -> str:
    return str(response.content.decode()).replace("&#x27;", "'")


def test_without_a_request_the_page_says_whom_to_ask(me: Client) -> None:
    assert "rivolgiti alla segreteria" in text(me.get(LIST))


def test_each_state_in_words(me: Client, pec: PecRequest) -> None:
    assert "Il gestore sta preparando la casella" in text(me.get(LIST))
    ready(pec)
    page = text(me.get(LIST))
    assert "La casella è pronta" in page
    assert ">Accetta<" in page
    assert ">Rifiuta<" in page
    lifecycle.decide([pec.pk], "accept", STAFF)
    page = text(me.get(LIST))
    assert "Attivazione in corso" in page
    assert 'hx-trigger="every 2s"' in page
    assert ">Accetta<" not in page


def test_home_says_the_same_and_the_one_thing_to_do(me: Client, pec: PecRequest) -> None:
    ready(pec)
    page = text(me.get("/"))
    assert "La casella è pronta" in page
    assert url("accept", pec) in page


def test_while_the_provider_is_away_pages_say_what_goes_on_by_itself(me: Client, pec: PecRequest) -> None:
    health.stop("prova")
    for address in ("/", LIST, url("panel", pec)):
        page = text(me.get(address))
        assert "non è raggiungibile" in page
        assert "appena il gestore risponde va avanti da sola" in page
    health.succeeded()
    assert "non è raggiungibile" not in text(me.get(LIST))


def test_accepting_needs_the_conditions(me: Client, pec: PecRequest) -> None:
    ready(pec)
    assert "domicilio digitale" in text(me.get(url("accept", pec)))
    assert "occorre spuntare" in text(me.post(url("accept", pec)))
    assert PecRequest.objects.get().accepted_at is None
    for _click in range(2):
        assert me.post(url("accept", pec), {"conditions": "on"}).status_code == 302
    assert operations(pec) == [("CREATE", "DONE"), ("ACTIVATE", "WAITING")]


def test_the_back_button_after_accepting_leads_to_the_state(me: Client, pec: PecRequest) -> None:
    ready(pec)
    lifecycle.decide([pec.pk], "accept", STAFF)
    assert me.get(url("accept", pec)).status_code == 302
    response = me.post(url("refuse", pec), follow=True)
    assert "ha già accettato" in text(response)
    assert PecRequest.objects.get().status == "NON_ATTIVO"


def test_refusing(me: Client, pec: PecRequest) -> None:
    ready(pec)
    assert "diffid" in text(me.get(url("refuse", pec)))
    assert "Hai rifiutato" in text(me.post(url("refuse", pec), follow=True))


NAMES = [
    *("status", "accept", "refuse", "panel", "panel-status"),
    *("change-recovery", "resend-recovery", "drop-recovery", "reset-password"),
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("method", ["get", "post"])
def test_only_ones_own_request_is_there(pec: PecRequest, client: Client, name: str, method: str) -> None:
    ready(pec)
    before = list(PecRequest.objects.values_list()), list(ProviderOperation.objects.values_list())
    data = {"conditions": "on", "email": "x@example.com", "password": PASSWORD}
    assert getattr(client, method)(url(name, pec), data).status_code in (302, 204, 405)  # a visitor signs in first
    for user in (
        MemberFactory(ordine=pec.member.ordine).user,
        MemberFactory().user,
        staff(pec.member.ordine),
        UserFactory(),
    ):
        client.force_login(user)
        assert getattr(client, method)(url(name, pec), data).status_code in (404, 405)
        nowhere = reverse(f"pec_requests:{name}", args=[uuid.uuid4()])
        assert getattr(client, method)(nowhere, data).status_code in (404, 405)
    assert before == (list(PecRequest.objects.values_list()), list(ProviderOperation.objects.values_list()))
    assert not RecoveryEmailChange.objects.exists()


def test_the_panel_of_an_active_mailbox(me: Client, pec: PecRequest) -> None:
    activate(pec)
    page = text(me.get(url("panel", pec)))
    for words in (pec.address, "Modifica Email di Recupero", "Reimposta password", "Storia", "Vai alla webmail"):
        assert words in page


def test_changing_the_recovery_email_asks_for_the_password(me: Client, pec: PecRequest) -> None:
    data = {"email": "nuova@example.com", "password": "sbagliata"}
    assert "La password non è corretta" in text(me.post(url("change-recovery", pec), data))
    assert not RecoveryEmailChange.objects.exists()
    page = text(me.post(url("change-recovery", pec), data | {"password": PASSWORD}, follow=True))
    assert "Conferma il nuovo indirizzo" in page
    assert "Rispedisci il link" in page
    assert Email.objects.filter(to="nuova@example.com").count() == 1
    # One proof is good for one act.
    assert "obbligatorio" in text(me.post(url("change-recovery", pec), {"email": "terza@example.com"}))
    page = text(me.post(url("resend-recovery", pec), follow=True))
    assert "appena partito" in page


def test_an_address_at_work_wants_a_second_yes_and_no_second_password(me: Client, pec: PecRequest) -> None:
    data = {"email": "m.rossi@sanita.regione.marche.it"}
    page = text(me.post(url("change-recovery", pec), data | {"password": PASSWORD}))
    assert "Sembra un indirizzo di lavoro" in page
    assert 'name="anyway"' in page
    assert 'name="password"' not in page
    assert not RecoveryEmailChange.objects.exists()
    me.post(url("change-recovery", pec), data | {"anyway": "on"})
    assert RecoveryEmailChange.objects.get().new_email == data["email"]


def test_guessing_the_password_there_is_limited(me: Client, pec: PecRequest) -> None:
    data = {"email": "nuova@example.com", "password": "sbagliata"}
    codes = [me.post(url("change-recovery", pec), data).status_code for _ in range(12)]
    assert 429 in codes
    assert me.post(url("change-recovery", pec), data | {"password": PASSWORD}).status_code == 429


@pytest.mark.parametrize(
    ("email", "words"), [("a@pec.example.it", "È una PEC"), ("", "obbligatorio"), ("x", "Non è un indirizzo")]
)
def test_unusable_addresses_are_explained(me: Client, pec: PecRequest, email: str, words: str) -> None:
    assert words in text(me.post(url("change-recovery", pec), {"email": email, "password": PASSWORD}))


def test_opening_the_confirmation_link_changes_nothing_and_the_button_does(client: Client, pec: PecRequest) -> None:
    ready(pec)
    link = reverse("pec_requests:confirm-recovery", args=[ask(pec)])
    assert "Conferma" in text(client.get(link))
    assert not pec.operations.filter(kind=Kind.RECOVERY_EMAIL).exists()
    assert "Indirizzo confermato" in text(client.post(link))
    assert pec.operations.filter(kind=Kind.RECOVERY_EMAIL).count() == 1
    for method in (client.get, client.post):
        response = method(link)
        assert response.status_code == 410
        assert "È già stato usato" in text(response)


def test_an_invented_link_says_what_to_do(client: Client, db: None) -> None:
    response = client.get(reverse("pec_requests:confirm-recovery", args=["inventato"]))
    assert response.status_code == 410
    assert "non è completo" in text(response)


def test_resetting_from_the_panel(me: Client, pec: PecRequest) -> None:
    activate(pec)
    page = text(me.get(url("reset-password", pec)))
    assert emails.mask(pec.recovery_email) in page
    assert pec.recovery_email not in page
    assert "Invio del link in corso" in text(me.post(url("reset-password", pec), follow=True))
    assert "già stato chiesto" in text(me.post(url("reset-password", pec), follow=True))
    pec.operations.filter(kind=Kind.RESET).update(state=State.UNKNOWN, finished_at=Now())
    assert "Non sappiamo se il link è partito" in text(me.get(url("panel", pec)))


def test_metrics_count_without_naming_anybody(client: Client, pec: PecRequest) -> None:
    page = text(client.get("/metrics"))
    assert 'pec_requests{status="RICHIESTA"} 1' in page
    assert pec.address not in page


@pytest.mark.parametrize("rows", [1, 3])
def test_pages_cost_few_queries(
    me: Client, pec: PecRequest, django_assert_max_num_queries: DjangoAssertNumQueries, rows: int
) -> None:
    for _again in range(rows):
        lifecycle.decide([pec.pk], "cancel", STAFF, reason="x")
        pec = lifecycle.request_pec([pec.member_id], pec.domain, STAFF).created[0]
    with django_assert_max_num_queries(7 + rows):
        me.get(LIST)
    activate(pec)
    with django_assert_max_num_queries(10):
        me.get(url("panel", pec))
