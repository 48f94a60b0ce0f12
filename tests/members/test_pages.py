"""The pages at the door and the record: what they say, what they cost, and what they keep to themselves."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client, RequestFactory, override_settings
from django.urls import reverse

from albo_pec import views
from members.models import Albo, Enrolment
from tests.factories import PASSWORD, MemberFactory, OrdineFactory, UserFactory, staff

pytestmark = pytest.mark.django_db

DOORS = ["home", "account_login", "members:password_forgotten", "members:password_link_sent", "members:first_access"]
DOORS += ["privacy", "accessibility"]
INLINE = re.compile(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son[a-z]+=|javascript:|https?://(?!testserver|www\.w3)")


def page(answer: Any) -> str:
    return str(answer.content.decode())


@pytest.mark.parametrize("name", DOORS)
def test_visitors_pages(client: Client, name: str) -> None:
    answer = client.get(reverse(name))
    html = page(answer)
    assert answer.status_code == 200 and '<html lang="it">' in html
    assert re.search(r"<title>\s*\S.*\s+– Albo PEC</title>", html, re.S)
    assert html.count("<h1") == 1 and html.count("<main") == 1
    assert not INLINE.search(html), INLINE.search(html)


def test_the_policy_of_every_page(client: Client) -> None:
    policy = client.get("/")["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy


def test_the_record_shows_ones_own_data(client: Client) -> None:
    member = MemberFactory(ordine=OrdineFactory(phone="071 205327", tax_code="93152370420"), birth_place="Ancona")
    client.force_login(member.user)
    html = page(client.get(reverse("members:record")))
    for words in (member.tax_code, "1 gennaio 1980", "Logopedista", member.personal_email, "071 205327", "93152370420"):
        assert words in html
    assert not INLINE.search(html.replace(f"mailto:{member.ordine.email}", ""))
    assert html.count('aria-current="page"') == 2  # in the menu and in the path


def test_the_menu_has_the_guides_words(client: Client) -> None:
    client.force_login(MemberFactory().user)
    html = page(client.get(reverse("members:record")))
    positions = [html.index(f">{word}</a>") for word in ("Utente", "Scheda Anagrafica", "Richieste PEC")]
    assert positions == sorted(positions)


def test_an_email_that_cannot_be_used_is_told(client: Client) -> None:
    member = MemberFactory(personal_email="mario@pec.it")
    client.force_login(member.user)
    assert "è una PEC" in page(client.get(reverse("members:record")))


@pytest.mark.parametrize("enrolments", [1, 3])
def test_what_the_record_costs(client: Client, enrolments: int, django_assert_num_queries: Any) -> None:
    member = MemberFactory()
    client.force_login(member.user)
    for number in range(enrolments - 1):
        albo = Albo.objects.create(name=f"Albo {number}")
        Enrolment.objects.create(member=member, albo=albo, number=str(number))
    # session, user with record and Ordine, enrolments, e-mail to confirm, who of the office looked
    with django_assert_num_queries(5):
        client.get(reverse("members:record"))


def test_visitors_are_asked_who_they_are(client: Client) -> None:
    answer = client.get(reverse("members:record"))
    assert answer["Location"] == f"{reverse('account_login')}?next={reverse('members:record')}"
    assert client.get("/utente/")["Location"] == reverse("members:record")


@pytest.mark.parametrize("office", [True, False])
def test_an_account_without_a_record_is_told_whose_page_this_is(client: Client, office: bool) -> None:
    client.force_login(staff(OrdineFactory()) if office else UserFactory())
    html = page(client.get(reverse("members:record")))
    assert "non ha una scheda" in html and (reverse("admin:index") in html) == office


@pytest.mark.parametrize("name", ["mfa_index", "account_change_password", "account_logout", "mfa_activate_totp"])
def test_pages_about_ones_own_access(client: Client, name: str) -> None:
    client.force_login(MemberFactory().user)
    answer = client.get(reverse(name), follow=True)
    assert answer.status_code == 200 and page(answer).count("<h1") == 1
    assert not INLINE.search(page(answer))


def test_changing_the_password_is_in_the_log_and_told(client: Client) -> None:
    from post_office.models import Email

    from audit.models import LogEntry

    member = MemberFactory()
    client.force_login(member.user)
    data = {"oldpassword": PASSWORD, "password1": "Tutta-nuova-7", "password2": "Tutta-nuova-7"}
    assert client.post(reverse("account_change_password"), data)["Location"] == reverse("mfa_index")
    assert LogEntry.objects.filter(person=member.pk, action="access.password_set").exists()
    assert Email.objects.get().to == [member.personal_email]
    assert client.get(reverse("members:record")).status_code == 200  # this session stays


# --- The office -------------------------------------------------------------------------------------------------------
def test_the_office_has_the_portals_door(client: Client) -> None:
    assert client.get("/admin/")["Location"] == "/admin/login/?next=/admin/"
    assert client.get("/admin/login/?next=/admin/")["Location"] == f"{reverse('account_login')}?next=%2Fadmin%2F"


@override_settings(MFA_REQUIRED=False)
def test_the_office_bears_the_ordines_name(client: Client) -> None:
    client.force_login(staff(OrdineFactory(short_name="Ordine Marche")))
    assert "Ordine Marche" in page(client.get("/admin/"))


@override_settings(MFA_REQUIRED=False)
def test_members_do_not_enter_the_office(client: Client) -> None:
    client.force_login(MemberFactory().user)
    answer = client.get("/admin/", follow=True)
    assert answer.redirect_chain[-1][0] == reverse("home") and "riservata alla segreteria" in page(answer)


@override_settings(MFA_REQUIRED=True)
@pytest.mark.parametrize("path", ["/admin/", "/admin/members/member/"])
def test_the_office_asks_for_a_second_factor(client: Client, path: str) -> None:
    client.force_login(staff(OrdineFactory()))
    assert client.get(path)["Location"] == reverse("mfa_index")


def test_the_office_shows_nothing_but_our_apps() -> None:
    from django.contrib import admin

    assert {model._meta.app_label for model in admin.site._registry} <= {"audit", "members", "pec_requests"}


# --- Errors -----------------------------------------------------------------------------------------------------------
def test_a_page_that_is_not_there(client: Client) -> None:
    answer = client.get("/non-esiste/")
    assert answer.status_code == 404 and "Pagina non trovata" in page(answer)


def test_a_form_without_its_token() -> None:
    answer = Client(enforce_csrf_checks=True).post(reverse("account_login"), {"login": "x", "password": "y"})
    assert answer.status_code == 403 and "Il modulo è scaduto" in page(answer)


def test_errors_need_neither_request_nor_database(django_assert_num_queries: Any) -> None:
    request = RequestFactory().get("/")
    with django_assert_num_queries(0):
        broken, odd = views.server_error(request), views.bad_request(request)
    assert (broken.status_code, odd.status_code) == (500, 400)
    assert "È colpa nostra" in page(broken) and "non è cambiato nulla" in page(odd)


def test_even_a_broken_error_page_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django.template.loader.render_to_string", lambda *args: 1 / 0)
    answer = views.server_error(RequestFactory().get("/"))
    assert answer.status_code == 500 and "Riprova" in page(answer)


# --- Health -----------------------------------------------------------------------------------------------------------
def test_ready(client: Client) -> None:
    answer = client.get("/readyz")
    assert answer.status_code == 200 and answer.json() == {"database": "ok", "migrations": "ok", "redis": "ok"}


@pytest.mark.parametrize("broken", ["_database", "_migrations", "_redis"])
def test_not_ready(client: Client, broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(views, broken, fails)
    answer = client.get("/readyz")
    assert answer.status_code == 503 and answer.json()[broken[1:]] == "error" and "secret" not in page(answer)
    assert client.get("/healthz").status_code == 200


def test_who_proves_who_they_are_goes_on_under_another_key(client: Client) -> None:
    member = MemberFactory()
    client.force_login(member.user)
    before = client.cookies["sessionid"].value
    client.post(reverse("account_reauthenticate"), {"password": "sbagliata"})
    assert client.cookies["sessionid"].value == before
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    assert client.cookies["sessionid"].value != before
    assert client.get(reverse("members:record")).status_code == 200
    thief = Client()
    thief.cookies["sessionid"] = before
    assert thief.get(reverse("members:record")).status_code == 302
