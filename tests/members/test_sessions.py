"""Sessions: whose they are, how they begin, and how they end."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from post_office.models import Email

from audit.models import LogEntry
from members import access, devices, sessions, tasks
from members.entry_models import KnownDevice, Session, Tally
from members.models import Member, User
from members.session_store import SessionStore
from tests.factories import PASSWORD, MemberFactory, OrdineFactory, UserFactory, staff

pytestmark = pytest.mark.django_db
WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 Version/18.5 Mobile Safari/604.1"


def come_in(member: Member, agent: str = WINDOWS, client: Client | None = None, password: str = PASSWORD) -> Client:
    client = client or Client(headers={"user-agent": agent})
    client.post(reverse("account_login"), {"login": member.tax_code, "password": password})
    return client


def is_in(client: Client) -> bool:
    return client.get(reverse("mfa_index")).status_code == 200


def left_alone(user: User, how_long: timedelta) -> None:
    Session.objects.filter(user=user).update(seen_at=timezone.now() - how_long)


def test_all_sessions_of_a_user_end_at_once() -> None:
    user, other = UserFactory(), UserFactory()
    clients = [Client(), Client(), Client()]
    for client, who in zip(clients, (user, user, other), strict=True):
        client.force_login(who)
    assert sessions.end_all(user) == 2
    assert [is_in(client) for client in clients] == [False, False, True]
    assert {session.user for session in Session.objects.exclude(user=None)} == {other}


def test_one_sees_ones_own_and_ends_one_or_all_others() -> None:
    member = MemberFactory()
    here, phone, third = come_in(member), come_in(member, PHONE), come_in(member, "unheard of")
    stranger = come_in(MemberFactory())
    page = here.get(reverse("sessions")).content.decode()
    words = ("Firefox su Windows", "Safari su iPhone", "Dispositivo sconosciuto", "Questo dispositivo", "127.0.0.1")
    assert all(said in page for said in words) and page.count("<h2>") == 3
    assert not any(key in page for key in Session.objects.values_list("session_key", flat=True))
    handles = re.findall(r'name="session" value="([0-9a-f]{32})"', page)

    # Somebody else's handle, a made-up one, nothing at all: nothing ends.
    for nothing in (handles[0], "0" * 32, "", "x\x00"):
        stranger.post(reverse("sessions"), {"session": nothing})
    assert is_in(phone) and is_in(third)
    here.post(reverse("sessions"), {"session": handles[0]})
    here.post(reverse("sessions"), {"session": handles[0]})  # a double click
    assert sorted([is_in(phone), is_in(third)]) == [False, True]
    here.post(reverse("sessions"), {"session": "others"})
    assert [is_in(client) for client in (here, phone, third, stranger)] == [True, False, False, True]
    assert LogEntry.objects.filter(action="access.sessions_ended", person=member.pk).count() == 2


def test_a_session_that_was_ended_stays_ended_under_a_request_that_had_begun() -> None:
    """The request has read its session; then it is ended elsewhere; what the request writes brings nothing back."""
    client = come_in(MemberFactory())
    store = SessionStore(client.cookies[settings.SESSION_COOKIE_NAME].value)
    user = User.objects.get(pk=store[SESSION_KEY])
    sessions.end_all(user)
    store["more"] = 1
    from django.contrib.sessions.backends.base import UpdateError

    with pytest.raises(UpdateError):
        store.save()
    assert not Session.objects.filter(user=user).exists() and not is_in(client)


def test_the_key_is_another_after_coming_in(client: Client) -> None:
    """Whoever has put a cookie into somebody's browser has nothing of it."""
    client.get(reverse("account_login"))
    session = client.session
    session["planted"] = 1
    session.save()
    client.cookies[settings.SESSION_COOKIE_NAME] = planted = str(session.session_key)
    come_in(MemberFactory(), client=client)
    assert is_in(client) and client.cookies[settings.SESSION_COOKIE_NAME].value != planted
    assert not Session.objects.filter(pk=planted).exists()
    other = Client()
    other.cookies[settings.SESSION_COOKIE_NAME] = planted
    assert not is_in(other)


@pytest.mark.parametrize(
    ("who", "minutes"),
    [
        (lambda: MemberFactory().user, settings.IDLE_MINUTES),
        (lambda: staff(OrdineFactory()), settings.STAFF_IDLE_MINUTES),
        (lambda: UserFactory(is_superuser=True), settings.STAFF_IDLE_MINUTES),
    ],
)
def test_whoever_does_nothing_is_out(client: Client, who: Callable[[], User], minutes: int) -> None:
    user = who()
    client.force_login(user)
    limit = timedelta(minutes=minutes)
    left_alone(user, limit - timedelta(seconds=5))
    assert is_in(client)
    assert Session.objects.get(user=user).seen_at > timezone.now() - timedelta(minutes=1)
    left_alone(user, limit)
    out = client.get(reverse("mfa_index"), follow=True)
    assert out.redirect_chain[-1][0].startswith(reverse("account_login"))
    assert f"non lo usavi da {minutes} minuti" in out.content.decode()
    assert not Session.objects.filter(user=user).exists()
    assert LogEntry.objects.filter(action="access.idle", actor_id=user.pk).exists()


def test_a_page_that_looks_by_itself_keeps_nobody_in(client: Client) -> None:
    user = MemberFactory().user
    client.force_login(user)
    left_alone(user, timedelta(minutes=settings.IDLE_MINUTES - 1))
    assert client.get(reverse("pec_requests:list"), headers={"HX-Request": "true"}).status_code == 200
    assert Session.objects.get(user=user).seen_at < timezone.now() - timedelta(minutes=2)


def test_when_one_was_seen_is_written_once_a_minute(client: Client, django_assert_num_queries: Any) -> None:
    user = MemberFactory().user
    client.force_login(user)
    with django_assert_num_queries(2):  # the session; the user
        client.get(reverse("help"))
    left_alone(user, timedelta(seconds=61))
    with django_assert_num_queries(3):
        client.get(reverse("help"))
    with django_assert_num_queries(2):
        client.get(reverse("help"))


def test_a_session_has_an_end_that_no_business_moves(client: Client) -> None:
    member = MemberFactory()
    come_in(member, client=client)
    row = Session.objects.get(user=member.user)
    end = row.expire_date
    assert abs(end - timezone.now() - timedelta(seconds=settings.SESSION_COOKIE_AGE)) < timedelta(minutes=1)
    session = client.session
    session["busy"] = 1
    session.save()
    assert Session.objects.get(pk=row.pk).expire_date == end
    # Changing the password gives the session another key, and no longer life.
    answers = {"oldpassword": PASSWORD, "password1": "Una-nuova-frase-9", "password2": "Una-nuova-frase-9"}
    client.post(reverse("account_change_password"), answers)
    renewed = Session.objects.get(user=member.user)
    assert (renewed.pk != row.pk, renewed.expire_date) == (True, end)
    Session.objects.update(expire_date=timezone.now())
    assert not is_in(client)


def test_a_new_password_ends_the_others_and_who_is_half_in() -> None:
    member = MemberFactory()
    from allauth.mfa.totp.internal.auth import TOTP

    first, second = come_in(member), come_in(member, PHONE)
    TOTP.activate(member.user, "A" * 32)
    half_in = come_in(member)
    assert half_in.get(reverse("mfa_authenticate")).status_code == 200
    answers = {"oldpassword": PASSWORD, "password1": "Una-nuova-frase-9", "password2": "Una-nuova-frase-9"}
    first.post(reverse("account_change_password"), answers)
    assert (is_in(first), is_in(second)) == (True, False)
    assert half_in.get(reverse("mfa_authenticate")).status_code == 302
    access.void_password(member.user, access.Actor.process("prova"))
    assert not is_in(first) and not KnownDevice.objects.filter(user=member.user).exists()


def test_a_new_device_is_told_by_mail_and_a_known_one_is_not() -> None:
    member = MemberFactory()

    def told() -> list[str]:
        return list(Email.objects.filter(subject__contains="nuovo dispositivo").values_list("message", flat=True))

    laptop = come_in(member)
    assert told() == []  # the first time that anybody comes in
    laptop.post(reverse("account_logout"))
    come_in(member, client=laptop)
    assert told() == []
    come_in(member, PHONE)
    (letter,) = told()
    assert "Safari su iPhone" in letter and "127.0.0.1" in letter
    assert re.findall(r"https?://\S+", letter)[0].endswith(reverse("members:password_forgotten"))
    # Another person at the same laptop is new there, and a cookie that was tampered with is none.
    laptop.post(reverse("account_logout"))
    other = MemberFactory()
    come_in(other)
    come_in(other, client=laptop)
    assert len(told()) == 2
    forged = Client()
    forged.cookies[settings.DEVICE_COOKIE_NAME] = laptop.cookies[settings.DEVICE_COOKIE_NAME].value[:-1] + "x"
    come_in(member, client=forged)
    assert len(told()) == 3
    cookie = laptop.cookies[settings.DEVICE_COOKIE_NAME]
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax") and cookie["max-age"] >= 31_000_000


def test_what_ended_is_forgotten_at_night() -> None:
    member = MemberFactory()
    come_in(member)
    long_ago = timezone.now() - devices.KEPT - timedelta(days=1)
    Session.objects.update(expire_date=long_ago)
    KnownDevice.objects.update(used_at=long_ago)
    Tally.objects.update(forget_at=long_ago)
    tasks.forget_old_links()
    assert not any(model.objects.exists() for model in (Session, KnownDevice, Tally))


@pytest.mark.parametrize("key", ['"aaaaaaaa\\000bbbb"', "x" * 5000, "à" * 20, "' OR 1=1 --xxxx", "%s%s%s%s%s"])
def test_a_made_up_key_is_nobodys(client: Client, key: str) -> None:
    """Cookies may say any character by its number, NUL among them."""
    answer = client.get(reverse("members:record"), headers={"cookie": f"{settings.SESSION_COOKIE_NAME}={key}"})
    assert answer.status_code == 302 and answer.url.startswith(reverse("account_login"))  # type: ignore[attr-defined]  # a redirect
