"""The table of states, and the database that refuses whatever is not in it."""

from __future__ import annotations

import itertools

import pytest
from django.db import IntegrityError, connection, transaction

from members.models import Member
from pec_requests import lifecycle
from pec_requests.models import PecDomain, PecRequest
from pec_requests.states import FINAL, LIVE, MOVES, IllegalMove, Status, Who, move, moves_from
from tests.factories import MemberFactory
from tests.pec_requests.conftest import STAFF

pytestmark = pytest.mark.django_db
ALLOWED = {(m.source, m.target) for m in MOVES if m.source}


def put(pec: PecRequest, status: Status, *, accepted: bool) -> None:
    """Bring a row into any state, past the guard, to see what the guard allows from there."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE pec_requests_pecrequest DISABLE TRIGGER USER")
        cursor.execute(
            "UPDATE pec_requests_pecrequest SET status = %s, accepted_at = CASE WHEN %s THEN now() END WHERE id = %s",
            [status, accepted, pec.pk],
        )
        cursor.execute("ALTER TABLE pec_requests_pecrequest ENABLE TRIGGER USER")


@pytest.mark.parametrize(("source", "target"), list(itertools.permutations(Status, 2)))
def test_the_database_allows_exactly_the_table(pec: PecRequest, source: Status, target: Status) -> None:
    put(pec, source, accepted=target == Status.ATTIVO)
    allowed = True
    try:
        with transaction.atomic():
            PecRequest.objects.filter(pk=pec.pk).update(status=target)
    except IntegrityError:
        allowed = False
    assert allowed == ((source, target) in ALLOWED)


def test_the_database_refuses_to_undo_an_acceptance(pec: PecRequest) -> None:
    put(pec, Status.NON_ATTIVO, accepted=True)
    for target in (Status.ANNULLATO, Status.RIFIUTATO):
        with pytest.raises(IntegrityError), transaction.atomic():
            PecRequest.objects.filter(pk=pec.pk).update(status=target)


def test_the_database_refuses_to_activate_what_nobody_accepted(pec: PecRequest) -> None:
    put(pec, Status.NON_ATTIVO, accepted=False)
    with pytest.raises(IntegrityError), transaction.atomic():
        PecRequest.objects.filter(pk=pec.pk).update(status=Status.ATTIVO)


def test_a_request_is_never_deleted_and_is_born_requested(pec: PecRequest, member: Member, domain: PecDomain) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        PecRequest.objects.filter(pk=pec.pk)._raw_delete("default")  # type: ignore[attr-defined]
    other = MemberFactory(ordine=member.ordine)
    with pytest.raises(IntegrityError), transaction.atomic():
        PecRequest.objects.create(member=other, domain=domain, address="a.b@tsrm.org", status=Status.ATTIVO)


def test_every_state_but_the_final_ones_has_a_way_on() -> None:
    assert {m.source for m in MOVES if m.source} == set(LIVE)
    assert not any(m.source in FINAL for m in MOVES)


def test_buttons_come_from_the_table() -> None:
    assert [m.act for m in moves_from(Status.NON_ATTIVO, Who.MEMBER, accepted=False)] == ["accept", "refuse"]
    assert moves_from(Status.NON_ATTIVO, Who.MEMBER, accepted=True) == []
    assert [m.act for m in moves_from(Status.ATTIVO, Who.STAFF, accepted=True)] == ["suspend", "close"]


def test_an_illegal_move_says_so_in_italian() -> None:
    with pytest.raises(IllegalMove, match="nello stato RICHIESTA"):
        move("accept", Status.RICHIESTA)


def test_two_live_requests_of_one_member_are_impossible(pec: PecRequest, member: Member, domain: PecDomain) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        PecRequest.objects.create(member=member, domain=domain, address="altro@tsrm.org")
    outcome = lifecycle.request_pec([member.pk], domain, STAFF)
    assert [str(why) for _member, why in outcome.refused] == ["Ha già una richiesta o una casella PEC."]
