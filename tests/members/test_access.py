"""Invitations, printed codes and forgotten passwords: each way in works once, for the right person, for its time."""

from __future__ import annotations

import contextlib
import re
import threading
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.db.models import QuerySet
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from post_office.models import Email

from audit.actors import Actor
from audit.models import LogEntry
from members import access, throttle
from members.links import LinkState, digest
from members.models import AccessLink, Member
from tests.factories import PASSWORD, MemberFactory, OrdineFactory, UserFactory, staff

OFFICE = Actor(name="segreteria")
NEW = "Una-nuova-password-2"
LINK = re.compile(r"https?://\S+/(?:invito|nuova-password)/([^/\s]+)/")


def token_of(mail: Email) -> str:
    found = LINK.search(mail.message)
    assert found, mail.message
    return found[1]


def last_mail() -> Email:
    return Email.objects.latest("id")


def invited(**kwargs: Any) -> tuple[Member, str]:
    member = MemberFactory(user=None, **kwargs)
    access.invite(member, OFFICE)
    return member, token_of(last_mail())


def link_id(token: str) -> int:
    link = access.inspect(token).link
    assert link
    return link.pk


# --- Giving -----------------------------------------------------------------------------------------------------------
@pytest.mark.django_db
def test_an_invitation_makes_the_account_and_leads_into_it() -> None:
    member, token = invited()
    member.refresh_from_db()
    assert member.user and member.user.username.startswith("m-") and not member.user.has_usable_password()
    assert last_mail().to == [member.personal_email]
    assert access.inspect(token).state is LinkState.VALID
    assert access.set_password(link_id(token), NEW, OFFICE) == member.user
    assert access.inspect(token).state is LinkState.USED


@pytest.mark.django_db
def test_the_secret_is_kept_nowhere_but_in_the_mail() -> None:
    _member, token = invited()
    link = AccessLink.objects.get()
    assert len(token) >= 43 and token not in str(vars(link)) and re.fullmatch("[0-9a-f]{64}", link.digest)
    assert token not in str(list(LogEntry.objects.values()))


@pytest.mark.django_db
def test_a_new_invitation_takes_the_place_of_the_last() -> None:
    member, first = invited()
    access.invite(member, OFFICE)
    assert access.inspect(first).state is LinkState.REPLACED
    assert access.inspect(token_of(last_mail())).state is LinkState.VALID


@pytest.mark.django_db
@pytest.mark.parametrize(("email", "word"), [("", "manca"), ("mario@", "non è un indirizzo"), ("m@pec.it", "PEC")])
def test_no_usable_email_is_refused_in_words(email: str, word: str) -> None:
    member = MemberFactory(user=None, personal_email=email)
    with pytest.raises(access.AccessRefused, match=word):
        access.invite(member, OFFICE)
    member.refresh_from_db()
    assert member.user is None and not Email.objects.exists()


@pytest.mark.django_db
def test_a_deactivated_account_is_not_invited() -> None:
    member = MemberFactory(user=UserFactory(is_active=False))
    with pytest.raises(access.AccessRefused, match="disattivato"):
        access.invite(member, OFFICE)


@pytest.mark.django_db
def test_an_invitation_expires(settings: Any) -> None:
    _member, token = invited()
    with time_machine.travel(timezone.now() + timedelta(days=settings.INVITATION_DAYS, seconds=1)):
        assert access.inspect(token).state is LinkState.EXPIRED
        with pytest.raises(access.DeadLink) as dead:
            access.set_password(link_id(token), NEW, OFFICE)
    assert dead.value.state is LinkState.EXPIRED


@pytest.mark.django_db
def test_a_printed_code_belongs_to_one_person() -> None:
    member, other = MemberFactory(personal_email=""), MemberFactory()
    code = access.print_code(member, OFFICE)
    assert re.fullmatch(r"[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){2}", code)
    assert access.inspect_code(member.tax_code, code).state is LinkState.VALID
    assert access.inspect_code(other.tax_code, code).state is LinkState.UNKNOWN
    assert access.inspect_code("RSSMRA80A01H501U", code).state is LinkState.UNKNOWN


@pytest.mark.django_db
def test_a_printed_code_cannot_be_worked_out_from_the_database(settings: Any) -> None:
    member = MemberFactory()
    code = access.print_code(member, OFFICE)
    link = AccessLink.objects.get()
    plain = code.replace("-", "")
    assert link.digest != digest(plain) and link.digest != digest(f"{member.user.pk}:{plain}")
    settings.SECRET_KEY = "x" * 64  # who has the database alone does not have this
    assert access.inspect_code(member.tax_code, code).state is LinkState.UNKNOWN


@pytest.mark.django_db
def test_a_printed_code_is_read_as_people_read() -> None:
    member = MemberFactory()
    code = access.print_code(member, OFFICE)
    for typed in (code.lower(), code.replace("-", " "), code.replace("0", "O").replace("1", "l")):
        assert access.inspect_code(member.tax_code, typed).state is LinkState.VALID


# --- Forgotten --------------------------------------------------------------------------------------------------------
@pytest.mark.django_db
@pytest.mark.parametrize("account", [True, False])
def test_a_forgotten_password_is_mailed_to_the_fascicolo(account: bool) -> None:
    member = MemberFactory() if account else MemberFactory(user=None)
    access.send_password_link(member.tax_code.lower(), OFFICE)
    assert last_mail().to == [member.personal_email]
    user = access.set_password(link_id(token_of(last_mail())), NEW, OFFICE)
    assert user.record == member and user.check_password(NEW)


@pytest.mark.django_db
def test_staff_get_it_at_the_address_of_their_account() -> None:
    user = staff(OrdineFactory())
    user.email = "giulia@ordine.example"
    user.save()
    access.send_password_link(user.username, OFFICE)
    assert last_mail().to == ["giulia@ordine.example"]


@pytest.mark.django_db
def test_nobody_and_who_cannot_be_reached_get_nothing() -> None:
    mute, gone = MemberFactory(personal_email=""), MemberFactory(user=UserFactory(is_active=False))
    for typed in ("RSSMRA80A01H501U", "nessuno@example.com", mute.tax_code, gone.tax_code, ""):
        access.send_password_link(typed, OFFICE)
    assert not Email.objects.exists() and not AccessLink.objects.exists()


@pytest.mark.django_db
def test_a_shared_email_is_told_to_use_the_codice_fiscale() -> None:
    for _person in range(2):
        MemberFactory(personal_email="casa@example.com")
    access.send_password_link("casa@example.com", OFFICE)
    assert "codice fiscale" in last_mail().message and not AccessLink.objects.exists()


# --- Using ------------------------------------------------------------------------------------------------------------
@pytest.mark.django_db
def test_a_used_link_ends_every_other_way_in() -> None:
    member, token = invited()
    code = access.print_code(member, OFFICE)
    access.set_password(link_id(token), NEW, OFFICE)
    assert access.inspect_code(member.tax_code, code).state is LinkState.REPLACED


@pytest.mark.django_db
def test_a_changed_password_is_told_to_its_owner_and_a_first_one_is_not() -> None:
    member, token = invited()
    access.set_password(link_id(token), NEW, OFFICE)
    assert Email.objects.count() == 1
    access.send_password_link(member.tax_code, OFFICE)
    access.set_password(link_id(token_of(last_mail())), PASSWORD, OFFICE)
    assert "è stata cambiata" in last_mail().message


@pytest.mark.django_db
def test_a_new_password_closes_the_other_sessions() -> None:
    member = MemberFactory()
    elsewhere = Client()
    elsewhere.force_login(member.user)
    assert elsewhere.get(reverse("members:record")).status_code == 200
    access.send_password_link(member.tax_code, OFFICE)
    access.set_password(link_id(token_of(last_mail())), NEW, OFFICE)
    assert elsewhere.get(reverse("members:record")).status_code == 302


@pytest.mark.django_db
def test_old_links_are_forgotten_and_live_ones_kept() -> None:
    _member, token = invited()
    with time_machine.travel(timezone.now() + timedelta(days=31)):
        invited()
        assert access.forget(timedelta(days=30)) == 0
    with time_machine.travel(timezone.now() + timedelta(days=61)):
        assert access.forget(timedelta(days=30)) == 1
    assert access.inspect(token).state is LinkState.UNKNOWN


def use_twice_at_once(monkeypatch: pytest.MonkeyPatch, link: int) -> list[str]:
    """Two threads at once, each held back between reading the link and using it until the other has read it, too."""
    meeting = threading.Barrier(2)
    inspect = access.inspect_link

    def read_and_wait(link_id: int | None) -> access.Inspection:
        found = inspect(link_id)
        with contextlib.suppress(threading.BrokenBarrierError):
            meeting.wait(timeout=0.5)
        return found

    monkeypatch.setattr(access, "inspect_link", read_and_wait)
    outcomes: list[str] = []

    def use(password: str) -> None:
        try:
            access.set_password(link, password, OFFICE)
            outcomes.append(password)
        except access.DeadLink as dead:
            outcomes.append(dead.state.value)
        finally:
            connection.close()

    threads = [threading.Thread(target=use, args=[f"Password-numero-{n}"]) for n in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(outcomes)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("locked", [False, True])
def test_a_link_used_twice_at_once_sets_one_password(locked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    member, token = invited()
    link = link_id(token)
    if not locked:  # the race is real: without the lock both get in
        monkeypatch.setattr(QuerySet, "select_for_update", lambda rows, **options: rows)
    outcomes = use_twice_at_once(monkeypatch, link)
    if locked:
        assert outcomes[1] == "used" and outcomes[0].startswith("Password")
        member.refresh_from_db()
        assert member.user and member.user.check_password(outcomes[0])
    else:
        assert outcomes == ["Password-numero-1", "Password-numero-2"]


# --- The doors --------------------------------------------------------------------------------------------------------
@pytest.mark.django_db
def test_from_the_invitation_to_the_record(client: Client) -> None:
    member, token = invited()
    opened = client.get(reverse("members:invitation", args=[token]))
    assert opened["Location"] == reverse("members:new_password")  # the secret leaves the address bar
    again = client.get(reverse("members:invitation", args=[token]))
    assert again.status_code == 302  # opening uses nothing up: mail scanners open links, too
    page = client.get(reverse("members:new_password"))
    assert member.tax_code in page.content.decode() and token not in page.content.decode()
    done = client.post(reverse("members:new_password"), {"password": NEW, "again": NEW})
    assert done["Location"] == reverse("members:record")
    assert client.get(reverse("members:record")).status_code == 200


@pytest.mark.django_db
def test_weak_and_different_passwords_are_sent_back(client: Client) -> None:
    _member, token = invited()
    client.get(reverse("members:invitation", args=[token]))
    weak = client.post(reverse("members:new_password"), {"password": "12345678", "again": "12345678"})
    other = client.post(reverse("members:new_password"), {"password": NEW, "again": NEW + "x"})
    assert weak.context["form"].errors["password"] and "non sono uguali" in str(other.context["form"].errors["again"])
    assert access.inspect(token).state is LinkState.VALID


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("state", "words"),
    [("used", "già stato usato"), ("replaced", "più recente"), ("expired", "scaduto"), ("unknown", "non è valido")],
)
def test_a_dead_link_says_why_and_offers_the_next_step(client: Client, state: str, words: str) -> None:
    ordine = OrdineFactory(phone="071 205327")
    _member, token = invited(ordine=ordine)
    change = {"used": {"used_at": timezone.now()}, "replaced": {"replaced_at": timezone.now()}}
    change["expired"] = {"expires_at": timezone.now()}
    if state == "unknown":
        token = "x" * 43
    else:
        AccessLink.objects.update(**change[state])
    answer = client.get(reverse("members:invitation", args=[token]))
    page = answer.content.decode()
    assert answer.status_code == 410 and words in page
    assert reverse("members:password_forgotten") in page and reverse("account_login") in page
    assert ("071 205327" in page) == (state != "unknown")


@pytest.mark.django_db
def test_the_printed_code_at_the_door(client: Client) -> None:
    member = MemberFactory(personal_email="", user=None)
    code = access.print_code(member, OFFICE)
    wrong = client.post(reverse("members:first_access"), {"tax_code": member.tax_code, "code": "0000-0000-0000"})
    assert "non corretti" in wrong.context["form"].non_field_errors()[0]
    right = client.post(reverse("members:first_access"), {"tax_code": member.tax_code.lower(), "code": code.lower()})
    assert right["Location"] == reverse("members:new_password")
    client.post(reverse("members:new_password"), {"password": NEW, "again": NEW})
    used = client.post(reverse("members:first_access"), {"tax_code": member.tax_code, "code": code})
    assert used.status_code == 410 and "già stato usato" in used.content.decode()


@pytest.mark.django_db
def test_printed_codes_cannot_be_guessed_at_leisure(client: Client) -> None:
    data = {"tax_code": "RSSMRA80A01H501U", "code": "0000-0000-0000"}
    answers = [client.post(reverse("members:first_access"), data).status_code for _attempt in range(22)]
    assert answers == [200] * throttle.PRINTED_CODE.per_person.times + [429] * 2


@pytest.mark.django_db
def test_asking_for_a_link_answers_the_same_whoever_exists(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[str, ...]] = []
    monkeypatch.setattr("members.wake.deliver", lambda *message: bool(told.append(message)) or True)
    people = [MemberFactory().tax_code, "RSSMRA80A01H501U", "nessuno@example.com"]
    answers = [client.post(reverse("members:password_forgotten"), {"identifier": who}) for who in people]
    assert {answer["Location"] for answer in answers} == {reverse("members:password_link_sent")}
    assert [message[1] for message in told] == people and not AccessLink.objects.exists()


@pytest.mark.django_db
def test_without_a_broker_the_link_is_sent_at_once(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("members.wake.deliver", lambda *message: False)
    member = MemberFactory()
    client.post(reverse("members:password_forgotten"), {"identifier": member.tax_code})
    assert last_mail().to == [member.personal_email]


@pytest.mark.django_db
def test_links_are_not_mailed_without_end(client: Client) -> None:
    asked = [client.post(reverse("members:password_forgotten"), {"identifier": "a@b.it"}) for _time in range(5)]
    assert [answer.status_code for answer in asked] == [302] * 3 + [429] * 2
    assert asked[-1]["Retry-After"] == "900" and "15 minuti" in asked[-1].content.decode()


@pytest.mark.django_db
def test_a_day_brings_so_many_links_whatever_the_cache_forgets() -> None:
    member = MemberFactory()
    for _time in range(12):
        access.send_password_link(member.tax_code, OFFICE)
    assert Email.objects.count() == 10
    with time_machine.travel(timezone.now() + timedelta(hours=25)):
        access.send_password_link(member.tax_code, OFFICE)
    assert Email.objects.count() == 11


@pytest.mark.django_db
def test_a_second_factor_stands_behind_a_link_too(client: Client) -> None:
    from allauth.mfa.totp.internal.auth import TOTP

    member, token = invited()
    member.refresh_from_db()
    assert member.user
    TOTP.activate(member.user, "A" * 32)
    client.get(reverse("members:invitation", args=[token]))
    done = client.post(reverse("members:new_password"), {"password": NEW, "again": NEW})
    assert done["Location"].startswith(reverse("mfa_authenticate"))
    assert "_auth_user_id" not in client.session


def test_a_short_password_is_refused_in_italian() -> None:
    from django.core.exceptions import ValidationError

    from members.password_validation import MinimumLengthValidator

    with pytest.raises(ValidationError, match="servono almeno 10 caratteri"):
        MinimumLengthValidator(10).validate("corta")
