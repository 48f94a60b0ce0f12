"""Two records of one person become one: nothing that hung on the other is lost, and nobody does it twice."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import pytest
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone
from django_scopes import scopes_disabled

from audit.models import LogEntry
from members import albi, history, importing
from members.import_result import ImportResult
from members.models import AccessLink, Albo, EmailChange, Enrolment, Member, SupportView, Term
from pec_requests import corrections, lifecycle, merging
from pec_requests.corrections import CorrectionRefused
from pec_requests.models import Difference, PecDomain, PecRequest, ProviderOperation, ReservedAddress
from pec_requests.states import Kind
from tests.factories import MemberFactory, OrdineFactory, staff, tax_code
from tests.members import invented
from tests.pec_requests.conftest import STAFF
from tests.pec_requests.test_lifecycle import ready
from tests.pec_requests.test_lists import in_step
from tests.sandbox_process import SandboxProcess

pytestmark = pytest.mark.django_db
# What hangs on a record: the merge takes it along; terms are the database's own.
# A wish for another e-mail ends with the record that it was about.
HANGING = {Enrolment, PecRequest, ReservedAddress, Difference, Term, EmailChange, SupportView}


@pytest.fixture
def twin(member: Member) -> Member:
    """A second record of the same person."""
    return MemberFactory(ordine=member.ordine, personal_email="", mobile="", enrolled=False)


def enrol(member: Member, albo: str, number: str, status: str = "ISCRITTO") -> Enrolment:
    row = Albo.objects.get_or_create(name=albo)[0]
    return Enrolment.objects.create(member=member, albo=row, number=number, status=status, enrolled_on=date(2020, 1, 1))


def test_everything_that_hangs_on_a_record_is_taken_along() -> None:
    """A new model that refers to a member must be taught to the merge."""
    fields = Member._meta.get_fields(include_hidden=True)
    assert {f.related_model for f in fields if f.auto_created and f.is_relation} == HANGING


def test_all_that_hung_on_the_other_is_the_persons(member: Member, twin: Member, domain: PecDomain) -> None:
    enrol(twin, "Dietista", "7")
    enrol(twin, "Logopedista", "12", "CANCELLATO")
    ended = lifecycle.request_pec([twin.pk], domain, STAFF).created[0]
    lifecycle.decide([ended.pk], "cancel", STAFF, reason="x")
    live = lifecycle.request_pec([twin.pk], domain, STAFF).created[0]
    Difference.objects.create(kind="STATUS", address=live.address, request=live, member=twin)
    Member.objects.filter(pk=twin.pk).update(wants_reminders=False)
    own = member.enrolments.get().number
    assert merging.merge(member.pk, twin.pk, STAFF)
    assert not merging.merge(member.pk, twin.pk, STAFF)
    assert not merging.merge(twin.pk, member.pk, STAFF)
    assert Member.objects.get() == member and not Member.objects.get().wants_reminders
    numbers = dict(member.enrolments.values_list("albo__name", "number"))
    assert numbers == {"Dietista": "7", "Logopedista": own}
    assert {r.member_id for r in PecRequest.objects.all()} == {member.pk}
    assert ReservedAddress.objects.get().member_id == member.pk
    assert Difference.objects.get().member_id == member.pk
    assert not Term.objects.filter(member_id=twin.pk).exists()
    in_step()
    entry = LogEntry.objects.get(action=history.MERGED)
    assert "Logopedista n. 12 (Cancellato)" in entry.sentence
    assert twin.tax_code not in str(entry.detail)
    assert merging.merged_into(twin.pk) == member.pk
    told = {e.action for e in history.entries(member.pk)}
    assert {"pec.request", "pec.cancel", history.MERGED} <= told
    assert not lifecycle.request_pec([member.pk], domain, STAFF).created


def test_a_record_that_was_merged_twice_over_is_read_to_its_beginning(member: Member, twin: Member) -> None:
    third = MemberFactory(ordine=member.ordine)
    merging.merge(twin.pk, third.pk, STAFF)
    merging.merge(member.pk, twin.pk, STAFF)
    assert history.records_of(member.pk) == [member.pk, twin.pk, third.pk]


def test_blanks_are_filled_and_words_are_kept(member: Member) -> None:
    Member.objects.filter(pk=member.pk).update(personal_email="", mobile="", town="Fermo")
    now = timezone.now()
    twin = MemberFactory(ordine=member.ordine, email_confirmed_at=now, town="Jesi", mobile="3330000000")
    merging.merge(member.pk, twin.pk, STAFF)
    member.refresh_from_db()
    assert (member.personal_email, member.mobile, member.town) == (twin.personal_email, "3330000000", "Fermo")
    assert (member.email_confirmed_at, member.email_problem) == (now, "")


def test_of_two_enrolments_in_an_albo_the_one_that_stands_is_kept(member: Member, twin: Member) -> None:
    member.enrolments.update(status="CANCELLATO")
    enrol(twin, "Logopedista", "12")
    merging.merge(member.pk, twin.pk, STAFF)
    kept = Enrolment.objects.get()
    assert (kept.member_id, kept.number, kept.status) == (member.pk, "12", "ISCRITTO")


def test_one_account_remains(member: Member, twin: Member, client: Client) -> None:
    other = twin.user
    assert other
    client.force_login(other)
    AccessLink.objects.create(user=other, purpose="PASSWORD", digest="x", expires_at=timezone.now())
    merging.merge(member.pk, twin.pk, STAFF)
    other.refresh_from_db()
    assert not other.is_active
    assert client.get("/utente/scheda-anagrafica/").status_code == 302
    assert AccessLink.objects.get().replaced_at
    assert Member.objects.get().user == member.user


def test_an_account_goes_over_where_there_is_none_and_the_offices_is_left_alone(member: Member, twin: Member) -> None:
    third = MemberFactory(ordine=member.ordine, user=staff(member.ordine))
    Member.objects.filter(pk=member.pk).update(user=None)
    merging.merge(member.pk, twin.pk, STAFF)
    assert Member.objects.get(pk=member.pk).user == twin.user
    merging.merge(member.pk, third.pk, STAFF)
    assert third.user and third.user.is_active
    third.user.refresh_from_db()
    assert third.user.is_active


def test_two_mailboxes_are_refused_by_name(member: Member, twin: Member, domain: PecDomain) -> None:
    enrol(twin, "Dietista", "7")
    first, second = lifecycle.request_pec([member.pk, twin.pk], domain, STAFF).created
    ready(first)
    for kept, gone in ((member, twin), (twin, member)):
        with pytest.raises(CorrectionRefused, match=f"Prima va annullata o cessata {second.address}"):
            merging.merge(kept.pk, gone.pk, STAFF)
    assert Member.objects.count() == 2


def test_another_ordines_record_and_oneself_are_refused(member: Member) -> None:
    other = MemberFactory(ordine=OrdineFactory())
    with pytest.raises(CorrectionRefused, match="va trasferita"):
        merging.merge(member.pk, other.pk, STAFF)
    with pytest.raises(CorrectionRefused, match="stessa"):
        merging.merge(member.pk, member.pk, STAFF)


def test_the_holder_of_a_mailbox_that_goes_over_is_corrected_or_the_merge_is_refused(
    ready: PecRequest, aruba: SandboxProcess, work: Callable[[], int], twin: Member
) -> None:
    gone = ready.member
    merging.merge(twin.pk, gone.pk, STAFF)
    assert ready.operations.get(kind=Kind.TAX_CODE).former_tax_code == gone.tax_code
    work()
    assert aruba.accounts()[0]["owner"]["taxCode"] == twin.tax_code
    lifecycle.decide([ready.pk], "accept", STAFF)
    work()
    third = MemberFactory(ordine=twin.ordine)
    with pytest.raises(CorrectionRefused, match="già stata accettata"):
        merging.merge(third.pk, twin.pk, STAFF)
    merging.merge(twin.pk, third.pk, STAFF)  # the other way round the holder stays who he is
    assert PecRequest.objects.get().status == "ATTIVO"


@pytest.mark.django_db(transaction=True)
def test_of_two_at_once_one_corrects_and_nobody_waits_for_a_worker() -> None:
    with scopes_disabled():
        member = MemberFactory()
        twin = MemberFactory(ordine=member.ordine)

    def merge(kept: int, gone: int) -> bool:
        try:
            with scopes_disabled():
                return merging.merge(kept, gone, STAFF)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as threads:
        both = [threads.submit(merge, member.pk, twin.pk), threads.submit(merge, twin.pk, member.pk)]
        assert sorted(done.result() for done in both) == [False, True]
    with scopes_disabled():
        person, other = Member.objects.get(), MemberFactory()
        free = tax_code(999)

        def rename(pk: int) -> str:
            try:
                with scopes_disabled():
                    return str(corrections.correct_tax_code(pk, free, STAFF))
            except CorrectionRefused as why:
                return type(why).__name__
            finally:
                connection.close()

        with ThreadPoolExecutor(2) as threads:
            assert sorted(threads.map(rename, [person.pk, other.pk])) == ["CodeTaken", "True"]
        domain = PecDomain.objects.get(name="tsrm.org")
        pec = lifecycle.request_pec([person.pk], domain, STAFF).created[0]
        with ThreadPoolExecutor(1) as threads, transaction.atomic():
            PecRequest.objects.select_for_update().get(pk=pec.pk)  # as a worker does that settles

            def correct() -> None:
                try:
                    with scopes_disabled(), pytest.raises(CorrectionRefused, match="riprovare"):
                        corrections.correct_tax_code(person.pk, twin.tax_code, STAFF)
                finally:
                    connection.close()

            threads.submit(correct).result()
        assert ProviderOperation.objects.count() == 1


def test_an_import_that_meets_a_merge_half_way_takes_the_code_for_a_newcomers(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As any later import of that file would: the page of the merge says so."""
    albi.install()  # a test that commits may have emptied the table
    umbria, really_lock = invented.ordine("umbria"), importing.lock_touched

    def run(*lines: dict[str, str]) -> ImportResult:
        return importing.import_albo(invented.as_csv(list(lines)), ordine=umbria, actor=STAFF)

    def meanwhile() -> bool:
        kept, gone = Member.objects.order_by("pk")
        merging.merge(kept.pk, gone.pk, STAFF)
        return really_lock()

    run(invented.line(1), invented.line(2))
    monkeypatch.setattr(importing, "lock_touched", meanwhile)
    result = run(invented.line(1, CAP="1"), invented.line(2, CAP="2"))
    assert (result.updated, result.created) == (1, 1)
    assert list(Member.objects.order_by("pk").values_list("postcode", flat=True)) == ["1", "2"]
