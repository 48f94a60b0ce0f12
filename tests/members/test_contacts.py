"""What members change of their own record: it counts once confirmed, cannot be done in their name, and stays."""

from __future__ import annotations

import re
import time
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_scopes import scopes_disabled
from post_office.models import Email

from albo_pec.log_masks import masked
from audit.actors import Actor
from audit.models import LogEntry
from members import access, contacts, tasks
from members.links import LinkState
from members.models import EmailChange, Member
from tests.factories import PASSWORD, MemberFactory, staff
from tests.pec_requests.test_addresses import in_threads

pytestmark = pytest.mark.django_db
ME = Actor(name="iscritto")
NEW = "nuova@example.com"
RECORD, CHANGE, MOBILE = (reverse(f"members:{name}") for name in ("record", "change_email", "change_mobile"))


@pytest.fixture
def member() -> Member:
    return MemberFactory(personal_email="vecchia@example.com")


@pytest.fixture
def me(member: Member, client: Client) -> Client:
    assert member.user
    client.force_login(member.user)
    return client


def again(member: Member) -> Member:
    with scopes_disabled():
        return Member.objects.select_related("user", "ordine").get(pk=member.pk)


def ask(member: Member, email: str = NEW) -> str:
    contacts.ask_email(member.pk, email, ME)
    found = re.search(r"/conferma/([\w-]+)/", Email.objects.filter(to=email).latest("id").message)
    assert found
    return found[1]


def text(answer: Any) -> str:
    return str(answer.content.decode()).replace("&#x27;", "'")


def test_asked_confirmed_and_both_told(me: Client, member: Member) -> None:
    data = {"email": NEW, "password": PASSWORD}
    assert f"Aspettiamo la conferma di {NEW}" in text(me.post(CHANGE, data, follow=True))
    assert again(member).personal_email == "vecchia@example.com"
    told = Email.objects.get(to="vecchia@example.com")
    assert "n•••@example.com" in told.message and NEW not in told.message and told.html_message
    link = re.search(r"\S+/conferma/\S+/", Email.objects.get(to=NEW).message)
    assert link
    assert masked(link[0]).endswith("/•••/")
    stranger = Client()  # the mail may be opened anywhere
    assert "diventi l'e-mail personale di" in text(stranger.get(link[0]))
    assert again(member).personal_email == "vecchia@example.com", "a scanner that opens links changes nothing"
    assert "Indirizzo confermato" in text(stranger.post(link[0]))
    now = again(member)
    assert (now.personal_email, now.email_problem) == (NEW, "") and now.email_confirmed_at
    assert Email.objects.filter(to="vecchia@example.com", subject="La tua e-mail personale è cambiata").count() == 1
    answer = stranger.post(link[0])
    assert answer.status_code == 410 and "È già stato usato" in text(answer)
    actions = list(LogEntry.objects.filter(person=member.pk).order_by("id").values_list("action", flat=True))
    assert [a for a in actions if a != "access.proved"] == ["member.email_asked", "member.email_confirmed"]
    assert NEW not in str(list(LogEntry.objects.values_list("detail", flat=True)))


@pytest.mark.parametrize(
    ("email", "words"),
    [
        ("mario@pec.example.it", "È una PEC"),
        ("non un indirizzo", "Non è un indirizzo"),
        ("a@b.it\r\nBcc: c@d.it", "Non è un indirizzo"),
        ("VECCHIA@example.com", "È già la tua"),
        ("", "obbligatorio"),
        (f"{'a' * 300}@example.com", "254"),
    ],
)
def test_addresses_that_will_not_do(me: Client, email: str, words: str) -> None:
    assert words in text(me.post(CHANGE, {"email": email, "password": PASSWORD}))
    assert not Email.objects.exists()


def test_the_password_is_asked_again_and_strangers_are_not_written_to_all_day(me: Client) -> None:
    assert "La password non è corretta" in text(me.post(CHANGE, {"email": NEW, "password": "sbagliata"}))
    codes = [me.post(CHANGE, {"email": f"a{n}@example.com", "password": PASSWORD}).status_code for n in range(7)]
    assert codes == [302] * 5 + [429] * 2
    assert EmailChange.objects.model._base_manager.filter(dropped_at=None).count() == 1


def test_who_has_no_password_proves_it_otherwise_once_for_each_change(me: Client, member: Member) -> None:
    assert member.user
    member.user.set_unusable_password()
    member.user.save()
    me.force_login(member.user)
    assert me.get(CHANGE).status_code == 302
    session = me.session
    session["proved_at"] = time.time()
    session.save()
    assert 'name="password"' not in text(me.get(CHANGE))
    assert "Aspettiamo la conferma" in text(me.post(CHANGE, {"email": NEW}, follow=True))
    assert me.post(CHANGE, {"email": "altra@example.com"}).status_code == 302
    assert not Email.objects.filter(to="altra@example.com").exists()


def test_links_say_why_they_are_dead(me: Client, member: Member) -> None:
    assert contacts.inspect("inventato").state is LinkState.UNKNOWN
    first, second = ask(member), ask(member, "altra@example.com")
    assert contacts.confirm(first, ME).state is LinkState.REPLACED
    with time_machine.travel(timezone.now() + timedelta(hours=25)):
        assert contacts.confirm(second, ME).state is LinkState.EXPIRED
    assert "ritirato" in text(me.post(reverse("members:drop_email"), follow=True))
    assert contacts.confirm(second, ME).state is LinkState.REPLACED
    assert again(member).personal_email == "vecchia@example.com"
    with time_machine.travel(timezone.now() + timedelta(days=32)):
        tasks.forget_old_links()
    assert contacts.inspect(second).state is LinkState.UNKNOWN


def test_a_new_password_ends_a_wish_made_in_ones_name(member: Member) -> None:
    secret = ask(member)
    assert member.user
    member.user.set_password("Un-altra-password-9")
    member.user.save()
    assert contacts.confirm(secret, ME).state is LinkState.REPLACED


def test_the_offices_word_is_newer(member: Member) -> None:
    """A wish does not replace what the office has written since, and an import may change that again."""
    secret = ask(member)
    contacts.set_mobile(member.pk, "3390000000", ME)
    office = Client()
    office.force_login(staff(member.ordine))
    path = reverse("admin:members_member_change", args=[member.pk])
    form = office.get(path).context["adminform"].form
    data = {name: form.initial.get(name) or "" for name in form.fields} | {"birth_date": "01/01/1980"}
    data |= {"personal_email": "ufficio@example.com", "mobile": "3471111111"}
    data |= {f"enrolments-{name}": value for name, value in (("TOTAL_FORMS", 0), ("INITIAL_FORMS", 0))}
    assert office.post(path, data).status_code == 302
    now = again(member)
    assert (now.personal_email, now.mobile, now.mobile_set_at) == ("ufficio@example.com", "3471111111", None)
    assert contacts.confirm(secret, ME).state is LinkState.REPLACED


def test_links_to_the_old_address_die_with_it(member: Member) -> None:
    access.send_password_link(member.tax_code, ME)
    found = re.search(r"/nuova-password/([\w-]+)/", Email.objects.get().message)
    assert found
    contacts.confirm(ask(member), ME)
    assert access.inspect(found[1]).state is LinkState.REPLACED


@pytest.mark.django_db(transaction=True)
def test_two_clicks_at_once_confirm_once(member: Member) -> None:
    secret = ask(member)
    assert in_threads(*(lambda: contacts.confirm(secret, ME) for _click in range(2))) == []
    assert LogEntry.objects.filter(action="member.email_confirmed").count() == 1


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("333 123.45-67", "3331234567"),
        ("+39 333 1234567", "+393331234567"),
        ("", ""),
        ("casa", None),
        ("٣٣٣١٢٣٤٥٦٧", None),
    ],
)
def test_the_mobile(me: Client, member: Member, typed: str, kept: str | None) -> None:
    answer = me.post(MOBILE, {"mobile": typed}, follow=True)
    assert ("Il cellulare è stato salvato" if kept is not None else "Non è un numero") in text(answer)
    assert again(member).mobile == (member.mobile if kept is None else kept)
    assert bool(again(member).mobile_set_at) == (kept is not None)
    me.post(MOBILE, {"mobile": typed})  # a second click says it again, and nothing more is written
    assert LogEntry.objects.filter(action="member.mobile_set").count() == (kept is not None)
