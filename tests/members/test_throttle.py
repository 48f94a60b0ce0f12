"""Limits that whoever is limited cannot begin anew, that lock nobody out for good, and tell nobody who exists."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.db.models import F
from django.test import Client, RequestFactory, override_settings
from django.urls import reverse
from django.utils import timezone
from django_scopes import scopes_disabled

from audit.models import LogEntry
from members import throttle
from members.entry_models import Tally
from members.links import digest
from members.models import AccessLink, Member, StaffRole
from members.password_hashing import Argon2PasswordHasher
from tests.factories import PASSWORD, MemberFactory, OrdineFactory, UserFactory, staff, tax_code

FREE = throttle.LOGIN.per_person.times
TOO_MANY = "Troppi tentativi"


def enter(who: str, password: str = "sbagliata", client: Client | None = None, **headers: str) -> Any:
    return (client or Client()).post(reverse("account_login"), {"login": who, "password": password}, headers=headers)


def is_in(answer: Any) -> bool:
    return bool(answer.status_code == 302)


def later(seconds: float) -> None:
    """As if so much time had gone by."""
    gone = timedelta(seconds=seconds)
    Tally.objects.update(blocked_until=F("blocked_until") - gone, forget_at=F("forget_at") - gone)


@pytest.mark.django_db
def test_nobody_is_told_who_exists(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same sentences, statuses and hashes, from the first try to the pause, whoever exists."""
    hashes: list[str] = []
    member, inactive = MemberFactory(), MemberFactory(user=UserFactory(is_active=False))
    passwordless = MemberFactory()
    passwordless.user.set_unusable_password()
    passwordless.user.save()
    accounts = [member.tax_code, inactive.tax_code, passwordless.tax_code]
    nobodies = [tax_code(998), MemberFactory(user=None).tax_code, "nessuno", "nessuno@example.com"]
    for work in ("encode", "verify"):
        plain = getattr(Argon2PasswordHasher, work)
        monkeypatch.setattr(Argon2PasswordHasher, work, lambda *a, did=plain, **k: hashes.append("") or did(*a, **k))
    told = {}
    with override_settings(PASSWORD_HASHERS=["members.password_hashing.Argon2PasswordHasher"]):
        member.user.set_password(PASSWORD)
        member.user.save()
        inactive.user.set_password(PASSWORD)
        inactive.user.save()
        for number, who in enumerate([*accounts, *nobodies]):
            story = []
            for _time in range(FREE + 2):
                hashes.clear()
                answer = enter(who, client=Client(REMOTE_ADDR=f"192.0.2.{number + 1}"))
                form = answer.context["form"]
                story.append((answer.status_code, tuple(map(tuple, form.errors.values())), len(hashes)))
            told[who] = story
    assert len({str(story) for story in told.values()}) == 1, told
    story = told[member.tax_code]
    assert [TOO_MANY in str(errors) for _status, errors, _hashes in story] == [False] * FREE + [True] * 2
    assert [made for _status, _errors, made in story] == [1] * FREE + [0] * 2


@pytest.mark.django_db
def test_pauses_grow_and_end() -> None:
    member = MemberFactory()
    for _time in range(FREE):
        enter(member.tax_code)
    assert not is_in(enter(member.tax_code, PASSWORD))
    pauses = []
    for _time in range(6):
        account = Tally.objects.get(kind="account")
        assert account.blocked_until
        pauses.append(round((account.blocked_until - timezone.now()).total_seconds(), -1))
        later(pauses[-1] + 5)
        assert TOO_MANY not in enter(member.tax_code).content.decode()
        assert TOO_MANY in enter(member.tax_code, PASSWORD).content.decode()
    assert pauses == [60, 120, 240, 480, 900, 900]
    later(905)
    assert is_in(enter(member.tax_code, PASSWORD))
    assert not Tally.objects.filter(user=member.user, count__gt=0).exists()
    for _time in range(FREE - 1):
        enter(member.tax_code)
    later(86_401)
    for _time in range(FREE - 1):
        assert TOO_MANY not in enter(member.tax_code).content.decode()


@pytest.mark.django_db
def test_nothing_of_the_attackers_begins_anew() -> None:
    """Neither an account of one's own in between, nor other cookies, other spellings and names, invented proxies, or
    an empty cache.
    """
    member, own = MemberFactory(personal_email="vittima@example.com"), MemberFactory()
    names = [member.tax_code, member.tax_code.lower(), f" {member.tax_code[:6]} {member.tax_code[6:]}"]
    for number in range(FREE):
        enter(names[number % 3], headers={"X-Forwarded-For": f"203.0.113.{number}"})
        assert is_in(enter(own.tax_code, PASSWORD))
        cache.clear()
    assert TOO_MANY in enter(names[0], PASSWORD).content.decode()
    # By another of its names the right password is taken for a wrong one, in the words of a wrong one.
    by_email = enter("vittima@example.com", PASSWORD).content.decode()
    assert "non sono corretti" in by_email and TOO_MANY not in by_email


@pytest.mark.django_db
def test_a_caller_is_limited_whoever_it_tries_and_whatever_it_says_of_proxies(settings: Any) -> None:
    own = MemberFactory()
    client = Client(REMOTE_ADDR="198.51.100.7")
    for number in range(throttle.LOGIN.per_caller.times):
        if number % 10 == 0:
            assert is_in(enter(own.tax_code, PASSWORD, Client(REMOTE_ADDR="198.51.100.7")))
        enter(f"nome-{number}", client=client, **{"X-Forwarded-For": f"203.0.113.{number}"})
    assert TOO_MANY in enter("altro", client=client).content.decode()
    assert TOO_MANY in enter("altro", client=client, **{"X-Forwarded-For": "203.0.113.9"}).content.decode()
    assert TOO_MANY not in enter("altro", client=Client(REMOTE_ADDR="198.51.100.8")).content.decode()
    # Behind one proxy only what that proxy has added counts, however much came before it.
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    factory = RequestFactory()
    callers = {
        throttle._caller(factory.get("/", headers={"X-Forwarded-For": f"{invented}203.0.113.5"}))
        for invented in ("", "1.2.3.4, ", "1.2.3.4, 5.6.7.8, ", "10.0.0.1,")
    }
    assert callers == {"203.0.113.5"}
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 0
    neighbours = {throttle._caller(factory.get("/", REMOTE_ADDR=f"2001:db8::{n}")) for n in range(1, 9)}
    assert neighbours == {"2001:db8::/64"}


@pytest.mark.django_db
def test_a_known_device_waits_for_no_stranger() -> None:
    member, known = MemberFactory(), Client()
    assert is_in(enter(member.tax_code, PASSWORD, known))
    known.post(reverse("account_logout"))
    for _time in range(FREE + 3):
        enter(member.tax_code)
    assert TOO_MANY in enter(member.tax_code, PASSWORD).content.decode()
    for _time in range(FREE):  # it has as many of its own, and no more
        assert TOO_MANY not in enter(member.tax_code, client=known).content.decode()
    assert TOO_MANY in enter(member.tax_code, PASSWORD, known).content.decode()
    later(61)
    assert is_in(enter(member.tax_code, PASSWORD, known))
    assert Tally.objects.get(kind="account").count > 0  # the strangers' guesses still stand


@pytest.mark.django_db
def test_a_link_by_mail_ends_the_pause(client: Client) -> None:
    member = MemberFactory()
    for _time in range(FREE + 1):
        enter(member.tax_code)
    second_factor = Tally.objects.create(
        rule="second-factor", kind="account", who="x", user=member.user, count=5, forget_at=timezone.now()
    )
    AccessLink.objects.create(
        user=member.user, purpose="PASSWORD", digest=digest("s"), expires_at=timezone.now() + timedelta(hours=1)
    )
    client.get(reverse("members:password_link", args=["s"]))
    new = "Una-nuova-frase-9"
    assert is_in(client.post(reverse("members:new_password"), {"password": new, "again": new}))
    assert is_in(enter(member.tax_code, new))
    assert Tally.objects.contains(second_factor), "whoever reads the mail begins nothing anew there"


@pytest.mark.django_db
def test_the_office_sees_and_lifts_the_locks_of_its_own() -> None:
    member, elsewhere = MemberFactory(), OrdineFactory()
    here, colleague = member.ordine, staff(elsewhere)
    for _time in range(FREE):
        enter(member.tax_code)
        enter(colleague.username)
        enter("nessuno")
    member.user.first_name, member.user.last_name = "Mario", "Bloccato"
    member.user.save()
    offices = {ordine.pk: Client() for ordine in (here, elsewhere)}
    for ordine in (here, elsewhere):
        offices[ordine.pk].force_login(staff(ordine, StaffRole.Role.OPERATORE))
    page = reverse("admin:members_tally_changelist")
    shown = {pk: office.get(page).content.decode() for pk, office in offices.items()}
    assert "Mario Bloccato" in shown[here.pk] and colleague.username not in shown[here.pk]
    assert colleague.username in shown[elsewhere.pk] and "Mario Bloccato" not in shown[elsewhere.pk]
    lock = Tally.objects.filter(user=member.user, rule="login").latest("pk")
    lift = reverse("admin:members_tally_lift", args=[lock.pk])
    assert offices[elsewhere.pk].post(lift).status_code == 404
    assert offices[here.pk].get(lift).status_code == 200
    assert TOO_MANY in enter(member.tax_code, PASSWORD).content.decode()
    assert [offices[here.pk].post(lift).status_code for _double_click in range(2)] == [302, 404]
    assert is_in(enter(member.tax_code, PASSWORD))
    entry = LogEntry.objects.get(action="access.lock_lifted")
    assert (entry.person, entry.ordine) == (member.pk, here.code) and "Mario Bloccato" in str(entry)


@pytest.mark.django_db
def test_every_form_that_asks_who_one_is_has_a_limit(client: Client) -> None:
    member = MemberFactory()
    client.force_login(member.user)
    forms = {
        "account_reauthenticate": {"password": "sbagliata"},
        "account_change_password": {"oldpassword": "sbagliata", "password1": "Nuova-frase-12", "password2": "x"},
    }
    for name, data in forms.items():
        Tally.objects.all().delete()
        times = throttle.PROOF.per_person.times
        pages = [client.post(reverse(name), data).content.decode() for _time in range(times + 1)]
        assert [TOO_MANY in page for page in pages] == [False] * times + [True], name
    visitor = Client()
    links = [
        visitor.get(reverse(name, args=["inventato"])).status_code
        for name in ["members:invitation", "members:confirm_email"] * 15
    ]
    assert links == [410] * 30
    assert visitor.get(reverse("members:password_link", args=["inventato"])).status_code == 429


@pytest.mark.django_db(transaction=True)
def test_of_many_guesses_at_the_same_time_no_more_than_the_limit_count() -> None:
    with scopes_disabled():
        member: Member = MemberFactory()
    together, answers = threading.Barrier(20), []

    def guess() -> None:
        client = Client()
        together.wait()
        answers.append(TOO_MANY in enter(member.tax_code, client=client).content.decode())
        connection.close()

    threads = [threading.Thread(target=guess) for _each in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [False] * FREE + [True] * (20 - FREE)


@pytest.mark.django_db
def test_the_office_does_not_try_codici_fiscali_one_by_one(client: Client) -> None:
    """By searching or by adding, which tells who is another Ordine's: both are counted together, for who does it."""
    ours, theirs = MemberFactory(), MemberFactory()
    user = staff(ours.ordine)
    client.force_login(user)
    times = throttle.OFFICE_SEARCH.per_person.times
    Tally.objects.create(
        rule="office-search",
        kind="name",
        who=throttle._digest(str(user.pk)),
        count=times - 2,
        forget_at=timezone.now() + timedelta(hours=1),
    )
    members, add = reverse("admin:members_member_changelist"), reverse("admin:members_member_add")
    assert client.get(members, {"q": ours.tax_code}).status_code == 200
    assert client.post(add, {"tax_code": theirs.tax_code}).status_code == 200
    assert client.get(members, {"q": ours.tax_code}).status_code == 429
    assert client.post(add, {"tax_code": theirs.tax_code}).status_code == 429
    assert client.get(members, {"q": "rossi"}).status_code == 200
    colleague = Client()
    colleague.force_login(staff(ours.ordine))
    assert colleague.get(members, {"q": ours.tax_code}).status_code == 200
