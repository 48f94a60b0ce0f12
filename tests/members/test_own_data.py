"""All that the portal holds about a member, for the member and nobody else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.test import Client
from django.urls import reverse
from django.utils.functional import Promise
from django_scopes import scopes_disabled

from audit import log
from audit.actors import Actor
from audit.models import LogEntry
from members import access, contacts, mail, own_data
from members.models import Member, Term, User
from pec_requests import lifecycle
from tests.factories import PASSWORD, MemberFactory
from tests.pec_requests.conftest import STAFF
from tests.pec_requests.test_recovery import ask
from tests.pec_requests.test_views import activate

pytestmark = pytest.mark.django_db
URL = "/utente/scheda-anagrafica/i-miei-dati/"


@pytest.fixture
def member() -> Member:
    """With a mailbox, wishes, links, mails, and a name that is a formula and a tag."""
    with scopes_disabled():
        member: Member = MemberFactory(town="<script>alert('=1+1')</script>")
        other: Member = MemberFactory(ordine=member.ordine)
        domain = member.ordine.pec_domains.get(name="tsrm.org")
        for one in (member, other):
            pec = activate(lifecycle.request_pec([one.pk], domain, STAFF).created[0])
            ask(pec, f"recupero{one.pk}@example.com")
            contacts.ask_email(one.pk, f"altra{one.pk}@example.com", STAFF)
            access.invite(one, Actor(name="Anna Verdi", user_id=7, ip="192.0.2.1"))
    return member


def take(client: Client, form: str = "json", password: str = PASSWORD) -> Any:
    return client.post(URL, {"form": form, "password": password})


def test_everything_about_oneself_and_nothing_about_others(client: Client, member: Member) -> None:
    assert member.user
    client.force_login(member.user)
    assert URL in client.get(reverse("members:record")).content.decode()
    answer = take(client)
    assert "attachment" in answer["Content-Disposition"] and "no-store" in answer["Cache-Control"]
    text = answer.content.decode()
    tables = {name: table["rows"] for name, table in json.loads(text)["tables"].items()}
    assert tables["members.member"][0]["tax_code"] == member.tax_code
    assert {"members.enrolment", "members.emailchange", "members.accesslink", "members.user"} <= tables.keys()
    assert tables["pec_requests.pecrequest"][0]["address"]
    assert tables["pec_requests.recoveryemailchange"][0]["new_email"] == f"recupero{member.pk}@example.com"
    assert {"pec_requests.provideroperation", "pec_requests.reservedaddress"} <= tables.keys()
    assert any("portale" in mail["subject"].lower() for mail in tables["mails"])
    with scopes_disabled():
        stranger = Member.objects.exclude(pk=member.pk).get()
    for others in (stranger.tax_code, stranger.personal_email, f"altra{stranger.pk}@", "Anna Verdi", "192.0.2.1"):
        assert others not in text
    for secret in (member.user.password, *member.user.access_links.values_list("digest", flat=True)):
        assert secret not in text
    assert LogEntry.objects.get(action="member.data_taken").person == member.pk
    html = take(client, "html").content.decode()
    assert "<script>" not in html and "&lt;script&gt;" in html and f"recupero{member.pk}@example.com" in html


def test_who_one_is_comes_first_and_not_too_often(client: Client, member: Member) -> None:
    assert member.user
    assert client.get(URL).status_code == 302  # a visitor signs in
    client.force_login(member.user)
    assert "non è corretta" in take(client, password="sbagliata").content.decode()
    assert take(client, form="xml").status_code == 200 and not LogEntry.objects.filter(action="member.data_taken")
    for _again in range(5):
        assert "attachment" in take(client)["Content-Disposition"]
        assert b"password" in client.get(URL).content  # one proof is good for one file
    assert take(client).status_code == 429


def test_mails_to_an_address_of_two_are_nobodys(client: Client, member: Member) -> None:
    with scopes_disabled():
        MemberFactory(ordine=member.ordine, personal_email=member.personal_email.upper())
        mail.send("password_changed", to=member.personal_email, ordine=None, context={"name": "x", "at": None})
        found = {table.name: table for table in own_data.collect(member)}
    assert found["mails"].rows == []


def test_what_happened_to_a_record_that_was_merged_is_told_too(member: Member) -> None:
    log.record("member.updated", STAFF, Member(pk=123456), person=123456, fields="prima dell'unione")
    log.record("member.merged", STAFF, Member(pk=123456), person=member.pk)
    with scopes_disabled():
        rows = {table.name: table for table in own_data.collect(member)}["log"].rows
    assert any("prima dell'unione" in row["what"] for row in rows)


def test_every_table_about_people_is_looked_in() -> None:
    """A model that refers to a member or an account is in the file, or left out for a reason that is written there."""
    left_out = {LogEntry, Term, apps.get_model("admin", "LogEntry")}
    assert admin.site.is_registered(LogEntry)
    about = {
        model
        for model in apps.get_models()  # without those that Django makes for many to many
        for column in model._meta.concrete_fields
        if column.related_model in (Member, User)
    }
    assert about - own_data.models_followed() == left_out
    for model in own_data.models_followed():
        for column in own_data.columns_of(model):
            ours = model.__module__.startswith(("members", "pec_requests"))
            unnamed = not isinstance(column.verbose_name, Promise)
            assert not (ours and unnamed) or column.name in own_data.LABELS, f"{model.__name__}.{column.name}"
