"""Requests as no page of ours makes them: from elsewhere, to elsewhere, under another name."""

from __future__ import annotations

import re

import pytest
from django.conf import settings
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from post_office.models import Email

from members import access
from members.models import Member, Session
from tests.attacks import scene
from tests.factories import PASSWORD, MemberFactory, OrdineFactory, staff
from tests.pec_requests.conftest import STAFF

pytestmark = pytest.mark.django_db

ELSEWHERE = [
    "https://evil.example/",
    "//evil.example/",
    "/\\evil.example/",
    "\\\\evil.example",
    "https:evil.example",
    " https://evil.example",
    "\thttps://evil.example",
    "https://testserver@evil.example/",
    "https://testserver.evil.example/",
    "javascript:alert(1)",
    "data:text/html,x",
]
# Mail programs have no token (RFC 8058): the secret in the address is all that counts.
WITHOUT_TOKEN = {"members:unsubscribe"}


# Who may enter, so that nothing else than what is tried keeps a request out.
READERS = {"waiting": False, "office": True}


def pages_of(built: scene.Scene, who: str) -> dict[str, str]:
    every = scene.addresses(built.here)
    return {name: address for name, address in every.items() if name.startswith("admin:") == READERS[who]}


def test_no_form_is_taken_without_its_token(built: scene.Scene) -> None:
    taken = {}
    clients = {who: built.client(who, enforce_csrf_checks=True) for who in READERS}
    before = scene.contents()
    for who, client in clients.items():
        for name, address in pages_of(built, who).items():
            answer = client.post(address, {"csrfmiddlewaretoken": "a" * 64})
            if answer.status_code != 403 or "cookie" not in answer.content.decode():
                taken[name] = answer.status_code
    assert set(taken) == WITHOUT_TOKEN, taken
    assert scene.contents() == before


def test_nobody_is_sent_elsewhere_by_a_form(client: Client) -> None:
    member = MemberFactory()
    doors = {
        "account_login": {"login": member.tax_code, "password": PASSWORD},
        "account_reauthenticate": {"password": PASSWORD},
        "members:language": {"language": "de"},
        "account_logout": {},
    }
    for address in ELSEWHERE:
        visitor = Client()
        cache.clear()  # of how often one has tried
        for name, body in doors.items():
            for asked in (reverse(name), f"{reverse(name)}?next={address}"):
                answer = visitor.post(asked, {**body, "next": address}, headers={"Referer": ELSEWHERE[0]})
                assert answer.status_code in (200, 302), (name, address)
                where = answer.get("Location", "/")
                assert where.startswith("/") and not where.startswith(("//", "/\\")), (name, address, where)


def test_links_in_mails_have_the_portals_own_name_whatever_the_request_says(client: Client) -> None:
    member = MemberFactory()
    poisoned = {"X-Forwarded-Host": "evil.example", "X-Forwarded-For": "1.2.3.4", "Forwarded": "host=evil.example"}
    assert client.get("/", headers={"Host": "evil.example"}).status_code == 400
    client.post(reverse("members:password_forgotten"), {"identifier": member.tax_code}, headers=poisoned)
    access.send_password_link(member.tax_code, STAFF)
    mail = Email.objects.get()
    links = re.findall(r"https?://[^\s\"<]+", mail.message + mail.html_message)
    assert links and all(link.startswith(settings.PORTAL_URL) for link in links), links
    page = client.get(reverse("account_login"), headers=poisoned).content.decode()
    assert "evil.example" not in page


def test_what_is_ticked_is_an_id_or_nothing(built: scene.Scene) -> None:
    client = built.client("office")
    for name, act in (("members_member", "request_for_selected"), ("pec_requests_provideroperation", "retry_selected")):
        for ticked in ("", "²", "1,2", "9" * 30, "9" * 5000, "1 OR 1=1"):
            answer = client.post(reverse(f"admin:{name}_changelist"), {"action": act, "_selected_action": ticked})
            assert answer.status_code == 400, (name, ticked)


def session_of(client: Client) -> str:
    return client.cookies["sessionid"].value


def enter(client: Client, how: str, member: Member) -> None:
    if how == "password":
        client.post(reverse("account_login"), {"login": member.tax_code, "password": PASSWORD})
    else:
        access.invite(member, STAFF)
        found = re.search(r"/invito/[\w-]+/", Email.objects.latest("id").message)
        assert found
        client.get(found[0])
        new = "Un-altra-password-9"
        client.post(reverse("members:new_password"), {"password": new, "again": new})


@pytest.mark.parametrize("how", ["password", "link"])
def test_a_session_that_somebody_prepared_is_not_the_one_that_comes_in(client: Client, how: str) -> None:
    """A thief's browser first asks for a session, and has its victim use it."""
    member = MemberFactory()
    client.get(reverse("account_login"))
    session = client.session
    session["prepared"] = True
    session.save()
    client.cookies["sessionid"] = prepared = session.session_key
    client.get(reverse("account_login"))
    token = client.cookies["csrftoken"].value
    enter(client, how, member)
    assert client.get(reverse("members:record")).status_code == 200
    mine = session_of(client)
    assert mine != prepared and client.cookies["csrftoken"].value != token
    thief = Client()
    thief.cookies["sessionid"] = prepared
    assert thief.get(reverse("members:record")).status_code == 302
    left = client.post(reverse("account_logout"))
    assert left["Clear-Site-Data"] == '"cache", "storage"'
    assert not Session.objects.filter(session_key=mine).exists()
    thief.cookies["sessionid"] = mine
    assert thief.get(reverse("members:record")).status_code == 302


def test_the_office_leaves_nothing_behind_either(client: Client) -> None:
    client.force_login(staff(OrdineFactory()))
    assert client.get(reverse("admin:index")).headers.get("Clear-Site-Data") is None
    assert "Clear-Site-Data" in client.post(reverse("admin:logout")).headers


def test_cookies_are_for_this_site_and_for_no_script(client: Client) -> None:
    member = MemberFactory()
    client.post(reverse("members:language"), {"language": "de"})
    client.get(reverse("account_login"))
    client.post(reverse("account_login"), {"login": member.tax_code, "password": PASSWORD})
    client.get(reverse("members:change_mobile"))
    client.post(reverse("members:change_mobile"), {"mobile": "3330000000"})
    names = {"sessionid", "csrftoken", "language", "messages"}
    assert set(client.cookies) >= names - {"messages"}
    for cookie in client.cookies.values():
        assert cookie["httponly"] and cookie["samesite"] == "Lax" and not cookie["domain"] and cookie["path"] == "/"
