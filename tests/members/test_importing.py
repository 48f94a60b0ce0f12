"""Importing a register: the outcome of every line, and what is on record afterwards."""

from __future__ import annotations

import csv
import io
import json
import random
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from django.db import connection
from django.utils import timezone
from django_scopes import scopes_disabled
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from audit.actors import Actor
from audit.models import LogEntry
from members import albi
from members.import_rejects import write_rejects
from members.import_result import ImportResult
from members.importing import import_albo
from members.models import Albo, Enrolment, Member, Ordine
from members.spreadsheets import UnreadableFile
from tests.members.invented import HEADERS, Register, as_csv, line, ordine, tax_code

DATA = Path(__file__).parent.parent / "data"
ACTOR = Actor.process("test")
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def everything_in_sight(db: None) -> Iterator[None]:
    """The tests look at all Ordini; the import sets its own scope. Transactional tests empty the list of albi."""
    albi.install()
    with scopes_disabled():
        yield


@pytest.fixture
def umbria() -> Ordine:
    return ordine("umbria")


def run(lines: list[dict[str, str]], into: Ordine, **options: Any) -> ImportResult:
    return import_albo(as_csv(lines), ordine=into, actor=ACTOR, **options)


def outcomes(result: ImportResult) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = result.as_json()["lines"]
    return lines


def endings(result: ImportResult) -> list[tuple[str, str, list[str]]]:
    return [(o["outcome"], o["code"], o["warnings"]) for o in outcomes(result)]


def versions() -> list[tuple[Any, ...]]:
    """Which transaction wrote each row last: equal before and after means that nothing was written."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 'm', id, xmin::text, ctid::text FROM members_member"
            " UNION ALL SELECT 'e', id, xmin::text, ctid::text FROM members_enrolment ORDER BY 1, 2"
        )
        return cursor.fetchall()


def test_the_register_of_the_marche() -> None:
    expected = json.loads((DATA / "albo_marche.expected.json").read_text())
    marche = ordine("marche")

    first = import_albo(DATA / "albo_marche.csv", ordine=marche, actor=ACTOR)

    assert outcomes(first) == expected["exceptions"]
    assert first.counts == {
        "rows": expected["file_rows"],
        "created": expected["enrolments"],
        "updated": 0,
        "unchanged": expected["unchanged"],
        "rejected": expected["rejected"],
        "warnings": sum(len(e["warnings"]) for e in expected["exceptions"]),
        "members": expected["members"],
    }
    assert (Member.objects.count(), Enrolment.objects.count()) == (expected["members"], expected["enrolments"])
    sample = Member.objects.get(tax_code="MLLFLV01D01A271G")
    assert (sample.surname, sample.birth_date, sample.postcode) == ("Müller", date(2001, 4, 1), "63100")
    assert Counter(Member.objects.values_list("tax_code_mismatch", flat=True))[True] == 3

    written = versions()
    again = import_albo(DATA / "albo_marche.csv", ordine=marche, actor=ACTOR)

    assert versions() == written
    assert (again.created, again.updated) == (0, 0)
    assert again.unchanged == expected["enrolments"] + expected["unchanged"]
    assert (again.rejected, again.warnings, again.members) == (first.rejected, first.warnings, first.members)
    warned = {o["line"]: o["warnings"] for o in outcomes(again) if o["warnings"]}
    assert warned == {e["line"]: e["warnings"] for e in expected["exceptions"] if e["warnings"]}


def test_a_dry_run_says_the_same_and_writes_nothing(umbria: Ordine) -> None:
    path = DATA / "albo_marche.csv"
    dry = import_albo(path, ordine=umbria, actor=ACTOR, dry_run=True)
    assert not Member.objects.exists()
    assert not LogEntry.objects.exists()
    assert dry.as_json() == import_albo(path, ordine=umbria, actor=ACTOR).as_json()


def whole_register(other: Ordine, size: int = 2_400) -> Register:
    """Every outcome there is, many times over, among lines that are plainly right."""
    register = Register()
    run([line(number * 20) for number in range(0, size // 20, 40)], other)
    for number in range(size // 20):
        n = number * 20
        register.add(line(n), *(("rejected", "other_ordine") if number % 40 == 0 else ()))
        register.add(line(n + 1, Codice_fiscale=""), "rejected", "cf_missing")
        register.add(line(n + 2, Codice_fiscale="RSSMRA80A01H501X", Cognome=""), "rejected", "cf_invalid")
        register.add(line(n + 3, Nome=" ", Data_di_nascita="31/02/1980"), "rejected", "name_missing")
        register.add(line(n + 4, Data_iscrizione="1980-13-01", Albo="Mago"), "rejected", "date_invalid")
        register.add(line(n + 5, Albo="Mago", Stato="BOH"), "rejected", "albo_unknown")
        register.add(line(n + 6, Albo="FISIOTERAPISTA", Stato="BOH"), "rejected", "albo_closed")
        register.add(line(n + 7, Stato="BOH", Email=""), "rejected", "status_unknown")
        register.add(line(n + 8, Cognome="Bianchi"), "created", "", "cf_mismatch")
        register.add(line(n + 9, Email=""), "created", "", "email_missing")
        register.add(line(n + 10, Email="a b@example.it"), "created", "", "email_invalid")
        register.add(line(n + 11, Email="m@pec.example.it", Sesso="F"), "created", "", "cf_mismatch", "email_is_pec")
        register.add(line(n + 12, Codice_fiscale=f" {tax_code(n + 12).lower()} ", Albo="LOGOPEDISTA "))
        register.add(line(n + 12), "unchanged")
        register.add(line(n + 12, Numero_iscrizione="X"), "rejected", "duplicate_conflict")
        register.add(line(n + 12, Albo="Dietista", Cellulare="071"), "created", "", "contact_conflict")
        register.add(line(n + 13, Stato="cancellato", Data_cancellazione="2026-01-31"))
        register.add(line(n + 14, Albo="terapista della Neuro e psicomotricita' dell'eta' evolutiva", Stato="Sospeso"))
        register.add(line(n + 15, Albo="Dietista"))
        register.add(line(n + 15, Albo="Podologo", Numero_iscrizione="1"))
    return register


def test_another_ordine_in_utf8_with_bom_commas_shuffled_and_unknown_columns(umbria: Ordine) -> None:
    register = whole_register(ordine("lazio"))
    headers = [*HEADERS, "Note", "Delegato, se c'è", "Titolo"]
    random.Random(7).shuffle(headers)
    lines = [{**values, "Note": "a;b\nc", "Titolo": '"Dott."'} for values in register.lines]

    result = import_albo(
        as_csv(lines, encoding="utf-8-sig", delimiter=",", headers=headers), ordine=umbria, actor=ACTOR
    )

    # Each record takes two lines of this file.
    assert [{**o, "line": o["line"] // 2 + 1} for o in outcomes(result)] == register.expected
    assert result.rows == 2_400
    assert Counter(o["code"] for o in register.expected)["other_ordine"] == result.rejected - 120 * 8

    written = versions()
    again = import_albo(as_csv(register.lines, encoding="utf-16", delimiter="\t"), ordine=umbria, actor=ACTOR)
    assert versions() == written
    assert (again.created, again.updated, again.rejected) == (0, 0, result.rejected)


def test_xlsx_gives_what_csv_gives(umbria: Ordine) -> None:
    lines = [line(1), line(2, Codice_fiscale=""), line(3, Nome=""), line(4, Data_di_nascita="")]
    file = io.BytesIO()
    book = xlsxwriter.Workbook(file, {"default_date_format": "dd/mm/yyyy"})
    sheet = book.add_worksheet()
    sheet.write_row(0, 0, HEADERS)
    for row, values in enumerate(lines, 1):
        sheet.write_row(row, 0, values.values())
        sheet.write_datetime(row, HEADERS.index("Data iscrizione"), date(2020, 3, 2))
        sheet.write_number(row, HEADERS.index("Numero iscrizione"), row)
    book.close()

    result = import_albo(file, ordine=umbria, actor=ACTOR)

    assert [(o["line"], o["code"]) for o in outcomes(result)] == [(3, "cf_missing"), (4, "name_missing")]
    written = versions()
    assert run(lines, umbria).unchanged == 2
    assert versions() == written


FIELDS = {
    "Cognome": ("surname", "Bianchi"),
    "Nome": ("name", "Mariano"),
    "Sesso": ("sex", "F"),
    "Data di nascita": ("birth_date", "03/01/1980"),
    "Comune di nascita": ("birth_place", "Fermo"),
    "Provincia di nascita": ("birth_province", "(FM)"),
    "Matricola": ("file_number", "X1"),
    "Email": ("personal_email", "nuova@example.it"),
    "Cellulare": ("mobile", "+39 071 1"),
    "PEC": ("own_pec", "m@pec.example.it"),
    "Indirizzo": ("address", "Via Nuova, 1"),
    "CAP": ("postcode", "00100"),
    "Comune": ("town", "Roma"),
    "Provincia": ("province", "rm"),
    "Numero iscrizione": ("number", "99"),
    "Data iscrizione": ("enrolled_on", "03/01/1980"),
    "Stato": ("status", "SOSPESO"),
    "Data cancellazione": ("cancelled_on", "03/01/1980"),
}
KEPT_AS = {"(FM)": "FM", "rm": "RM", "03/01/1980": date(1980, 1, 3)}


@pytest.mark.parametrize("header", FIELDS)
def test_each_field_is_updated(umbria: Ordine, header: str) -> None:
    field, value = FIELDS[header]
    run([line(1), line(2)], umbria)
    result = run([{**line(1), header: value}, line(2)], umbria)
    assert [(o["line"], o["outcome"]) for o in outcomes(result)] == [(2, "updated"), (3, "unchanged")]
    member = Member.objects.get(tax_code=tax_code(1))
    row = member if hasattr(member, field) else member.enrolments.get()
    assert getattr(row, field) == KEPT_AS.get(value, value)
    assert member.tax_code_mismatch == (header in ("Cognome", "Nome", "Sesso", "Data di nascita"))
    entry = LogEntry.objects.get(action="member.updated")
    assert (entry.person, entry.ordine) == (member.pk, "umbria")
    assert member.tax_code not in json.dumps(entry.detail)


def test_derived_fields_follow_an_update(umbria: Ordine) -> None:
    run([line(1)], umbria)
    run([line(1, Cognome="Müller", Email="m@pec.example.it")], umbria)
    member = Member.objects.get()
    assert (member.search_key, member.tax_code_mismatch, member.email_problem) == (
        " muller  mario",
        True,
        "email_is_pec",
    )


def test_empty_cells_and_absent_columns_erase_nothing(umbria: Ordine) -> None:
    run([line(1)], umbria)
    written = versions()
    empty = dict.fromkeys(HEADERS, "") | {h: line(1)[h] for h in ("Codice fiscale", "Cognome", "Nome", "Albo", "Stato")}
    assert endings(run([empty], umbria)) == [("unchanged", "", [])]
    few = as_csv([line(1)], headers=["Nome", "Albo", "Codice fiscale", "Cognome"])
    assert endings(import_albo(few, ordine=umbria, actor=ACTOR)) == [("unchanged", "", [])]
    assert versions() == written


def test_without_a_status_whoever_is_new_is_enrolled(umbria: Ordine) -> None:
    few = [header for header in HEADERS if header != "Stato"]
    import_albo(as_csv([line(1)], headers=few), ordine=umbria, actor=ACTOR)
    assert Enrolment.objects.get().status == "ISCRITTO"


def test_enrolled_again_means_no_longer_cancelled(umbria: Ordine) -> None:
    run([line(1, Stato="CANCELLATO", Data_cancellazione="01/02/2024")], umbria)
    assert run([line(1)], umbria).updated == 1
    assert Enrolment.objects.get().cancelled_on is None


def test_a_second_enrolment_is_created_and_leaves_the_first(umbria: Ordine) -> None:
    run([line(1)], umbria)
    result = run([line(1, Albo="Dietista"), line(1)], umbria)
    assert (result.created, result.unchanged, result.members) == (1, 1, 1)
    assert Enrolment.objects.count() == 2


def test_a_change_of_the_person_is_told_once(umbria: Ordine) -> None:
    both = [line(1), line(1, Albo="Dietista")]
    run(both, umbria)
    result = run([{**values, "Cellulare": "071"} for values in both], umbria)
    assert [o["outcome"] for o in outcomes(result)] == ["updated", "unchanged"]


def test_a_confirmed_email_is_kept(umbria: Ordine) -> None:
    run([line(1)], umbria)
    Member.objects.update(email_confirmed_at=timezone.now())
    result = run([line(1, Email="altra@example.it", Cellulare="071")], umbria)
    assert endings(result) == [("updated", "", ["email_kept"])]
    assert endings(run([line(1, Email="MARIO1@example.it", Cellulare="071")], umbria)) == [("unchanged", "", [])]
    member = Member.objects.get()
    assert (member.personal_email, member.mobile) == ("mario1@example.it", "071")
    assert member.email_confirmed_at


def test_a_mobile_that_the_member_wrote_is_kept(umbria: Ordine) -> None:
    """Also that there is none; another way of writing the same is not worth a warning."""
    both = [line(1, Cellulare="333 1234567"), line(1, Albo="Dietista", Cellulare="333 1234567")]
    run(both, umbria)
    Member.objects.update(mobile="3331234567", mobile_set_at=timezone.now())
    assert [warnings for _outcome, _code, warnings in endings(run(both, umbria))] == [[], []]
    Member.objects.update(mobile="")
    kept = endings(run(both, umbria))
    assert kept == [("unchanged", "", ["mobile_kept"])] * 2
    assert Member.objects.get().mobile == ""


def test_of_two_lines_that_disagree_on_contacts_the_first_counts(umbria: Ordine) -> None:
    lines = [line(1, PEC=""), line(1, Albo="Dietista", Email="altra@example.it", PEC="m@pec.example.it")]
    for outcome in ("created", "unchanged"):
        result = run(lines, umbria)
        assert endings(result)[-1] == (outcome, "", ["contact_conflict"])
    member = Member.objects.get()
    assert (member.personal_email, member.own_pec) == ("mario1@example.it", "m@pec.example.it")


def test_an_email_given_by_another_line_is_not_missing(umbria: Ordine) -> None:
    assert run([line(1, Email=""), line(1, Albo="Dietista")], umbria).warnings == 0


def test_a_person_of_another_ordine_is_rejected_and_untouched(umbria: Ordine) -> None:
    run([line(1)], umbria)
    written = versions()
    result = run([line(1, Cellulare="071"), line(1, Albo="Dietista")], ordine("lazio"))
    assert endings(result) == [("rejected", "other_ordine", [])] * 2
    assert result.members == 0
    assert versions() == written


def test_a_closed_albo_takes_only_the_cancellation_of_who_is_in_it(umbria: Ordine) -> None:
    gone = line(1, Stato="CANCELLATO", Data_cancellazione="01/02/2024")
    future = line(2, Albo="Osteopata")
    Albo.objects.create(name="Osteopata", valid_from=date(2999, 1, 1))
    run([line(1)], umbria)
    Albo.objects.filter(name="Logopedista").update(valid_to=date(2023, 1, 1))
    result = run([line(1), gone, line(3, Stato="CANCELLATO"), future], umbria)
    assert [(o["outcome"], o["code"]) for o in outcomes(result)] == [
        ("rejected", "albo_closed"),
        ("updated", ""),
        ("rejected", "albo_closed"),
        ("rejected", "albo_closed"),
    ]


@pytest.mark.parametrize("header", ["Cognome", "Numero iscrizione", "Cellulare", "CAP", "Email", "Indirizzo"])
def test_what_does_not_fit_goes_back_to_the_office(umbria: Ordine, header: str) -> None:
    assert endings(run([{**line(1), header: "x" * 300}], umbria)) == [("rejected", "value_too_long", [])]


def test_cells_without_a_header(umbria: Ordine) -> None:
    data = as_csv([line(1), line(2)]).getvalue().replace(b";AN\r\n", b";AN;;\r\n", 1)[:-2] + b";in piu'\r\n"
    result = import_albo(io.BytesIO(data), ordine=umbria, actor=ACTOR)
    assert (result.created, endings(result)) == (1, [("rejected", "cells_misplaced", [])])


def test_more_lines_than_an_import_takes(umbria: Ordine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("members.importing.MAX_LINES", 2)
    assert run([line(1), line(2)], umbria).created == 2
    with pytest.raises(UnreadableFile, match="più di 2 righe"):
        run([line(1), line(2), line(3)], umbria)


def test_the_log_says_who_and_which_file(umbria: Ordine) -> None:
    import_albo(DATA / "albo_marche.csv", ordine=umbria, actor=Actor(name="anna", user_id=None, ip="192.0.2.1"))
    entry = LogEntry.objects.get(action="albo.imported")
    assert (entry.actor_name, entry.ip, entry.ordine, entry.object_id) == ("anna", "192.0.2.1", "umbria", umbria.pk)
    assert entry.sentence == "Albo importato dal file albo_marche.csv: 573 create, 0 aggiornate, 24 respinte"
    assert LogEntry.objects.filter(action="member.created").count() == 569


def test_rejects_corrected_and_imported_again(umbria: Ordine) -> None:
    bad = [
        line(1, Stato="BOH", Cellulare="+39 333", Indirizzo="=Via|Roma"),
        line(2, Nome=""),
        line(3, Codice_fiscale=""),
    ]
    result = import_albo(as_csv(bad, delimiter=","), ordine=umbria, actor=ACTOR)
    file = io.StringIO(newline="")
    write_rejects(result, file)
    rows = list(csv.DictReader(io.StringIO(file.getvalue())))
    assert [row.pop("Motivo") for row in rows][1] == "Manca il cognome o il nome."
    assert (rows[0]["Cellulare"], rows[0]["Indirizzo"]) == ("'+39 333", "'=Via\\|Roma")

    text = file.getvalue().replace("BOH", "ISCRITTO")
    again = import_albo(io.BytesIO(text.encode("utf-8-sig")), ordine=umbria, actor=ACTOR)

    assert (again.created, again.rejected) == (1, 2)
    member = Member.objects.get()
    assert (member.mobile, member.address) == ("+39 333", "=Via|Roma")
    file = io.StringIO(newline="")
    write_rejects(again, file)
    assert file.getvalue().splitlines()[0].split(",") == [*HEADERS, "Motivo"]


def test_the_cost_in_queries_does_not_grow_with_the_file(umbria: Ordine, django_assert_num_queries: Any) -> None:
    run([line(0)], umbria)
    for size in (10, 100):
        with django_assert_num_queries(38):
            run([line(0, Cellulare=str(size)), *(line(size * 2 + n) for n in range(size))], umbria)


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(cells=st.lists(st.tuples(st.sampled_from(HEADERS), st.text(max_size=60)), min_size=1, max_size=6))
def test_any_text_in_any_cell_has_an_outcome(umbria: Ordine, cells: list[tuple[str, str]]) -> None:
    try:
        data = as_csv([line(1) | dict(cells), line(2)], encoding="utf-8-sig")
    except UnicodeEncodeError:  # lone surrogates are in no file
        return
    try:
        result = import_albo(data, ordine=umbria, actor=ACTOR)
    except UnreadableFile:
        return
    assert result.rows == 2
    assert result.created + result.updated + result.unchanged + result.rejected == 2
