"""The log in the office: whose it is, what it can be narrowed down by, and that nothing of it can be written."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from audit import log
from audit.actors import Actor
from audit.models import LogEntry
from members.models import Member, StaffRole
from tests.audit.chain import owner
from tests.factories import MemberFactory, OrdineFactory, UserFactory, staff

pytestmark = pytest.mark.django_db
LIST = "/admin/audit/logentry/"


@pytest.fixture
def member() -> Member:
    """With entries here, elsewhere and of the federation."""
    here: Member = MemberFactory(surname="Bianchi")
    actor = Actor(name="Anna <b>Verdi</b>", user_id=staff(here.ordine, StaffRole.Role.OPERATORE).pk, ip="192.0.2.1")
    for action in ("access.login", "record.read", "member.updated"):
        log.record(action, actor, here, person=here.pk, ordine=here.ordine.code, fields="=1+1", page="qui")
    log.record("access.login", Actor.process("altrove"), ordine=OrdineFactory(code="altrove").code)
    log.record("provider.open", Actor.process("federazione"))
    return here


def office(member: Member) -> Client:
    client = Client()
    client.force_login(staff(member.ordine))
    return client


def rows(client: Client, query: str = "") -> list[str]:
    page = client.get(LIST + query).content.decode()
    found = re.findall(r'<td class="field-what">(.*?)</td>', page)
    assert len(re.findall(r'class="field-moment"', page)) == len(found)
    return found


def test_each_reads_the_log_of_the_own_ordine(member: Member) -> None:
    here = office(member)
    page = here.get(LIST).content.decode()
    assert "Bianchi Mario" in page and "Anna &lt;b&gt;Verdi" in page
    assert "altrove" not in page and "federazione" not in page and len(rows(here)) == 3
    federation = Client()
    federation.force_login(UserFactory(is_superuser=True, is_staff=True))
    assert len(rows(federation)) == 5 and len(rows(federation, "?ordine=altrove")) == 1
    # Who is responsabile here and operatore there reads only what is of here.
    both = staff(member.ordine)
    StaffRole.objects.create(user=both, ordine=OrdineFactory.create(code="terzo"), role=StaffRole.Role.OPERATORE)
    log.record("access.login", Actor.process("terzo"), ordine="terzo")
    client = Client()
    client.force_login(both)
    assert len(rows(client)) == 3 and len(rows(client, "?ordine=terzo")) == 3
    foreign = LogEntry.objects.get(ordine="altrove")
    assert client.get(reverse("admin:audit_logentry_change", args=[foreign.pk])).status_code == 302


def test_narrowed_down(member: Member) -> None:
    here, today = office(member), timezone.localdate()
    with owner():
        old = LogEntry.objects.filter(action="access.login", person=member.pk)
        old.update(at=timezone.now() - timedelta(days=40))
    long_ago = (timezone.localdate() - timedelta(days=40)).strftime("%d/%m/%Y")
    author = LogEntry.objects.filter(person=member.pk).first()
    assert author
    found = {
        "?genere=access": ["Accesso al portale"],
        "?genere=record": ["Letta dalla segreteria: qui"],
        "?genere=identity": [],
        "?azione=member.updated": ["Scheda modificata: =1+1"],
        "?genere=access&azione=member.updated": ["Scheda modificata: =1+1"],
        "?quando=oggi": ["Scheda modificata: =1+1", "Letta dalla segreteria: qui"],
        "?quando=ieri": [],
        f"?q={long_ago}": ["Accesso al portale"],
        f"?q={today:%Y-%m-%d}&genere=record": ["Letta dalla segreteria: qui"],
        "?q=01/01/2001": [],
        f"?q={member.tax_code}&genere=access": ["Accesso al portale"],
        "?q=RSSMRA80A01A271A": [],
        f"?iscritto={member.pk}&genere=record": ["Letta dalla segreteria: qui"],
        "?iscritto=999999": [],
        f"?utente={author.actor_id}&genere=record": ["Letta dalla segreteria: qui"],
        "?q=nessuno": [],
        "?q=%27%22%3Cscript%3E&genere=x&azione=y&iscritto=x&utente=9&quando=z&ordine=k": [],
    }
    assert {query: rows(here, query) for query in found} == found
    assert len(rows(here, "?iscritto=x&utente=&genere=x")) == 3
    with CaptureQueriesContext(connection) as few:
        here.get(LIST)
    for _more in range(20):
        log.record("access.logout", Actor.process("x"), member, person=member.pk, ordine=member.ordine.code)
    with CaptureQueriesContext(connection) as many:
        here.get(LIST)
    assert len(many) == len(few)


def test_nothing_is_written_there(member: Member) -> None:
    here, entry = office(member), LogEntry.objects.filter(person=member.pk).first()
    assert entry
    page = reverse("admin:audit_logentry_change", args=[entry.pk])
    shown = here.get(page).content.decode()
    assert "<input" not in shown.partition("<main")[2].replace('type="hidden"', "").partition("<form")[0]
    assert "Non ancora" in shown and "history" not in shown
    assert here.post(page, {"action": "x", "actor_name": "altri"}).status_code == 403
    assert here.post(LIST, {"action": "delete_selected", "_selected_action": entry.pk}).status_code in (200, 302, 403)
    assert LogEntry.objects.get(pk=entry.pk).actor_name == entry.actor_name


def test_an_operatore_does_not_read_it_and_sees_no_link(member: Member) -> None:
    client = Client()
    client.force_login(staff(member.ordine, StaffRole.Role.OPERATORE))
    assert client.get(LIST).status_code == 403
    change = reverse("admin:members_member_change", args=[member.pk])
    assert LIST not in client.get(change).content.decode()
    assert f"{LIST}?iscritto={member.pk}" in office(member).get(change).content.decode()
