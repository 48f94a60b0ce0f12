"""The rules of the matrix, and that its oracle sees what it is there to see."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pec_requests.models import ProviderOperation
from pec_requests.states import MOVES, Kind, Who
from tests.faults import report
from tests.faults.matrix import ENDS, Cell, Fault, Point, impossible, left_out, rows
from tests.faults.oracle import Facts, Verdict, verdict

State = ProviderOperation.State
ADDRESS = "mario.rossi@tsrm.org"
EMAIL = "mario@example.com"
CODE = "RSSMRA80A01A001X"
MAILBOX = {
    "name": ADDRESS, "status": "Certificato", "suspensionDate": None, "recoveryEmail": EMAIL,
    "owner": {"taxCode": CODE},
}  # fmt: skip
RESET = Cell(Kind.RESET, Point.AFTER_EFFECT, Fault.CLOSED)
SENT = Facts(ADDRESS, "ATTIVO", EMAIL, [State.DONE], 1, MAILBOX, {"pec.reset.sent": 1}, "Link spedito", CODE)
NOT_KNOWN = replace(
    SENT, states=[State.UNKNOWN], logged={"pec.reset.unknown": 1}, told="Non sappiamo se il link è partito"
)


def judged(fact: Facts, cell: Cell = RESET) -> Verdict:
    return verdict(cell, [fact], {ADDRESS: EMAIL})


def test_every_kind_of_operation_has_its_ends() -> None:
    assert set(ENDS) == set(Kind)
    for move in MOVES:
        if move.operation and move.who in (Who.STAFF, Who.MEMBER, Who.WORKER):
            assert ENDS[move.operation].status == move.target


def test_every_pair_is_a_row_or_left_out_with_a_reason() -> None:
    here = {(row.fault, row.point) for row in rows()}
    there = {pair for pairs in left_out().values() for pair in pairs}
    assert not here & there
    assert len(here | there) == len(Fault) * len(Point)
    assert all(any(not impossible(point, fault) for point in Point) for fault in Fault)


def test_the_whole_is_ten_thousand_operations() -> None:
    from tests.faults.__main__ import SIZE

    assert len(list(rows())) * len(ENDS) * SIZE >= 10_000


@pytest.mark.parametrize("fact", [SENT, NOT_KNOWN, replace(NOT_KNOWN, effects=0)])
def test_a_link_that_was_sent_or_of_which_nobody_knows_is_well(fact: Facts) -> None:
    assert judged(fact).good


TWICE = [{"effects": 2}, {"logged": {"pec.reset.sent": 2}}]
LOST: list[dict[str, Any]] = [
    {"effects": 0},
    {"logged": {}},
    {"states": [State.WAITING]},
    {"states": [State.ATTENTION]},
    {"states": []},
    {"states": [State.DONE, State.DONE]},
    {"status": "SOSPESO"},
    {"recovery_email": "altra@example.com"},
    {"mailbox": None},
    {"mailbox": MAILBOX | {"status": "Da Certificare"}},
    {"mailbox": MAILBOX | {"suspensionDate": "2026-01-31"}},
    {"mailbox": MAILBOX | {"recoveryEmail": "altra@example.com"}},
    {"mailbox": MAILBOX | {"owner": {"taxCode": "VRDLGU75T12A271E"}}},
]
UNTOLD: list[dict[str, Any]] = [
    {"logged": {}},
    {"logged": {"pec.reset.unknown": 1, "pec.reset.sent": 1}},
    {"told": "Link spedito"},
]


@pytest.mark.parametrize("change", TWICE)
def test_what_happened_twice_is_seen(change: dict[str, Any]) -> None:
    assert judged(replace(SENT, **change)).twice


@pytest.mark.parametrize("change", LOST)
def test_what_is_lost_is_seen(change: dict[str, Any]) -> None:
    found = judged(replace(SENT, **change))
    assert found.lost
    assert found.strays == {ADDRESS}


@pytest.mark.parametrize("change", UNTOLD)
def test_an_unknown_outcome_that_the_member_does_not_learn_of_is_lost(change: dict[str, Any]) -> None:
    assert judged(replace(NOT_KNOWN, **change)).lost


@pytest.mark.parametrize("point", [Point.CLAIMING, Point.BEFORE_CALL])
def test_nobody_may_not_know_where_nothing_was_in_doubt(point: Point) -> None:
    assert judged(NOT_KNOWN, Cell(Kind.RESET, point, Fault.REVOKED)).lost


def test_the_table_counts_and_names_what_is_bad() -> None:
    cell: dict[str, Any] = {
        "kind": "RESET", "point": "CLAIMING", "fault": "KILL", "good": False, "operations": 3, "struck": 2,
        "unknown": 0, "lost": [], "twice": ["due volte"], "trouble": "", "seconds": 1.0,
    }  # fmt: skip
    shown = report.table([cell, cell | {"kind": "CLOSE", "twice": [], "good": True}])
    assert "durante la presa in carico" in shown
    assert "NO: KILL-CLAIMING RESET: due volte" in shown
    total = next(line for line in shown.splitlines() if line.startswith("totale"))
    assert total.split()[1:8] == ["2", "celle", "6", "4", "0", "1", "0"]
