"""INI-PEC's own file: the PECs that members have already."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
from django_scopes import scopes_disabled

from audit.actors import Actor
from audit.models import LogEntry
from members import albi
from members.import_pecs import import_pecs, recognise
from members.import_rejects import write_rejects
from members.import_result import ImportResult
from members.importing import import_albo
from members.models import Member, Ordine
from members.spreadsheets import read_table
from pec_requests.models import PecDomain
from tests.members.invented import as_csv, line, ordine, tax_code

pytestmark = pytest.mark.django_db
ACTOR = Actor.process("test")
HEADER = "PEC;Nome;Cognome;Numero iscrizione;Codice fiscale;Stato;Data iscrizione;Data cancellazione"


@pytest.fixture(autouse=True)
def everything_in_sight(db: None) -> Iterator[None]:
    albi.install()
    with scopes_disabled():
        yield


@pytest.fixture
def umbria() -> Ordine:
    """Ten members, of whom the second and the third have a PEC; an eleventh person belongs to another Ordine."""
    umbria = ordine("umbria")
    import_albo(as_csv([line(n) for n in range(10)]), ordine=umbria, actor=ACTOR)
    import_albo(as_csv([line(11)]), ordine=ordine("lazio"), actor=ACTOR)
    for n in (1, 2):
        Member.objects.filter(tax_code=tax_code(n)).update(own_pec=f"Mario{n}@pec.example")
    PecDomain.objects.get_or_create(name="tsrm.org")
    return umbria


def pec(n: int, address: str, state: int | str = 2, code: str | None = None) -> str:
    return f"{address};Mario;Rossi;{n};{tax_code(n) if code is None else code};{state};;"


def run(text: str, into: Ordine, **options: bool) -> ImportResult:
    with read_table(io.BytesIO(text.encode())) as table:
        is_pecs, table = recognise(table)
        assert is_pecs
        return import_pecs(table, ordine=into, actor=ACTOR, **options)


def own_pecs() -> dict[int, str]:
    codes = dict(Member.objects.exclude(own_pec="").values_list("tax_code", "own_pec"))
    return {n: codes[tax_code(n)] for n in range(12) if tax_code(n) in codes}


LINES = [
    (pec(0, "nuova@pec.example"), "updated", ""),
    (pec(0, "NUOVA@pec.example", 1), "unchanged", ""),
    (pec(0, "altra@pec.example"), "rejected", "duplicate_conflict"),
    (pec(1, "mario1@PEC.example", 1), "unchanged", ""),
    (pec(2, "mario2@pec.example", 3), "updated", ""),
    (pec(2, "", 3), "unchanged", ""),
    (pec(3, "mai@pec.example", 3), "unchanged", ""),
    (pec(4, "vecchia@pec.example", 3), "unchanged", ""),
    (pec(4, "quattro@pec.example"), "updated", ""),
    (pec(5, "mario.rossi@TSRM.org"), "unchanged", "pec_of_convention"),
    (pec(6, "non un indirizzo"), "rejected", "pec_invalid"),
    (pec(6, ""), "rejected", "pec_invalid"),
    (pec(7, "sette@pec.example", 4), "rejected", "pec_state_unknown"),
    (pec(8, "otto@pec.example", 2, ""), "rejected", "cf_missing"),
    (pec(8, "otto@pec.example", 2, "RSSMRA80A01H501X"), "rejected", "cf_invalid"),
    (pec(99, "nessuno@pec.example"), "rejected", "person_unknown"),
    (pec(11, "lazio@pec.example"), "rejected", "other_ordine"),
    ("nove@pec.example;Mario", "rejected", "cf_missing"),
]
EXPECTED = [
    {
        "line": number,
        "outcome": outcome,
        "code": code if outcome == "rejected" else "",
        "warnings": [code] if code and outcome != "rejected" else [],
    }
    for number, (_text, outcome, code) in enumerate(LINES, 1)
]


@pytest.mark.parametrize("header", [[], [HEADER], ["mail;n;c;num;fisc;st"]])
def test_every_way_a_line_ends(umbria: Ordine, header: list[str]) -> None:
    text = "\r\n".join([*header, *(text for text, *_ends in LINES)])
    before = own_pecs()
    dry = run(text, umbria, dry_run=True)
    assert own_pecs() == before
    result = run(text, umbria)

    assert dry.as_json() == result.as_json()
    assert result.as_json()["lines"] == [{**o, "line": o["line"] + len(header)} for o in EXPECTED]
    assert result.counts | {"rows": 18, "updated": 3, "unchanged": 6, "rejected": 9, "members": 6} == result.counts
    assert own_pecs() == {0: "nuova@pec.example", 1: "Mario1@pec.example", 4: "quattro@pec.example"}
    said = LogEntry.objects.filter(action="member.updated").values_list("detail", "ordine")
    assert list(said) == [({"fields": "PEC propria"}, "umbria")] * 3

    again = run(text, umbria)
    assert (again.updated, again.rejected) == (0, 9)
    assert LogEntry.objects.filter(action="member.updated").count() == 3


def test_a_pec_that_is_not_the_one_on_record_is_not_taken_away(umbria: Ordine) -> None:
    result = run(pec(1, "altra@pec.example", 3), umbria)
    assert [(o.outcome, o.warnings) for o in result.lines] == [("unchanged", ["pec_kept"])]
    assert own_pecs()[1] == "Mario1@pec.example"
    assert run(pec(1, "", 3), umbria).updated == 1
    assert 1 not in own_pecs()


@pytest.mark.parametrize("header", [[], [HEADER]])
def test_the_rejects_can_be_corrected_and_imported(umbria: Ordine, header: list[str]) -> None:
    """They have headers, whether the file had or not."""
    result = run("\n".join([*header, pec(0, "nuova@pec.example"), pec(1, "sbagliata", 2)]), umbria)
    handed_back = io.StringIO()
    write_rejects(result, handed_back)
    assert "Motivo" in handed_back.getvalue() and "PEC manca o non" in handed_back.getvalue()
    assert run(handed_back.getvalue().replace("sbagliata", "giusta@pec.example"), umbria).counts["updated"] == 1
    assert own_pecs()[1] == "giusta@pec.example"


def test_an_albo_is_not_taken_for_it() -> None:
    with read_table(as_csv([line(1), line(2)])) as table:
        is_pecs, table = recognise(table)
        assert not is_pecs
        assert [number for number, _cells in table.rows] == [2, 3]
