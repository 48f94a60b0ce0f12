"""How the lines of one person become one record, and odd files: what the statements of the import must get right."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from django_scopes import scopes_disabled

from audit.actors import Actor
from audit.models import LogEntry
from members import albi
from members.import_rejects import write_rejects
from members.import_result import ImportResult
from members.importing import import_albo
from members.models import Enrolment, Member, Ordine
from tests.members.invented import HEADERS, as_csv, line, ordine, tax_code
from tests.members.test_importing import whole_register

DATA = Path(__file__).parent.parent / "data"
ACTOR = Actor(name="anna", ip="192.0.2.1")
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def everything_in_sight(db: None) -> Iterator[None]:
    albi.install()
    with scopes_disabled():
        yield


@pytest.fixture
def umbria() -> Ordine:
    return ordine("umbria")


def run(lines: list[dict[str, str]], into: Ordine, **options: Any) -> ImportResult:
    return import_albo(as_csv(lines), ordine=into, actor=ACTOR, **options)


def told(result: ImportResult) -> list[tuple[int, str, str, list[str]]]:
    return [(o.line, o.outcome, o.code, o.warnings) for o in result.lines]


def test_what_the_database_derives_is_what_the_model_derives(umbria: Ordine) -> None:
    """Also where birth date and sex come from another line, or were on record before."""
    import_albo(DATA / "albo_marche.csv", ordine=ordine("marche"), actor=ACTOR)
    run(whole_register(ordine("lazio"), 400).lines, umbria)
    run([line(5000, Data_di_nascita="02/01/1980"), line(5001, Sesso="F"), line(5002, Email="no")], umbria)
    silent = {"Data_di_nascita": "", "Sesso": "", "Email": "", "Cellulare": "071"}
    run([line(number, **silent) for number in (5000, 5001, 5002, 5003)], umbria)
    run([line(5003, Albo="Dietista", Data_di_nascita="02/01/1980", Sesso="", Email="")], umbria)
    assert Member.objects.filter(tax_code_mismatch=True).count() > 3
    for member in Member.objects.all():
        kept = (member.search_key, member.tax_code_mismatch, member.email_problem)
        member.derive()
        assert kept == (member.search_key, member.tax_code_mismatch, member.email_problem)


def test_a_person_in_three_albi(umbria: Ordine) -> None:
    """Each field is that of the first line that has it; the line that brings a change is the one that is updated."""
    albi_of = [line(1, Albo=albo) for albo in ("Dietista", "Logopedista", "Podologo")]
    first, second, third = albi_of
    first |= {"Email": "", "Cellulare": "", "Data di nascita": "", "CAP": "00001"}
    second |= {"Email": "a@example.it", "Cellulare": "", "CAP": "00002", "Cognome": "Rossini"}
    third |= {"Email": "A@EXAMPLE.it", "Cellulare": "071", "CAP": "00001", "PEC": "M@pec.example.it"}
    result = run(albi_of, umbria)
    assert told(result) == [(3, "created", "", ["contact_conflict"])]
    member = Member.objects.get()
    assert (member.personal_email, member.mobile, member.postcode) == ("a@example.it", "071", "00001")
    assert (member.surname, member.birth_date, member.own_pec) == ("Rossi", date(1980, 1, 1), "M@pec.example.it")
    assert Enrolment.objects.count() == 3
    assert LogEntry.objects.filter(action="member.created").count() == 1

    third["Cellulare"], third["Numero iscrizione"] = "072", "33"
    second["Data di nascita"] = "02/01/1980"
    result = run(albi_of, umbria)
    assert told(result) == [
        (2, "unchanged", "", ["cf_mismatch"]),
        (3, "updated", "", ["cf_mismatch", "contact_conflict"]),
        (4, "updated", "", []),
    ]
    entry = LogEntry.objects.get(action="member.updated")
    assert entry.detail == {"fields": "data di nascita, cellulare, iscrizione"}
    assert (entry.actor_name, entry.ip, entry.object_type, entry.object_id, entry.person, entry.ordine) == (
        "anna", "192.0.2.1", "members.member", member.pk, member.pk, "umbria",
    )  # fmt: skip


def test_a_repeated_line_says_nothing_new_and_a_different_one_is_rejected(umbria: Ordine) -> None:
    same, other = line(1), line(1, Stato="SOSPESO")
    assert told(run([same, same, other, same], umbria)) == [
        (3, "unchanged", "", []),
        (4, "rejected", "duplicate_conflict", []),
        (5, "unchanged", "", []),
    ]
    assert Enrolment.objects.get().status == "ISCRITTO"
    # The enrolment stays cancelled without a date, or loses it: that is a difference, though both cells are empty.
    cancelled, enrolled = line(2, Stato="CANCELLATO"), line(2)
    assert told(run([cancelled, enrolled], umbria))[0][2] == "duplicate_conflict"


def test_the_record_speaks_where_the_line_is_silent(umbria: Ordine) -> None:
    run([line(1, Sesso="F"), line(2, Data_di_nascita="02/01/1980"), line(3, Email="m@pec.example.it"), line(4)], umbria)
    Member.objects.filter(tax_code=tax_code(4)).update(email_confirmed_at=timezone.now())
    silent = [line(number, Sesso="", Data_di_nascita="", Email="") for number in (1, 2, 3, 4)]
    assert [warnings for *_rest, warnings in told(run(silent, umbria))] == [
        ["cf_mismatch"], ["cf_mismatch"], ["email_is_pec"], [],
    ]  # fmt: skip


def test_values_that_mean_something_to_copy(umbria: Ordine) -> None:
    odd = {"Indirizzo": "\\N", "Comune": "\\.", "Cognome": "D\\'Angelo \\t", "PEC": 'a"b\\', "Cellulare": "{1,2}"}
    run([line(1, **odd)], umbria)
    member = Member.objects.get()
    assert [member.address, member.town, member.surname, member.own_pec, member.mobile] == list(odd.values())
    assert run([line(1, **odd)], umbria).unchanged == 1


def test_names_in_another_alphabet_fit_their_search_key(umbria: Ordine) -> None:
    assert run([line(1, Cognome="龍" * 80, Nome="鷹" * 80)], umbria).created == 1
    member = Member.objects.get()
    member.save()
    assert len(member.search_key) == 170


def test_a_file_of_headers_alone(umbria: Ordine) -> None:
    result = run([], umbria)
    assert set(result.counts.values()) == {0}
    assert (list(result.lines), list(result.rejects)) == ([], [])
    assert LogEntry.objects.get().action == "albo.imported"


def test_a_file_of_which_nothing_can_be_taken(umbria: Ordine) -> None:
    lines = [line(number, Nome="") for number in range(3)] + [line(4, Codice_fiscale="", Indirizzo="x" * 100_000)]
    result = run(lines, umbria)
    assert (result.rejected, result.members, Member.objects.count()) == (4, 0, 0)
    file = io.StringIO(newline="")
    write_rejects(result, file)
    assert file.getvalue().count("\r\n") == 5
    assert [(rejected.line, rejected.code) for rejected in result.rejects] == [
        (2, "name_missing"), (3, "name_missing"), (4, "name_missing"), (5, "cf_missing"),
    ]  # fmt: skip


def test_what_is_rejected_only_in_the_end_is_handed_back_as_it_was(umbria: Ordine) -> None:
    run([line(1)], ordine("lazio"))
    lines = [line(2), line(1), line(2, CAP=" 00001 "), line(3, Stato="boh")]
    result = run(lines, umbria, dry_run=True)
    assert [(r.line, r.code, r.cells) for r in result.rejects] == [
        (3, "other_ordine", list(lines[1].values())),
        (4, "duplicate_conflict", list(lines[2].values())),
        (5, "status_unknown", list(lines[3].values())),
    ]
    assert list(lines[0]) == HEADERS
    assert not LogEntry.objects.filter(ordine="umbria").exists()
