"""Who left the albo long ago is forgotten, but for what the law has kept."""

from __future__ import annotations

import json
from datetime import date
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import transaction
from post_office.models import Email

from audit.models import LogEntry
from members import access, contacts
from members.models import Enrolment, Member, StaffRole, User
from pec_requests import forgetting, lifecycle
from pec_requests.models import PecRequest, ProviderOperation, RecoveryEmailChange, ReservedAddress
from tests.factories import MemberFactory, staff
from tests.pec_requests.conftest import STAFF
from tests.pec_requests.test_recovery import ask
from tests.pec_requests.test_views import activate

pytestmark = pytest.mark.django_db
LONG_AGO = date(2001, 1, 1)


def leave(member: Member, day: date | None = LONG_AGO) -> Member:
    Enrolment.objects.filter(member=member).update(status="CANCELLATO", cancelled_on=day)
    return member


def closed(member: Member) -> PecRequest:
    """A mailbox that was, with a wish and all that is asked of the provider behind it."""
    domain = member.ordine.pec_domains.get(name="tsrm.org")
    pec = activate(lifecycle.request_pec([member.pk], domain, STAFF).created[0])
    ask(pec, f"recupero{member.pk}@example.com")
    contacts.ask_email(member.pk, f"altra{member.pk}@example.com", STAFF)
    access.invite(member, STAFF)
    lifecycle.found_closed([pec.pk], STAFF)
    ProviderOperation.objects.filter(request=pec).update(state="DONE", finished_at="2002-01-01T00:00Z")
    return PecRequest.objects.get(pk=pec.pk)


def test_what_goes_and_what_stays(member: Member) -> None:
    pec = closed(member)
    leave(member)
    user = member.user
    assert user
    out = StringIO()
    call_command("forget", "--dry-run", "--json", stdout=out)
    assert json.loads(out.getvalue()) == {"due": {member.ordine.code: 1}, "forgotten": 0}
    assert Member.objects.get(pk=member.pk).personal_email
    out = StringIO()
    call_command("forget", "--json", stdout=out)
    assert json.loads(out.getvalue())["forgotten"] == 1
    after = Member.objects.get(pk=member.pk)
    assert [getattr(after, name) for name in forgetting._CONTACTS] == [""] * 7
    assert (after.tax_code, after.surname, after.birth_date) == (member.tax_code, "Rossi", member.birth_date)
    assert after.enrolments.get().cancelled_on == LONG_AGO
    emptied = User.objects.get(pk=user.pk)
    assert (emptied.get_full_name(), emptied.email, emptied.is_active) == ("", "", False) and after.user is None
    assert not emptied.has_usable_password() and not emptied.access_links.exists()
    assert RecoveryEmailChange.objects.get().new_email == "" and not after.email_changes.exists()
    kept = PecRequest.objects.get(pk=pec.pk)
    assert (kept.address, kept.status, kept.recovery_email) == (pec.address, "CESSATO", "")
    assert ReservedAddress.objects.get(address=pec.address).member == after
    entry = LogEntry.objects.get(action="member.forgotten")
    assert entry.person == member.pk and member.personal_email not in str(entry.detail)
    assert forgetting.forget_all(STAFF) == 0  # once
    assert Email.objects.exists()  # mails have a time of their own


def test_who_is_not_forgotten(member: Member) -> None:
    """Enrolled, suspended, gone of late, gone on a day that nobody knows; with a mailbox; with something asked."""
    ordine = member.ordine
    people = [MemberFactory(ordine=ordine) for _person in range(5)]
    leave(people[0], date.today())
    leave(people[1], None)
    Enrolment.objects.filter(member=people[2]).update(status="SOSPESO")
    domain = ordine.pec_domains.get(name="tsrm.org")
    lifecycle.request_pec([people[3].pk], domain, STAFF)
    leave(people[3])
    gone = closed(people[4])
    leave(people[4])
    ProviderOperation.objects.filter(request=gone, kind="CREATE").update(state="ATTENTION")
    assert forgetting.forget_all(STAFF) == 0
    assert Member.objects.filter(personal_email="").count() == 0


def test_who_works_in_the_office_keeps_the_account(member: Member) -> None:
    user = member.user
    assert user
    StaffRole.objects.create(user=user, ordine=member.ordine)
    leave(member)
    assert forgetting.forget_all(STAFF) == 1 and forgetting.forget_all(STAFF) == 0
    after = Member.objects.get(pk=member.pk)
    assert after.user == user and after.personal_email == "" and staff(member.ordine)


@pytest.mark.django_db(transaction=True)
def test_whoever_comes_back_at_the_last_moment_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was found is looked at again under the lock; and a few at a time, all are met."""
    monkeypatch.setattr(forgetting, "CHUNK", 1)
    first, second, third = [leave(MemberFactory()) for _member in range(3)]
    ids = [first.pk]
    Enrolment.objects.filter(member=first).update(status="ISCRITTO", cancelled_on=None)
    assert forgetting.forget(first.ordine, ids, STAFF) == 0
    assert forgetting.forget_all(STAFF) == 2
    with transaction.atomic():
        assert set(Member.objects.filter(personal_email="")) == {second, third}
