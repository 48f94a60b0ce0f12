"""Which mails a member may do without, said in the portal or by the link in a reminder."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse
from django_scopes import scopes_disabled

from audit.models import LogEntry
from members import preferences
from members.models import Member
from tests.factories import MemberFactory

pytestmark = pytest.mark.django_db
CHOICES = "/utente/scheda-anagrafica/avvisi/"


@pytest.fixture
def member() -> Member:
    return MemberFactory()


def wants(member: Member) -> bool:
    with scopes_disabled():
        return bool(Member.objects.get(pk=member.pk).wants_reminders)


def logged() -> list[str]:
    entries = LogEntry.objects.filter(action__startswith="member.reminders").order_by("id")
    return list(entries.values_list("action", flat=True))


def test_a_member_switches_reminders_off_and_on(client: Client, member: Member) -> None:
    assert member.user
    client.force_login(member.user)
    assert CHOICES in client.get("/utente/scheda-anagrafica/").content.decode()
    assert "checked" in client.get(CHOICES).content.decode()
    for _click in range(2):
        assert client.post(CHOICES).url == CHOICES
    assert not wants(member) and "checked" not in client.get(CHOICES).content.decode()
    client.post(CHOICES, {"reminders": "on"})
    assert wants(member) and logged() == ["member.reminders_off", "member.reminders_on"]


def test_one_click_needs_neither_cookies_nor_a_session(member: Member) -> None:
    """As a mail program does it; the eyes of a scanner that opens every link change nothing."""
    stranger, link = Client(enforce_csrf_checks=True), preferences.unsubscribe_link(member)
    path = "/" + link.split("/", 3)[3]
    for _scan in range(2):
        assert "Disattiva i promemoria" in stranger.get(path).content.decode()
    assert wants(member)
    for _click in range(2):
        answer = stranger.post(path, {"List-Unsubscribe": "One-Click"})
        assert answer.status_code == 200 and "disattivati" in answer.content.decode()
    assert not wants(member) and logged() == ["member.reminders_off"]
    assert "Disattiva i promemoria" not in stranger.get(path).content.decode()


def test_a_link_is_nobody_elses(member: Member) -> None:
    other, client = MemberFactory(), Client()
    token = preferences._signer.sign(str(member.pk))
    forged = [token.replace(str(member.pk), str(other.pk), 1), token[:-1], "1", "None:x", preferences._signer.sign("x")]
    for wrong in forged:
        answer = client.post(reverse("members:unsubscribe", args=[wrong]))
        assert answer.status_code == 410 and "non è valido" in answer.content.decode()
    assert wants(member) and wants(other)
    # Whoever is signed in and follows somebody else's link ends what the link says, and nothing of their own.
    assert other.user
    client.force_login(other.user)
    assert client.post(reverse("members:unsubscribe", args=[token])).status_code == 200
    assert not wants(member) and wants(other)
