"""Lists as files: what the list asks for and nothing else, as the import reads it back, and told in the log."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django_scopes import scopes_disabled

from audit.actors import Actor
from audit.models import LogEntry
from members import admin, albi, lists, table_files
from members.importing import import_albo
from members.models import Member, Ordine
from members.spreadsheets import read_table
from tests.factories import MemberFactory, OrdineFactory, UserFactory, staff

# A file is of one moment: its transaction is one of its own.
pytestmark = pytest.mark.django_db(transaction=True)
URL = "/admin/members/member/"
ALBO = Path(__file__).parent.parent / "data" / "albo_marche.csv"


@pytest.fixture
def ordine() -> Ordine:
    albi.install()
    return OrdineFactory(code="marche")


@pytest.fixture
def office(ordine: Ordine, client: Client) -> Client:
    client.force_login(staff(ordine))
    return client


def taken(client: Client, kind: str = "csv", path: str = URL, **query: str) -> bytes:
    response: Any = client.get(f"{path}esporta/{kind}/", query)
    assert (response.status_code == 200 and ".csv" in response["Content-Disposition"]) or kind != "csv"
    return b"".join(response.streaming_content)


def column(content: bytes, header: str) -> list[Any]:
    with read_table(io.BytesIO(content)) as table:
        place = table.headers.index(header)
        return [cells[place] for _line, cells in table.rows]


def told() -> list[tuple[str, str, dict[str, Any]]]:
    rows = LogEntry.objects.filter(action__startswith="list.").order_by("id")
    return [(entry.action, entry.ordine, entry.detail) for entry in rows]


def test_what_is_exported_can_be_imported_again(
    office: Client, ordine: Ordine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (lists, admin):
        monkeypatch.setattr(module, "PAGE", 70)
    actor = Actor.process("prova")
    first = import_albo(ALBO, ordine=ordine, actor=actor)
    for kind in ("csv", "xlsx"):
        content = taken(office, kind)
        again = import_albo(io.BytesIO(content), ordine=ordine, actor=actor, dry_run=True)
        assert (again.rows, again.unchanged) == (first.created, first.created) and again.members == first.members
    with scopes_disabled():
        assert set(column(content, "Codice fiscale")) == set(Member.objects.values_list("tax_code", flat=True))


def test_it_is_the_list_as_it_is_filtered(office: Client, ordine: Ordine) -> None:
    with scopes_disabled():
        MemberFactory(ordine=ordine, surname="Rossi", name="Ada", province="AN")
        MemberFactory(ordine=ordine, surname="Rossi", name="Ugo", province="MC", personal_email="")
        MemberFactory(ordine=ordine, surname="Verdi", name="Ada", province="AN")
        MemberFactory(surname="Rossi", name="Altrove")
    assert column(taken(office), "Cognome") == ["Rossi", "Rossi", "Verdi"]
    assert column(taken(office, q="ross"), "Nome") == ["Ada", "Ugo"]
    assert column(taken(office, "xlsx", q="ross", avviso="email_missing"), "Nome") == ["Ugo"]
    assert column(taken(office, q="nessuno"), "Nome") == []
    page = office.get(URL, {"q": "ross"}).content.decode()
    assert 'href="/admin/members/member/esporta/xlsx/?q=ross"' in page


def test_the_log_says_who_took_what(office: Client, ordine: Ordine) -> None:
    with scopes_disabled():
        member = MemberFactory(ordine=ordine)
    taken(office, q=f"{member.tax_code} 12", pec="senza")
    (begun, where, asked), (ended, _there, outcome) = told()
    assert (begun, where, ended) == ("list.exported", "marche", "list.export_ended")
    assert asked == {"list": "iscritti", "kind": "CSV", "asked": f"q={member.tax_code[:3]}••• 12&pec=senza"}
    assert outcome == {"list": "iscritti", "kind": "CSV", "rows": 0}


def test_a_file_that_nobody_takes_to_its_end_is_told_too(
    office: Client, ordine: Ordine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_files, "_BATCH", 1)
    with scopes_disabled():
        MemberFactory.create_batch(3, ordine=ordine)
    response: Any = office.get(f"{URL}esporta/csv/")
    next(iter(response.streaming_content))
    response.close()
    assert told() == []  # nothing was read
    response = office.get(f"{URL}esporta/csv/")
    content = iter(response.streaming_content)
    assert [bool(next(content)) for _mark_headings_and_a_row in range(3)]
    response.close()
    assert [action for action, *_rest in told()] == ["list.exported", "list.export_broken"]


def test_staff_of_nowhere_and_other_kinds(ordine: Ordine, client: Client) -> None:
    with scopes_disabled():
        MemberFactory(ordine=ordine)
    client.force_login(staff(OrdineFactory()))
    assert column(taken(client), "Cognome") == []
    assert client.get(f"{URL}esporta/pdf/").status_code == 404
    assert client.get(f"{URL}esporta/csv/", {"province__startswith": "A"}).status_code == 400
    client.force_login(UserFactory())
    assert client.get(f"{URL}esporta/csv/").status_code == 302
    client.force_login(UserFactory(is_superuser=True, is_staff=True))
    assert len(column(taken(client), "Cognome")) == 1
    assert [where for _action, where, _detail in told()][-1] == ""
