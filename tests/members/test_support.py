"""*Vedi come questo iscritto*: what is seen, that nothing is done, and that it ends."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_scopes import scopes_disabled
from post_office.models import Email

from audit.models import LogEntry
from members import staffing, support
from members.identification import every_role
from members.middleware import SupportViewMiddleware
from members.models import Member, StaffRole, SupportView, User
from pec_requests import batches
from pec_requests.models import PecDomain, PecRequest
from tests.factories import PASSWORD, MemberFactory, staff
from tests.pec_requests.conftest import STAFF
from tests.permissions.world import World, addresses, url_of

pytestmark = pytest.mark.django_db
RECORD, END = "/utente/scheda-anagrafica/", "/vista/termina/"


@pytest.fixture
def member() -> Member:
    return MemberFactory()


@pytest.fixture
def chief(member: Member) -> User:
    return staff(member.ordine)


@pytest.fixture
def office(chief: User) -> Client:
    client = Client()
    client.force_login(chief)
    return client


def look(client: Client, member: Member, reason: str = "ha telefonato") -> int:
    return client.post(reverse("admin:members_member_see_as", args=[member.pk]), {"reason": reason}).status_code


def views() -> list[SupportView]:
    with scopes_disabled():
        return list(SupportView.objects.order_by("id"))


def test_from_the_reason_to_the_end(office: Client, member: Member) -> None:
    """Asked why, told to the member, seen as the member sees it, written down, and over."""
    assert look(office, member, " ") == 200 and not views()
    assert [look(office, member), look(office, member)] == [302, 403]  # the second click
    (mail,) = Email.objects.all()
    assert mail.to == [member.personal_email] and "ha telefonato" in mail.message
    page = office.get(RECORD).content.decode()
    assert member.tax_code in page and "Vedi il portale come" in page and "Chi ha guardato le tue pagine" in page
    for _again in range(3):
        office.get("/utente/scheda-anagrafica/richieste-pec/")
    assert "Vedi il portale come" in office.get("/admin/").content.decode()
    assert office.post(END)["Location"] == reverse("admin:members_member_change", args=[member.pk])
    assert "non ha una scheda" in office.get(RECORD).content.decode()
    written = LogEntry.objects.filter(person=member.pk, action__startswith="support.").order_by("id")
    assert [(e.action, e.detail.get("page")) for e in written] == [
        ("support.begun", None),
        ("support.page", RECORD),
        ("support.page", "/utente/scheda-anagrafica/richieste-pec/"),
        ("support.ended", None),
    ]
    hers = Client()
    assert member.user
    hers.force_login(member.user)
    assert "ha telefonato" in hers.get(RECORD).content.decode()


def test_nothing_is_done_and_no_secret_is_shown() -> None:
    """Every address there is, by GET and by POST: in nobody's name, in the office neither, nor by a link of a mail."""
    world = World()
    client = Client()
    assert world.users["responsabile"]
    client.force_login(world.users["responsabile"])
    assert look(client, world.here.owner) == 302
    client.get(RECORD)
    before = {name: rows for name, rows in world.state().items() if name != "members_supportview"}
    shown = set()
    for address in addresses():
        url = url_of(address, world.here)
        if address.name not in SupportViewMiddleware.ENDS:
            assert client.post(url, {"reason": "x", "conditions": "on"}).status_code in (403, 404, 405), url
        if not address.route.startswith("admin/") and client.get(url).status_code == 200:
            shown.add(address.name)
    machines = {"healthz", "readyz", "metrics"}
    assert shown - machines <= SupportViewMiddleware.SHOWN | {"account_logout"}
    assert {"members:record", "pec_requests:panel", "pec_requests:change-recovery"} <= shown
    assert {name: rows for name, rows in world.state().items() if name != "members_supportview"} == before
    assert not shown & {"mfa_index", "account_change_password", "account_reauthenticate"}


def test_only_the_responsabile_and_only_the_own_members(member: Member, chief: User) -> None:
    for role in (StaffRole.Role.OPERATORE, StaffRole.Role.REVISORE):
        client = Client()
        client.force_login(staff(member.ordine, role))
        assert look(client, member) == 403
    client = Client()
    client.force_login(chief)
    assert look(client, MemberFactory()) == 404
    # A number put into the session would not help: the look is somebody else's.
    other = Client()
    other.force_login(staff(member.ordine))
    assert look(other, member) == 302
    session = client.session
    session[support.SESSION_KEY] = views()[0].pk
    session.save()
    assert client.get(RECORD)["Location"] == "/admin/"
    assert member.tax_code not in client.get(RECORD).content.decode()


@pytest.mark.parametrize("why", ["time", "role", "swept"])
def test_it_ends_by_itself(office: Client, chief: User, member: Member, why: str) -> None:
    """The next request of any tab, be it a form that was the member's, does nothing but say so."""
    MemberFactory(ordine=member.ordine, user=chief)  # whose own pages are the same addresses
    look(office, member)
    with scopes_disabled():
        if why == "role":
            every_role().filter(user=chief).update(role="OPERATORE")
        else:
            SupportView.objects.update(until=timezone.now() - timedelta(seconds=1))
    if why == "swept":
        support.end_overdue()
    assert office.post("/utente/scheda-anagrafica/cellulare/", {"mobile": "3330000000"})["Location"] == "/admin/"
    with scopes_disabled():
        assert not Member.objects.filter(mobile="3330000000").exists()
    assert views()[0].ended_at and LogEntry.objects.filter(action="support.ended").count() == 1


def test_signing_out_ends_it_and_it_does_not_come_back(office: Client, chief: User, member: Member) -> None:
    look(office, member)
    office.post("/esci/")
    assert views()[0].ended_at and LogEntry.objects.get(action="access.logout").person is None
    office.post("/accedi/", {"login": chief.username, "password": PASSWORD})
    assert "non ha una scheda" in office.get(RECORD).content.decode()


def test_two_tabs_and_two_browsers(office: Client, chief: User, member: Member) -> None:
    """One look at a time: in this browser another must wait for the end, in another browser it ends the first."""
    other = MemberFactory(ordine=member.ordine)
    with scopes_disabled():
        order = batches.order(
            {member.ordine_id: [member.pk]}, PecDomain.objects.get(name="tsrm.org"), STAFF, asked="x", key=uuid.uuid4()
        )
        batches.carry_out(order[0].pk)
        pec = PecRequest.objects.get()
    panel = reverse("pec_requests:panel", args=[pec.public_id])
    look(office, member)
    assert office.get(panel).status_code == 200
    assert look(office, other) == 403
    elsewhere = Client()
    elsewhere.force_login(chief)
    assert look(elsewhere, other) == 302
    assert elsewhere.get(panel).status_code == 404
    assert office.get(panel)["Location"] == "/admin/"  # over
    assert [view.ended_at is None for view in views()] == [False, True]
    # A tab that saves its session late brings nothing back: what counts is the row.
    stale = elsewhere.session
    elsewhere.post(END)
    stale.save()
    assert other.tax_code not in elsewhere.get(RECORD).content.decode()


def test_whoever_is_dismissed_is_out(office: Client, chief: User, member: Member) -> None:
    staff(member.ordine)
    look(office, member)
    with scopes_disabled():
        staffing.dismiss(every_role().get(user=chief).pk, STAFF)
    assert office.get(RECORD).status_code == 302 and member.tax_code not in office.get(RECORD).content.decode()
