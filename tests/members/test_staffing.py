"""Who gives whom a role, and what becomes of accounts: nobody comes in as somebody else, nobody stays who has to go."""

from __future__ import annotations

import re
import threading
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from django_scopes import scopes_disabled
from post_office.models import Email

from audit.actors import Actor
from audit.models import LogEntry
from members import access, contacts, staffing
from members.current import only_where
from members.identification import every_member, every_role, identify
from members.models import AccessLink, Member, Ordine, StaffRole, User
from members.staffing import Person, Role, StaffRefused
from pec_requests import corrections, merging
from pec_requests.corrections import CorrectionRefused
from pec_requests.models import PecDomain, PecRequest
from tests.factories import PASSWORD, MemberFactory, OrdineFactory, UserFactory, staff, tax_code

pytestmark = pytest.mark.django_db
CHIEF = Actor(name="Responsabile", user_id=0)
ADD = "/admin/members/staffrole/add/"
ADA = {"name": "Ada", "surname": "Prova", "email": "ada@example.com", "tax_code": "", "role": "OPERATORE"}
LINK = re.compile(r"/invito/[\w-]+/")


@pytest.fixture
def ordine() -> Ordine:
    return OrdineFactory()


@pytest.fixture
def chief(ordine: Ordine) -> User:
    return staff(ordine)


@pytest.fixture
def office(chief: User) -> Client:
    client = Client()
    client.force_login(chief)
    return client


def role_of(user: User, ordine: Ordine) -> StaffRole:
    return every_role().select_related("user").get(user=user, ordine=ordine)


def page(held: StaffRole, act: str) -> str:
    return reverse(f"admin:members_staffrole_{act}", args=[held.pk])


def in_all(call: Any, *args: Any, **kwargs: Any) -> Any:
    with scopes_disabled():
        return call(*args, **kwargs)


def mails_to(address: str) -> list[Email]:
    return [mail for mail in Email.objects.order_by("id") if mail.to == [address]]


def own_data(member: Member, **other: str) -> Person:
    return Person(**{"name": member.name, "surname": member.surname, "email": member.personal_email} | other)


# --- Coming and going -------------------------------------------------------------------------------------------------
def test_from_the_invitation_to_the_end_of_the_session(office: Client, ordine: Ordine) -> None:
    """Invited, come in, raised, sent away: each told by mail and written down, and out in the middle of the work."""
    for _click in range(2):
        office.post(ADD, {**ADA, "ordine": ordine.pk})
    ada = User.objects.get(email="ada@example.com")
    held = role_of(ada, ordine)
    (invitation,) = mails_to(ada.email)
    (link,) = LINK.findall(invitation.message)
    assert not ada.has_usable_password() and "non è ancora entrato" in office.get(page(held, "change")).content.decode()
    assert "ada@example.com" not in office.get(page(held, "change")).content.decode()  # masked: it may be a private one
    office.post(page(held, "invite"))
    (newer,) = LINK.findall(mails_to(ada.email)[-1].message)
    assert Client().get(link).status_code == 410

    hers = Client()
    hers.get(newer)
    entered = hers.post("/nuova-password/", {"password": "una-Frase-lunga-7", "again": "una-Frase-lunga-7"})
    assert entered.status_code == 302 and hers.get("/admin/").status_code == 200
    assert hers.get(page(held, "change")).status_code == 302  # an operatore does not see colleagues
    office.post(page(held, "invite"))
    assert len(mails_to(ada.email)) == 2  # she has a password: no more links
    assert identify("ADA@example.com").user == ada

    office.post(page(held, "change"), {"role": Role.RESPONSABILE})
    assert hers.get(page(held, "change")).status_code == 200  # at the next request
    for _click in range(2):
        answer = office.post(page(held, "dismiss"))
    assert answer["Location"] == reverse("admin:members_staffrole_changelist")
    assert hers.get("/admin/")["Location"].startswith("/admin/login/")
    ada.refresh_from_db()
    assert not ada.is_active and not ada.has_usable_password() and not every_role().filter(user=ada).exists()
    told = [mail.subject for mail in mails_to(ada.email)]
    assert told[2:] == ["Il tuo ruolo in segreteria: Responsabile", "Il tuo incarico in segreteria è finito"]
    written = LogEntry.objects.filter(action__startswith="staff.", ordine=ordine.code).order_by("id")
    assert [entry.action.partition(".")[2] for entry in written] == [
        "appointed",
        "invited",
        "role_changed",
        "dismissed",
    ]
    assert [entry.sentence for entry in written][2].endswith("di Ada Prova cambiato: da Operatore a Responsabile")
    # Back again: another account, since the old one stays closed.
    office.post(ADD, {**ADA, "ordine": ordine.pk})
    assert User.objects.filter(email="ada@example.com", is_active=True).get() != ada


def test_a_member_works_with_the_own_account_and_stays_a_member(office: Client, ordine: Ordine) -> None:
    member = MemberFactory(ordine=ordine)
    user = member.user
    assert user
    theirs = Client()
    theirs.force_login(user)
    form = {**ADA, "ordine": ordine.pk, "tax_code": member.tax_code, "name": "Mario", "surname": "Rossi"}
    office.post(ADD, {**form, "email": member.personal_email})
    assert theirs.get("/admin/").status_code == 200
    held = role_of(user, ordine)
    (told,) = mails_to(member.personal_email)
    assert "Operatore" in told.subject and not LINK.search(told.message)
    office.post(page(held, "dismiss"))
    assert theirs.get("/utente/scheda-anagrafica/").status_code == 302  # signed out
    user.refresh_from_db()
    assert user.is_active and user.check_password(PASSWORD)
    history = LogEntry.objects.filter(person=member.pk).values_list("action", flat=True)
    assert {"staff.appointed", "staff.dismissed"} <= set(history)


# --- Who may not ------------------------------------------------------------------------------------------------------
def test_nobody_decides_about_themselves_and_the_last_stays(office: Client, chief: User, ordine: Ordine) -> None:
    own = role_of(chief, ordine)
    shown = office.get(page(own, "change")).content.decode()
    assert "altro responsabile" in shown and "Cambia il ruolo" not in shown
    for act, form in (("change", {"role": "REVISORE"}), ("dismiss", {})):
        answer = office.post(page(own, act), form, follow=True).content.decode()
        assert "unico responsabile" in answer
    invited, _new = in_all(staffing.appoint, ordine, Person("Ada", "Prova", "ada@example.com"), "RESPONSABILE", CHIEF)
    assert (
        "unico responsabile" in office.post(page(own, "dismiss"), follow=True).content.decode()
    )  # who has not come in
    User.objects.filter(pk=invited.user_id).update(password=chief.password)
    assert "altro responsabile" in office.post(page(own, "dismiss"), follow=True).content.decode()
    assert role_of(chief, ordine).role == Role.RESPONSABILE
    assert "Cambia il ruolo" in office.get(page(invited, "change")).content.decode()
    assert in_all(staffing.dismiss, invited.pk, Actor(name="x", user_id=chief.pk))


def test_two_who_dismiss_each_other_do_not_both_go(transactional_db: None, ordine: Ordine) -> None:
    one, other = staff(ordine), staff(ordine)
    start, refused = threading.Barrier(2), []

    def dismiss(who: User, whom: User) -> None:
        held = role_of(whom, ordine)
        start.wait(timeout=20)
        try:
            in_all(staffing.dismiss, held.pk, Actor(name="x", user_id=who.pk))
        except StaffRefused as why:
            refused.append(str(why))
        finally:
            connection.close()

    threads = [threading.Thread(target=dismiss, args=pair) for pair in ((one, other), (other, one))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert every_role().filter(ordine=ordine).count() == 1 and len(refused) == 1


def test_only_for_the_own_office_and_only_what_the_form_asks(office: Client, ordine: Ordine) -> None:
    """Ids of another Ordine, fields that no form has, roles that there are not."""
    there = OrdineFactory()
    theirs = role_of(staff(there, Role.OPERATORE), there)
    raised = {"is_superuser": "on", "is_staff": "on", "username": "admin", "password": "x", "user": theirs.user_id}
    assert office.post(ADD, {**ADA, "ordine": there.pk}).status_code == 200
    assert office.post(ADD, {**ADA, "ordine": ordine.pk, "role": "FEDERAZIONE"}).status_code == 200
    assert not User.objects.filter(email=ADA["email"]).exists()
    office.post(ADD, {**ADA, **raised, "ordine": ordine.pk})
    ada = User.objects.get(email=ADA["email"])
    assert not ada.is_superuser and not ada.is_staff and ada.username.startswith("s-")
    held = role_of(ada, ordine)
    office.post(page(held, "change"), {"role": "REVISORE", "ordine": there.pk, **raised})
    held.refresh_from_db()
    assert (held.role, held.ordine, held.user) == (Role.REVISORE, ordine, ada)
    for act in ("dismiss", "invite"):
        assert office.post(page(theirs, act)).status_code == 404
    assert office.post(page(theirs, "change"), {"role": "RESPONSABILE"}).status_code == 302
    assert role_of(theirs.user, there).role == Role.OPERATORE


@pytest.mark.parametrize("role", [Role.OPERATORE, Role.REVISORE])
def test_nobody_below_raises_anybody(ordine: Ordine, role: Role) -> None:
    user = staff(ordine, role)
    client = Client()
    client.force_login(user)
    held = role_of(user, ordine)
    answers = [
        client.post(page(held, "change"), {"role": "RESPONSABILE"}),
        client.post(ADD, {**ADA, "ordine": ordine.pk}),
    ]
    assert {answer.status_code for answer in answers} <= {302, 403}
    assert role_of(user, ordine).role == role and not User.objects.filter(email=ADA["email"]).exists()


@pytest.mark.django_db(transaction=True)  # a file is of one moment: its transaction is one of its own
def test_a_role_counts_in_its_own_office(ordine: Ordine) -> None:
    """Who reads here and answers for another office acts there alone, also on what a list holds."""
    there = MemberFactory()
    here = MemberFactory(ordine=ordine)
    both = staff(ordine, Role.REVISORE)
    staff(there.ordine, Role.RESPONSABILE, both)
    client = Client()
    client.force_login(both)
    listed = client.get("/admin/members/member/").content.decode()
    assert here.tax_code in listed and there.tax_code in listed
    file = client.get("/admin/members/member/esporta/csv/")
    assert b"".join(file.streaming_content).count(b"RSSMRA") == 1  # type: ignore[attr-defined]  # a streamed file
    domain = PecDomain.objects.get(name="tsrm.org").pk
    for asked in ({"tutti": "1"}, {"lista": ""}, {"ids": [here.pk, there.pk]}):
        client.post("/admin/members/member/richiedi-pec/", {**asked, "domain": domain})
    with scopes_disabled():
        assert [pec.member for pec in PecRequest.objects.all()] == [there]
    form = client.get("/admin/members/member/add/").content.decode()
    assert f">{there.ordine}</option>" in form and f">{ordine}</option>" not in form
    with only_where(both, "members.change_member"):
        assert list(Member.objects.all()) == [there]
    colleagues = client.get("/admin/members/staffrole/").content.decode()
    assert str(there.ordine) in colleagues and str(ordine) in colleagues


# --- Somebody else's account ------------------------------------------------------------------------------------------
def test_who_is_known_is_recognised_only_by_all_that_is_known(ordine: Ordine) -> None:
    """One sentence for whatever does not agree, nothing changed, and no account a second time."""
    there, clerk = MemberFactory(), staff(OrdineFactory(), Role.OPERATORE)
    User.objects.filter(pk=clerk.pk).update(email="ugo@example.com", first_name="Ugo", last_name="Verdi")
    UserFactory(is_superuser=True, email="capo@example.com")
    users = User.objects.count()
    code = {"tax_code": there.tax_code}
    wrong = {
        own_data(there, **code, name="Maria"),
        own_data(there, **code, email="altra@example.com"),
        own_data(there, tax_code=tax_code(999)),
    }
    answers = set()
    for person in wrong:
        with pytest.raises(StaffRefused) as why:
            in_all(staffing.appoint, ordine, person, "OPERATORE", CHIEF)
        answers.add(str(why.value))
    assert len(answers) == 1
    shared = {own_data(there), Person("Ada", "Verdi", "UGO@example.com"), Person("A", "B", "capo@example.com")}
    answers = set()
    for person in shared:
        with pytest.raises(StaffRefused) as why:
            in_all(staffing.appoint, ordine, person, "OPERATORE", CHIEF)
        answers.add(str(why.value))
    assert len(answers) == 1 and User.objects.count() == users and not every_role().filter(ordine=ordine).exists()
    # All agrees: the same account, whatever office it works for already, and nothing of it touched.
    for person, user in ((own_data(there, **code), there.user), (Person("Ugo", "Verdi", "UGO@example.com"), clerk)):
        before = User.objects.get(pk=user.pk)
        held, new = in_all(staffing.appoint, ordine, person, "OPERATORE", CHIEF)
        after = User.objects.get(pk=user.pk)
        assert new and held.user == user and after.password == before.password
        assert after.email in (before.email, there.personal_email) and mails_to(after.email)
        assert not AccessLink.objects.filter(user=user).exists()


def test_the_office_cannot_come_in_as_a_colleague(ordine: Ordine) -> None:
    """By a code printed before, the e-mail in the fascicolo, another codice fiscale, a merge, a new link."""
    member = MemberFactory(ordine=ordine)
    twin = MemberFactory(ordine=ordine, user=None)
    address = member.personal_email
    code = in_all(access.print_code, member, CHIEF)
    in_all(staffing.appoint, ordine, own_data(member, tax_code=member.tax_code), "RESPONSABILE", CHIEF)
    assert access.inspect_code(member.tax_code, code).state.value == "replaced"
    operatore = Client()
    operatore.force_login(staff(ordine, Role.OPERATORE))
    url = reverse("admin:members_member_change", args=[member.pk])
    form = {"tax_code": tax_code(998), "surname": "Rossi", "name": "Mario", "personal_email": "mia@example.com"}
    inline = {f"enrolments-{name}": "0" for name in ("TOTAL_FORMS", "INITIAL_FORMS", "MIN_NUM_FORMS", "MAX_NUM_FORMS")}
    assert "lavora anche in segreteria" in operatore.post(url, {**form, **inline}).content.decode()
    operatore.post(url, {**form, **inline, "tax_code": member.tax_code})
    member = every_member().get(pk=member.pk)
    assert member.personal_email == "mia@example.com"
    access.send_password_link(member.tax_code, CHIEF)
    access.send_password_link("mia@example.com", CHIEF)
    assert not [mail for mail in mails_to("mia@example.com") if "/nuova-password/" in mail.message]
    assert [mail for mail in mails_to(address) if "/nuova-password/" in mail.message]
    for act in (access.invite, access.print_code):
        with pytest.raises(access.AccessRefused):
            in_all(act, member, CHIEF)
    with pytest.raises(CorrectionRefused):
        in_all(corrections.correct_tax_code, member.pk, tax_code(998), CHIEF)
    with pytest.raises(CorrectionRefused):
        in_all(merging.merge, twin.pk, member.pk, CHIEF, verified=True)
    # What the member confirms counts: no office has a hand in it.
    in_all(contacts.ask_email, member.pk, "nuova@example.com", CHIEF)
    (confirm,) = re.findall(r"/conferma/([\w-]+)/", mails_to("nuova@example.com")[-1].message)
    contacts.confirm(confirm, CHIEF)
    assert member.user and User.objects.get(pk=member.user.pk).email == "nuova@example.com"


def test_the_federation_shuts_somebody_out_at_once(ordine: Ordine) -> None:
    user = staff(ordine)
    theirs, federation = Client(), Client()
    theirs.force_login(user)
    federation.force_login(UserFactory(is_superuser=True))
    url = reverse("admin:members_user_change", args=[user.pk])
    assert federation.post(url, {"username": user.username}).status_code == 302
    assert theirs.get("/admin/").status_code == 302 and not user.sessions.exists()
