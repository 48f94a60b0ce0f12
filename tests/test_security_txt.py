"""Who finds a hole finds somebody to tell."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from albo_pec import security_txt

pytestmark = pytest.mark.django_db
ADDRESS = "/.well-known/security.txt"


@pytest.mark.parametrize(
    ("given", "uri"),
    [
        ("sicurezza@albo.example", "mailto:sicurezza@albo.example"),
        (" mailto:sicurezza@albo.example ", "mailto:sicurezza@albo.example"),
        ("https://albo.example/sicurezza", "https://albo.example/sicurezza"),
        ("tel:+39-071-1234", "tel:+39-071-1234"),
        *((wrong, "") for wrong in ("", "la segreteria", "http://albo.example", "a@b.it\nContact: c@d.it", "x y@z.it")),
        ("javascript:alert(1)", ""),
    ],
)
def test_whom_one_can_tell(settings: Any, given: str, uri: str) -> None:
    settings.SECURITY_CONTACT = given
    assert security_txt.contact() == uri


def test_the_file_and_the_page_it_leads_to(client: Client, settings: Any) -> None:
    settings.PORTAL_URL, settings.SECURITY_CONTACT = "https://albo.example", "sicurezza@albo.example"
    answer = client.get(ADDRESS)
    assert answer.status_code == 200 and answer["Content-Type"] == "text/plain; charset=utf-8"
    fields = dict(line.split(": ", 1) for line in answer.content.decode().splitlines())
    expires = datetime.fromisoformat(fields.pop("Expires"))
    assert timedelta(days=30) < expires - datetime.now(UTC) < timedelta(days=365)
    assert fields == {
        "Contact": "mailto:sicurezza@albo.example",
        "Preferred-Languages": "it, de, en",
        "Canonical": f"https://albo.example{ADDRESS}",
        "Policy": f"https://albo.example{reverse('help')}#sicurezza",
    }
    page = client.get(reverse("help")).content.decode()
    assert 'id="sicurezza"' in page and 'href="mailto:sicurezza@albo.example"' in page


def test_where_nobody_is_named_there_is_no_file(client: Client, settings: Any) -> None:
    settings.SECURITY_CONTACT = ""
    assert client.get(ADDRESS).status_code == 404
    assert "alla segreteria del tuo Ordine" in client.get(reverse("help")).content.decode()
