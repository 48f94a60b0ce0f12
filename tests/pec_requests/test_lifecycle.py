"""What people decide, and what follows from it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import pytest
from django.db.models.functions import Now
from django.utils import timezone

from audit.models import LogEntry
from members.models import Member
from pec_requests import lifecycle, register
from pec_requests.models import PecDomain, PecRequest, ProviderOperation
from pec_requests.states import IllegalMove, Kind
from tests.factories import MemberFactory, OrdineFactory
from tests.pec_requests.conftest import STAFF
from tests.pec_requests.test_addresses import in_threads

pytestmark = pytest.mark.django_db
State = ProviderOperation.State


def operations(pec: PecRequest) -> list[tuple[str, str]]:
    return list(pec.operations.order_by("id").values_list("kind", "state"))


def ready(pec: PecRequest) -> PecRequest:
    """As after the provider created the mailbox."""
    operation = pec.operations.get(kind=Kind.CREATE)
    pec.operations.update(state=State.DONE, attempts=1, finished_at=Now())
    lifecycle.confirm([operation], STAFF)
    pec.refresh_from_db()
    return pec


def activate(pec: PecRequest) -> PecRequest:
    """As after the provider confirmed the acceptance."""
    ready(pec)
    lifecycle.decide([pec.pk], "accept", STAFF)
    operation = pec.operations.get(kind=Kind.ACTIVATE)
    pec.operations.update(state=State.DONE, finished_at=Now())
    lifecycle.confirm([operation], STAFF)
    pec.refresh_from_db()
    return pec


def test_a_request_reserves_queues_and_logs(pec: PecRequest, no_messages: list[str]) -> None:
    assert (pec.status, pec.recovery_email) == ("RICHIESTA", pec.member.personal_email)
    assert operations(pec) == [("CREATE", "WAITING")]
    entry = LogEntry.objects.get(action="pec.request")
    assert (entry.person, entry.actor_name, entry.ordine) == (pec.member_id, "segreteria", pec.member.ordine.code)
    assert entry.sentence == f"Richiesta la casella {pec.address}"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"surname": "Bianchi"}, "Il codice fiscale non corrisponde"),
        ({"birth_date": timezone.localdate() - timedelta(days=17 * 365)}, "Ha meno di 18 anni"),
        ({"enrolled": False}, "Non è iscritto"),
    ],
)
def test_who_cannot_have_a_pec_is_told_why(db: None, wrong: dict[str, object], words: str) -> None:
    member = MemberFactory(**wrong)
    outcome = lifecycle.request_pec([member.pk], PecDomain.objects.get(name="tsrm.org"), STAFF)
    assert not outcome.created
    assert outcome.refused[0][1].startswith(words)
    assert not PecRequest.objects.exists()


def test_an_ordine_outside_the_convention_cannot_request(member: Member, domain: PecDomain) -> None:
    domain.ordini.clear()
    assert "non aderisce" in lifecycle.request_pec([member.pk], domain, STAFF).refused[0][1]


def test_a_request_without_usable_email_waits_for_one(domain: PecDomain, member: Member) -> None:
    poor = MemberFactory(ordine=member.ordine, personal_email="mario@pec.example.it")
    pec = lifecycle.request_pec([poor.pk], domain, STAFF).created[0]
    assert operations(pec) == []
    assert register.follow() == 0
    poor.personal_email = "mario@example.it"
    poor.save()
    assert register.follow() == 1
    assert operations(pec) == [("CREATE", "WAITING")]
    pec.refresh_from_db()
    assert pec.recovery_email == "mario@example.it"


def test_accepting_twice_is_accepting_once(pec: PecRequest) -> None:
    ready(pec)
    assert len(lifecycle.decide([pec.pk], "accept", STAFF)) == 1
    assert lifecycle.decide([pec.pk], "accept", STAFF) == []
    assert operations(pec) == [("CREATE", "DONE"), ("ACTIVATE", "WAITING")]
    assert LogEntry.objects.filter(action="pec.accept.decided").count() == 1


def test_before_the_mailbox_exists_nothing_can_be_accepted(pec: PecRequest) -> None:
    with pytest.raises(IllegalMove, match="nello stato RICHIESTA"):
        lifecycle.decide([pec.pk], "accept", STAFF)


@pytest.mark.parametrize("act", ["cancel", "refuse"])
def test_after_the_acceptance_there_is_no_way_back(pec: PecRequest, act: str) -> None:
    ready(pec)
    lifecycle.decide([pec.pk], "accept", STAFF)
    with pytest.raises(IllegalMove, match="ha già accettato"):
        lifecycle.decide([pec.pk], act, STAFF, reason="x")


def test_cancelling_what_nobody_tried_asks_nothing_of_the_provider(pec: PecRequest) -> None:
    lifecycle.decide([pec.pk], "cancel", STAFF, reason="Errore")
    pec.refresh_from_db()
    assert (pec.status, pec.reason) == ("ANNULLATO", "Errore")
    assert operations(pec) == [("CREATE", "WITHDRAWN")]


def test_cancelling_while_a_worker_creates_closes_afterwards(pec: PecRequest) -> None:
    pec.operations.update(state=State.RUNNING, attempts=1)
    lifecycle.decide([pec.pk], "cancel", STAFF, reason="Errore")
    assert operations(pec) == [("CREATE", "RUNNING"), ("CLOSE", "WAITING")]


def test_cancelling_what_may_have_been_created_closes_it(pec: PecRequest) -> None:
    pec.operations.update(look_first=True)  # an answer was lost in an outage: no attempt was counted
    lifecycle.decide([pec.pk], "cancel", STAFF, reason="Errore")
    assert operations(pec) == [("CREATE", "WITHDRAWN"), ("CLOSE", "WAITING")]


def test_refusing_closes_the_mailbox_there(pec: PecRequest) -> None:
    ready(pec)
    lifecycle.decide([pec.pk], "refuse", STAFF)
    assert operations(pec) == [("CREATE", "DONE"), ("CLOSE", "WAITING")]


def test_a_set_is_all_or_nothing(pec: PecRequest, member: Member, domain: PecDomain) -> None:
    other = lifecycle.request_pec([MemberFactory(ordine=member.ordine).pk], domain, STAFF).created[0]
    ready(other)
    lifecycle.decide([other.pk], "accept", STAFF)
    with pytest.raises(IllegalMove):
        lifecycle.decide([pec.pk, other.pk], "cancel", STAFF, reason="x")
    pec.refresh_from_db()
    assert pec.status == "RICHIESTA"


def test_after_the_end_a_new_request_gets_the_old_address(pec: PecRequest, domain: PecDomain) -> None:
    lifecycle.decide([pec.pk], "cancel", STAFF, reason="x")
    again = lifecycle.request_pec([pec.member_id], domain, STAFF).created[0]
    assert again.address == pec.address


@pytest.mark.django_db(transaction=True)
def test_a_double_click_on_accept_is_one_acceptance() -> None:
    member = MemberFactory(ordine=OrdineFactory(), birth_date=date(1980, 1, 1))
    pec = ready(lifecycle.request_pec([member.pk], PecDomain.objects.get(name="tsrm.org"), STAFF).created[0])
    clicks: list[Callable[[], object]] = [lambda: lifecycle.decide([pec.pk], "accept", STAFF)] * 2
    assert in_threads(*clicks) == []
    assert operations(pec) == [("CREATE", "DONE"), ("ACTIVATE", "WAITING")]
    assert LogEntry.objects.filter(action="pec.accept.decided").count() == 1


@pytest.mark.django_db(transaction=True)
def test_accept_and_cancel_at_once_end_in_one_of_the_two() -> None:
    member = MemberFactory()
    pec = ready(lifecycle.request_pec([member.pk], PecDomain.objects.get(name="tsrm.org"), STAFF).created[0])
    errors = in_threads(
        lambda: lifecycle.decide([pec.pk], "accept", STAFF),
        lambda: lifecycle.decide([pec.pk], "cancel", STAFF, reason="x"),
    )
    assert [type(error) for error in errors] == [IllegalMove]
    pec.refresh_from_db()
    assert (pec.status == "ANNULLATO") != (pec.accepted_at is not None)
