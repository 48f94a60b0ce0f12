"""Sessions: whose they are, and how they end."""

from __future__ import annotations

import pytest
from django.test import Client

from members import sessions
from members.entry_models import Session
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db


def test_all_sessions_of_a_user_end_at_once() -> None:
    user, other = UserFactory(), UserFactory()
    clients = [Client(), Client(), Client()]
    for client, who in zip(clients, (user, user, other), strict=True):
        client.force_login(who)
    assert sessions.end_all(user) == 2
    assert [client.get("/utente/sicurezza/").status_code for client in clients] == [302, 302, 200]
    assert {session.user for session in Session.objects.exclude(user=None)} == {other}
