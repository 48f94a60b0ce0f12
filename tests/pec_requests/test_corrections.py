"""Correcting a codice fiscale: here at once, at the provider as long as it still may, and never half."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db.models.functions import Now

from audit.models import LogEntry
from members.models import Member
from pec_requests import corrections, lifecycle, register
from pec_requests.corrections import CodeTaken, CorrectionRefused
from pec_requests.models import PecDomain, PecRequest, ProviderOperation
from pec_requests.states import IllegalMove, Kind
from tests.factories import MemberFactory, OrdineFactory, tax_code
from tests.pec_requests.conftest import STAFF
from tests.sandbox_process import SandboxProcess

pytestmark = pytest.mark.django_db
State = ProviderOperation.State
NEW = tax_code(999)


def there(aruba: SandboxProcess) -> list[str]:
    """The codes of the holders at the provider, one for each mailbox."""
    return [account["owner"]["taxCode"] for account in aruba.accounts()]


def test_before_the_mailbox_is_made_the_creation_takes_the_new_code(
    pec: PecRequest, aruba: SandboxProcess, work: Callable[[], int]
) -> None:
    assert corrections.correct_tax_code(pec.member_id, f" {NEW.lower()} ", STAFF)
    assert not corrections.correct_tax_code(pec.member_id, NEW, STAFF)
    assert [o.kind for o in pec.operations.all()] == [Kind.CREATE]
    work()
    assert there(aruba) == [NEW]
    entry = LogEntry.objects.get(action="member.tax_code_corrected")
    assert entry.person == pec.member_id
    assert NEW not in str(entry.detail)


def test_what_a_worker_has_begun_is_not_overtaken(pec: PecRequest) -> None:
    pec.operations.update(look_first=True)
    with pytest.raises(CorrectionRefused, match="in corso"):
        corrections.correct_tax_code(pec.member_id, NEW, STAFF)
    pec.operations.update(state=State.ATTENTION, finished_at=Now())
    with pytest.raises(CorrectionRefused, match="da verificare"):
        corrections.correct_tax_code(pec.member_id, NEW, STAFF)


def test_before_the_acceptance_the_provider_corrects_the_holder_too(
    ready: PecRequest, aruba: SandboxProcess, work: Callable[[], int]
) -> None:
    corrections.correct_tax_code(ready.member_id, NEW, STAFF)
    with pytest.raises(IllegalMove, match="correggendo"):
        lifecycle.decide([ready.pk], "accept", STAFF)
    with pytest.raises(CorrectionRefused, match="in corso"):
        corrections.correct_tax_code(ready.member_id, tax_code(998), STAFF)
    work()
    assert there(aruba) == [NEW]
    assert LogEntry.objects.filter(action="pec.tax_code.corrected").count() == 1
    lifecycle.decide([ready.pk], "accept", STAFF)
    work()
    assert PecRequest.objects.get().status == "ATTIVO"


def test_a_lost_answer_is_looked_up(ready: PecRequest, aruba: SandboxProcess, work: Callable[[], int]) -> None:
    aruba.fault("owners", "drop_after", times=1)
    corrections.correct_tax_code(ready.member_id, NEW, STAFF)
    work()
    work()
    assert there(aruba) == [NEW]
    assert aruba.calls()["owners"][NEW] == 1
    assert ready.operations.get(kind=Kind.TAX_CODE).state == State.DONE


def test_after_the_acceptance_nothing_changes(active: PecRequest) -> None:
    before = active.member.tax_code
    with pytest.raises(CorrectionRefused, match="Cessare la casella"):
        corrections.correct_tax_code(active.member_id, NEW, STAFF)
    assert Member.objects.get().tax_code == before


def test_what_the_provider_refuses_staff_can_take_back(
    ready: PecRequest, aruba: SandboxProcess, work: Callable[[], int]
) -> None:
    old = ready.member.tax_code
    aruba.fault("owners", "status", 403, times=1)
    corrections.correct_tax_code(ready.member_id, NEW, STAFF)
    work()
    operation = ready.operations.get(kind=Kind.TAX_CODE)
    assert operation.state == State.ATTENTION
    lifecycle.drop_operation(operation.pk, STAFF)
    lifecycle.drop_operation(operation.pk, STAFF)
    assert Member.objects.get().tax_code == old
    assert LogEntry.objects.filter(action="member.tax_code_restored").count() == 1


def test_it_cannot_be_taken_back_where_the_old_code_is_another_records(
    ready: PecRequest, aruba: SandboxProcess, work: Callable[[], int]
) -> None:
    old = ready.member.tax_code
    aruba.fault("owners", "status", 403, times=1)
    corrections.correct_tax_code(ready.member_id, NEW, STAFF)
    work()
    MemberFactory(tax_code=old, ordine=ready.member.ordine)
    with pytest.raises(IllegalMove, match="unire"):
        lifecycle.drop_operation(ready.operations.get(kind=Kind.TAX_CODE).pk, STAFF)


@pytest.mark.parametrize("times", [0, 1])
def test_a_request_that_ends_meanwhile_is_closed_under_either_code(
    ready: PecRequest, aruba: SandboxProcess, work: Callable[[], int], times: int
) -> None:
    """Whether the correction came through is not known when the request ends: the mailbox is closed all the same."""
    if times:
        aruba.fault("owners", "drop_after", times=1)
    corrections.correct_tax_code(ready.member_id, NEW, STAFF)
    if times:
        work()
        assert there(aruba) == [NEW]
    lifecycle.decide([ready.pk], "cancel", STAFF, reason="x")
    work()
    work()
    assert there(aruba) == []


def test_a_code_is_one_persons(member: Member, domain: PecDomain) -> None:
    same, other = MemberFactory(ordine=member.ordine), MemberFactory(ordine=OrdineFactory())
    with pytest.raises(CodeTaken, match="unirle") as taken:
        corrections.correct_tax_code(member.pk, same.tax_code, STAFF)
    assert taken.value.other == same
    with pytest.raises(CodeTaken, match="altro Ordine") as taken:
        corrections.correct_tax_code(member.pk, other.tax_code, STAFF)
    assert taken.value.other is None
    with pytest.raises(CorrectionRefused, match="non è valido"):
        corrections.correct_tax_code(member.pk, "RSSMRA80A01A000X", STAFF)
    assert not LogEntry.objects.exists()


def test_the_warning_of_a_wrong_code_goes(db: None) -> None:
    wrong = MemberFactory(surname="Bianchi")
    assert wrong.tax_code_mismatch
    Member.objects.filter(pk=wrong.pk).update(surname="Rossi")
    corrections.correct_tax_code(wrong.pk, NEW, STAFF)
    assert not Member.objects.get(pk=wrong.pk).tax_code_mismatch
    assert register.follow() == 0
