"""The second factor: who must have one, what shows it, what counts once, and what is asked for again."""

from __future__ import annotations

import json
import re
import threading
import time
from datetime import timedelta
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value
from allauth.mfa.webauthn.internal.auth import WebAuthn
from django.core.cache import cache
from django.db import connection
from django.test import Client, override_settings
from django.urls import reverse
from django.utils import timezone

from audit.models import LogEntry
from members import proof, second_factor, throttle
from members.entry_models import Tally
from members.models import User
from members.session_store import ENTRY_KEY
from tests.factories import PASSWORD, MemberFactory, OrdineFactory, UserFactory, staff

SECRET = "A" * 32
FREE = throttle.SECOND_FACTOR.per_person.times


def code(offset: int = 0) -> str:
    """The app's code, now or some half minutes from now."""
    return format_hotp_value(hotp_value(SECRET, int(time.time()) // 30 + offset))


def with_app(user: User) -> User:
    TOTP.activate(user, SECRET)
    return user


def half_in(user: User) -> Client:
    client = Client()
    client.post(reverse("account_login"), {"login": user.username, "password": PASSWORD})
    assert client.get(reverse("mfa_authenticate")).status_code == 200
    return client


def give(client: Client, what: str, page: str = "mfa_authenticate") -> bool:
    return bool(client.post(reverse(page), {"code": what}).status_code == 302)


def prove(client: Client) -> None:
    assert client.post(reverse("account_reauthenticate"), {"password": PASSWORD}).status_code == 302


def forget_proof(client: Client) -> None:
    """As if coming in and the last proof were more than five minutes ago."""
    session, before = client.session, timezone.now() - timedelta(seconds=proof.SECONDS + 1)
    session["proved_at"] = before.timestamp()
    session[ENTRY_KEY] = {**session[ENTRY_KEY], "at": before.isoformat()}
    session.save()


@pytest.mark.django_db
def test_a_code_of_the_app_counts_once_with_an_empty_cache_too() -> None:
    user = with_app(UserFactory())
    now = code()
    client = half_in(user)
    planted = client.session.session_key
    assert give(client, now)
    assert client.session.session_key != planted, "the key changes with the second factor, too"
    cache.clear()
    assert not give(half_in(user), now)
    assert not give(half_in(user), code(-1)), "one from before is no better"
    assert give(half_in(user), code(1))
    assert LogEntry.objects.filter(action="access.second_factor_failed").count() == 2


@pytest.mark.django_db
def test_the_code_that_adds_the_app_lets_nobody_in(client: Client, django_capture_on_commit_callbacks: Any) -> None:
    member = MemberFactory()
    client.force_login(member.user)
    other = Client()
    other.force_login(member.user)
    prove(client)
    page = client.get(reverse("mfa_activate_totp"))
    secret = page.context["form"].secret
    now = format_hotp_value(hotp_value(secret, int(time.time()) // 30))
    with django_capture_on_commit_callbacks(execute=True):
        shown = client.post(reverse("mfa_activate_totp"), {"code": now}, follow=True)
    assert shown.status_code == 200 and second_factor.codes_left(member.user) == 10
    assert other.get(reverse("mfa_index")).status_code == 302, "who came in without it is out"
    assert not give(half_in(member.user), now)
    assert LogEntry.objects.filter(action="second_factor.totp_activated", person=member.pk).exists()


@pytest.mark.django_db
def test_recovery_codes_are_shown_once_counted_and_called_to_mind(client: Client) -> None:
    user = with_app(UserFactory())
    client.force_login(user)
    prove(client)
    first = client.post(reverse("mfa_generate_recovery_codes"), follow=True)
    page = first.content.decode()
    codes = re.findall(r'<li class="code">(\d{8})</li>', page)
    assert len(codes) == 10 and f"data:text/plain;charset=utf-8,{codes[0]}%0A" in page
    again = client.get(reverse("mfa_view_recovery_codes")).content.decode()
    assert "Ti restano 10 codici" in again and not any(one in again for one in codes)
    assert "Te ne restano 10" in client.get(reverse("mfa_index")).content.decode()
    for used, one in enumerate(codes[:7], start=1):
        other = half_in(user)
        told = other.post(reverse("mfa_authenticate"), {"code": one}, follow=True).content.decode()
        assert f"ne restano {10 - used}." in told
        assert not give(half_in(user), one)
        Tally.objects.all().delete()
    warned = client.get(reverse("mfa_index")).content.decode()
    assert "Te ne restano 3: creane di nuovi" in warned
    client.post(reverse("mfa_generate_recovery_codes"))
    assert not give(half_in(user), codes[8]) and second_factor.codes_left(user) == 10


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", ["recovery", "app"])
def test_of_one_code_given_many_times_at_once_one_counts(kind: str) -> None:
    user = with_app(UserFactory())
    recovery = RecoveryCodes.activate(user).get_unused_codes()[0]
    one = recovery if kind == "recovery" else code()
    clients = [half_in(user) for _each in range(4)]
    together, let_in = threading.Barrier(4), []

    def try_it(client: Client) -> None:
        together.wait()
        let_in.append(give(client, one))
        connection.close()

    threads = [threading.Thread(target=try_it, args=[client]) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(let_in) == [False] * 3 + [True]


@pytest.mark.django_db
def test_codes_cannot_be_guessed_at_leisure() -> None:
    """Neither by coming in by the password again, nor by the page that asks again, nor with a right one at last."""
    user = with_app(UserFactory())
    for _time in range(FREE):
        assert not give(half_in(user), "000000")
    late = half_in(user).post(reverse("mfa_authenticate"), {"code": code()})
    assert late.status_code == 200 and "Troppi tentativi" in late.content.decode()
    inside = Client()
    inside.force_login(user)
    pages = [
        inside.post(reverse("mfa_reauthenticate"), {"code": "000000"}).content.decode()
        for _time in range(throttle.PROOF.per_person.times + 1)
    ]
    assert "Troppi tentativi" in pages[-1] and "Troppi tentativi" not in pages[-2]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "answer", ["", "x", "[]", "5", "null", "{}", '{"id": 5}', '{"id":"AA","rawId":"AA"}', "\\u0000"]
)
@override_settings(MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN=True)
def test_what_is_no_answer_of_a_key_is_wrong(client: Client, answer: str) -> None:
    like = {"id": "AA", "rawId": "AA", "type": "public-key", "response": {}, "clientExtensionResults": {}}
    bad = {"clientDataJSON": "e30", "attestationObject": "oA", "authenticatorData": "AA", "signature": "AA"}
    user = with_app(UserFactory())
    for credential in (answer, json.dumps(like), json.dumps({**like, "response": bad})):
        Tally.objects.all().delete()
        waiting = half_in(user)
        assert waiting.post(reverse("mfa_authenticate"), {"credential": credential}).status_code == 200
        client.force_login(user)
        prove(client)
        client.get(reverse("mfa_add_webauthn"))
        assert client.post(reverse("mfa_add_webauthn"), {"credential": credential, "name": "x"}).status_code == 200
    assert not Authenticator.objects.filter(type="webauthn").exists()


@pytest.mark.django_db
@override_settings(MFA_REQUIRED=True)
def test_the_office_wants_it_shown_in_this_very_session(client: Client) -> None:
    """Whoever came in by the password alone, before there was a second factor, is asked for it."""
    user = staff(OrdineFactory())
    before = Client()
    before.force_login(user)
    assert before.get("/admin/")["Location"] == reverse("mfa_index")
    with_app(user)
    for path in ("/admin/", "/admin/members/member/", "/admin/members/importrun/1/avanzamento/"):
        asked = before.get(path)
        assert asked["Location"].startswith(f"{reverse('mfa_reauthenticate')}?next="), path
    # The password, once more, does not show it.
    prove(before)
    assert before.get("/admin/").status_code == 302
    assert before.post(reverse("mfa_reauthenticate"), {"code": code(), "next": "/admin/"})["Location"] == "/admin/"
    assert before.get("/admin/").status_code == 200
    at_the_door = half_in(user)
    assert at_the_door.get("/admin/").status_code == 302 and give(at_the_door, code(1))
    assert at_the_door.get("/admin/").status_code == 200


@pytest.mark.django_db
@override_settings(MFA_REQUIRED=True)
def test_who_works_in_an_office_keeps_one(client: Client) -> None:
    user, member = with_app(staff(OrdineFactory())), with_app(MemberFactory().user)
    for who, may in ((user, False), (member, True)):
        here, there = Client(), Client()
        here.force_login(who)
        there.force_login(who)
        prove(here)
        done = here.post(reverse("mfa_deactivate_totp"), follow=True).content.decode()
        assert second_factor.enrolled(who) is not may
        assert ("ha sempre un secondo fattore" in done) is not may
        assert (there.get(reverse("mfa_index")).status_code == 200) is not may
    key = WebAuthn.add(user, "chiave", {}).instance
    client.force_login(user)
    prove(client)
    client.post(reverse("mfa_remove_webauthn", args=[key.pk]))
    assert not Authenticator.objects.filter(pk=key.pk).exists()
    other = WebAuthn.add(member, "chiave", {}).instance
    assert client.post(reverse("mfa_remove_webauthn", args=[other.pk])).status_code in (302, 404)
    assert Authenticator.objects.filter(pk=other.pk).exists()


@pytest.mark.django_db
def test_the_office_proves_who_it_is_before_what_is_delicate(client: Client) -> None:
    """Asked where it starts and where it ends; five minutes are enough for more than one."""
    member = MemberFactory()
    client.force_login(staff(member.ordine))
    code_page = reverse("admin:members_member_code", args=[member.pk])
    plain_page = reverse("admin:members_member_invite", args=[member.pk])
    assert client.get(code_page).status_code == 200  # just come in
    forget_proof(client)
    pages = {
        **{name: reverse(f"admin:members_member_{name}", args=[member.pk]) for name in ("code", "tax_code", "merge")},
        **{name: reverse(f"admin:members_member_{name}", args=[member.pk]) for name in ("transfer", "leave")},
        "export": reverse("admin:members_member_export", args=["csv"]),
    }
    for name, page in pages.items():
        asked = client.get(page)
        assert asked.status_code == 302 and asked["Location"].startswith(reverse("account_reauthenticate")), name
    assert client.get(plain_page).status_code == 200
    # What was opened in time may be sent a little later; what was not, leads to the proof, and back to its page.
    client.post(code_page)
    assert LogEntry.objects.filter(action="access.code_printed").count() == 1
    session = client.session
    session["proved_pages"] = {path: at - proof._FORM_SECONDS for path, at in session["proved_pages"].items()}
    session.save()
    sent = client.post(code_page)
    assert sent.status_code == 302 and LogEntry.objects.filter(action="access.code_printed").count() == 1
    assert client.post(pages["tax_code"]).status_code == 302
    assert client.post(sent["Location"], {"password": PASSWORD, "next": code_page})["Location"] == code_page
    assert [client.get(page).status_code for page in pages.values()] == [200] * len(pages)
    # Without the permission nobody is asked to prove anything.
    stranger = Client()
    stranger.force_login(staff(OrdineFactory()))
    forget_proof(stranger)
    assert stranger.get(code_page).status_code == 404
    assert proof.DELICATE
