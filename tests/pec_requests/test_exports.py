"""The files of the lists that PEC is in."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.test import Client

from members.spreadsheets import read_table
from pec_requests.models import Difference, PecRequest
from tests.factories import staff

pytestmark = pytest.mark.django_db(transaction=True)


def rows(client: Client, path: str) -> list[dict[str, Any]]:
    response: Any = client.get(f"{path}esporta/xlsx/")
    with read_table(io.BytesIO(b"".join(response.streaming_content))) as table:
        return [dict(zip(table.headers, cells, strict=True)) for _line, cells in table.rows]


def test_members_with_their_casella(client: Client, ready: PecRequest) -> None:
    client.force_login(staff(ready.member.ordine))
    row = rows(client, "/admin/members/member/")[0]
    assert (row["Codice fiscale"], row["Casella PEC"]) == (ready.member.tax_code, ready.address)
    assert row["Stato della casella"] == "NON ATTIVO"


def test_requests_with_their_people(client: Client, ready: PecRequest) -> None:
    client.force_login(staff(ready.member.ordine))
    row = rows(client, "/admin/pec_requests/pecrequest/")[0]
    assert row["Indirizzo"] == ready.address and row["Cognome"] == ready.member.surname
    assert (row["Stato"], row["Email di recupero"]) == ("NON ATTIVO", ready.recovery_email)
    assert row["Codice fiscale"] == ready.member.tax_code


def test_operations_and_differences_as_their_lists_show_them(client: Client, ready: PecRequest) -> None:
    Difference.objects.create(
        kind=Difference.Kind.MISSING_THERE, address=ready.address, request=ready, member=ready.member
    )
    client.force_login(staff(ready.member.ordine))
    (operation,) = rows(client, "/admin/pec_requests/provideroperation/")
    assert (operation["Operazione"], operation["Esito"]) == ("Creazione della casella", "riuscita")
    (difference,) = rows(client, "/admin/pec_requests/difference/")
    assert (difference["Casella"], difference["Differenza"]) == (ready.address, "manca presso il gestore")
