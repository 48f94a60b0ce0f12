"""Links and codes that are good once: of two at once one wins, and what was used, replaced or made up opens nothing."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django_scopes import scopes_disabled
from post_office.models import Email

from audit.models import LogEntry
from members import access, contacts, preferences
from tests.factories import PASSWORD, MemberFactory, UserFactory
from tests.pec_requests.conftest import STAFF

NEW = "Un-altra-password-9"
# What each door asks for, and what is typed besides.
DOORS = {
    "account_login": ("login", {"password": "Sbagliata-di-sicuro-1"}),
    "members:password_forgotten": ("identifier", {}),
    "members:first_access": ("tax_code", {"code": "0000-0000-0000"}),
}


def secret_in(part: str) -> str:
    found = [re.search(rf"/{part}/([\w.:=-]+)/", mail.message) for mail in Email.objects.order_by("-id")]
    return next(match[1] for match in found if match)


def at_once(act: Callable[[Client], Any], clients: list[Client]) -> list[int]:
    """What each is answered who presses the same button in the same moment."""
    gate, answers = threading.Barrier(len(clients)), []

    def press(client: Client) -> None:
        try:
            gate.wait()
            answers.append(act(client).status_code)
        finally:
            connection.close()

    threads = [threading.Thread(target=press, args=[client]) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(answers)


@pytest.mark.django_db(transaction=True)
def test_of_two_at_once_exactly_one_wins() -> None:
    """Through the doors themselves; the services' own locks have tests of their own."""
    with scopes_disabled():
        member = MemberFactory()
        access.invite(member, STAFF)
        token = secret_in("invito")
        code = access.print_code(member, STAFF)
        contacts.ask_email(MemberFactory().pk, "nuova@example.com", STAFF)
        confirmation = secret_in("conferma")

    def entered(how: str) -> Client:
        client = Client()
        if how == "invitation":
            client.get(reverse("members:invitation", args=[token]))
        else:
            client.post(reverse("members:first_access"), {"tax_code": member.tax_code, "code": code})
        return client

    def choose(client: Client) -> Any:
        return client.post(reverse("members:new_password"), {"password": NEW, "again": NEW})

    def confirm(client: Client) -> Any:
        return client.post(reverse("members:confirm_email", args=[confirmation]))

    assert at_once(confirm, [Client(), Client()]) == [200, 410]
    assert LogEntry.objects.filter(action="member.email_confirmed").count() == 1
    # Two ways into one account, and each twice: one password is set.
    assert at_once(choose, [entered("invitation"), entered("invitation"), entered("code")]) == [302, 410, 410]
    assert LogEntry.objects.filter(action="access.password_set").count() == 1
    for how in ("invitation", "code"):
        assert choose(entered(how)).status_code == 410


@pytest.mark.django_db
def test_what_was_used_or_made_up_opens_nothing(client: Client) -> None:
    """Secrets of one kind are none of another, and a changed or shortened one is nobody's."""
    with scopes_disabled():
        member = MemberFactory()
        access.invite(member, STAFF)
        invitation = secret_in("invito")
        contacts.ask_email(member.pk, "nuova@example.com", STAFF)
        confirmation = secret_in("conferma")
        token = preferences.unsubscribe_link(member).rstrip("/").rpartition("/")[2]
    doors = {
        "members:confirm_email": {confirmation},
        "members:invitation": {invitation},
        "members:password_link": {invitation},
        "pec_requests:confirm-recovery": set(),
        "pec_requests:stop-recovery": set(),
        "members:unsubscribe": {token},
    }
    for name, good in doors.items():
        page = client.get if name in ("members:invitation", "members:password_link") else client.post
        altered = {good_one[:-1] for good_one in good} | {good_one.swapcase() for good_one in good}
        for wrong in ({invitation, confirmation, token, f"{member.pk}.{'a' * 43}", "é"} | altered) - good:
            cache.clear()
            assert page(reverse(name, args=[wrong])).status_code in (404, 410), (name, wrong)


@pytest.mark.django_db
def test_every_door_says_the_same_whoever_exists() -> None:
    """Text and status: of somebody with an account, without one, with a closed one, and of nobody."""
    with scopes_disabled():
        known = MemberFactory()
        closed = MemberFactory(user=UserFactory(is_active=False))
        people = [known, MemberFactory(user=None), closed]
        access.print_code(known, STAFF)
        codes = [member.tax_code for member in people] + ["RSSMRA80A01H501U"]
    for name, (field, more) in DOORS.items():
        answers = set()
        for code in codes:
            cache.clear()
            answer = Client().post(reverse(name), {field: code, **more}, follow=True)
            text = re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", answer.content.decode()).replace(code, "")
            answers.add((answer.status_code, str(answer.redirect_chain), text))
        assert len(answers) == 1, name
    # Even the right password of a closed account is no password.
    right, wrong = (
        Client().post(reverse("account_login"), {"login": closed.tax_code, "password": word})
        for word in (PASSWORD, "No-1")
    )
    assert right.status_code == wrong.status_code == 200
    assert right.context["form"].non_field_errors() == wrong.context["form"].non_field_errors()


@pytest.mark.django_db
def test_every_door_asks_and_writes_the_same_whoever_exists() -> None:
    with scopes_disabled():
        known, without = MemberFactory(), MemberFactory(user=None)
        access.print_code(known, STAFF)
        codes = [known.tax_code, without.tax_code, "RSSMRA80A01H501U"]
    for name, (field, more) in DOORS.items():
        asked = []
        for code in codes:
            cache.clear()
            with CaptureQueriesContext(connection) as queries:
                Client().post(reverse(name), {field: code, **more})
            asked.append([re.sub(r"SAVEPOINT.*", "", query["sql"])[:60] for query in queries])
        assert asked[0] == asked[2] and asked[1] == asked[2], (name, asked)
