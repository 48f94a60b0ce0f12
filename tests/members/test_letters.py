"""Every mail there is, from its example: right in all its parts, and shown to the office as it will look."""

from __future__ import annotations

import copy
import re
from email import message_from_bytes, policy
from email.utils import parsedate_to_datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.test import Client
from django.urls import reverse
from django.utils import translation
from post_office.models import Email

from members import letter_examples, mail
from members.models import Ordine, StaffRole
from tests.factories import OrdineFactory, UserFactory, staff

pytestmark = pytest.mark.django_db
TEMPLATES = Path(django_settings.BASE_DIR) / "templates" / "mail"
NAMES = sorted(path.name.removesuffix(".subject.txt") for path in TEMPLATES.glob("*.subject.txt"))
# What only some may do without.
REMINDERS = {"pec_reminder"}
LINK = re.compile(r"https?://[^\s<>\"]+")
WORD = re.compile(r"\w{4,}")
OF_BUTTONS = {"pulsante", "funziona", "copia", "questo", "indirizzo", "browser"}
TAX_CODE = re.compile(r"\b[A-Z]{6}\d\d[A-Z]\d\d[A-Z]\d{3}[A-Z]\b")


class Read(HTMLParser):
    """What is read of a mail, what it links to, and what would be fetched to show it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words, self.links, self.fetched, self.lang = "", set[str](), list[str](), ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.lang = given.get("lang") or self.lang
        self.links |= {given["href"] or ""} if "href" in given else set()
        style = given.get("style") or ""
        if tag in ("img", "link", "script", "style", "iframe") or "src" in given or "url(" in style:
            self.fetched.append(tag)

    def handle_data(self, data: str) -> None:
        self.words += data


@pytest.fixture
def ordine() -> Ordine:
    return OrdineFactory(
        short_name='Ordine "delle" <b>Marche</b>,\r\nBcc: tutti@example.com',
        name="Ordine & Co",
        phone="071",
        address="Via",
    )


def test_every_mail_has_an_example() -> None:
    assert set(NAMES) == set(letter_examples.all_examples())


@pytest.mark.parametrize("name", NAMES)
def test_every_mail(name: str, ordine: Ordine, settings: Any) -> None:
    templates = copy.deepcopy(settings.TEMPLATES)
    templates[0]["OPTIONS"]["string_if_invalid"] = "«%s»"
    settings.TEMPLATES = templates
    with translation.override("en"):  # whatever the worker or the office speaks
        row = mail.compose(letter_examples.all_examples()[name].letter(ordine))
    read = Read(row.html_message)
    # Whole, with nothing that was not there, and neither markup in the text nor a name as markup.
    assert row.subject and "\n" not in row.subject and row.message.strip()
    for part in (row.subject, row.message, read.words):
        assert not re.search(r"«\w|\{[{%]|[%}]\}|%\(|&\w+;|\bNone\b", part)
        assert not TAX_CODE.search(part)
    assert not re.search(r"</?(?!b>)\w+[ >/]", row.message + row.subject) and "<b>" not in row.html_message
    # The text says what the HTML says: it leads to the same places, in the same words.
    assert set(LINK.findall(row.message)) == read.links
    written, drawn = (set(WORD.findall(LINK.sub("", part.lower()))) for part in (row.message, read.words))
    assert len(written - drawn) <= 2 and len(drawn - written - OF_BUTTONS) <= 6, (written - drawn, drawn - written)
    # What a list of mails shows of it is no salutation; nothing is fetched from anywhere.
    assert not re.search(r"Gentile", row.html_message.partition("display: none")[2].partition("</div>")[0])
    assert read.lang == "it" and not read.fetched
    assert ("List-Unsubscribe" in row.headers) == (name in REMINDERS)


@pytest.mark.parametrize("name", ["pec_reminder", "office_digest"])
def test_as_it_goes_out(name: str, ordine: Ordine) -> None:
    """The headers of the message itself, whatever the Ordine is called."""
    mail.send_all([letter_examples.all_examples()[name].letter(ordine)])
    row = Email.objects.get()
    sent = message_from_bytes(row.email_message().message().as_bytes(), policy=policy.default)
    assert sent["Bcc"] is None and sent["Cc"] is None and len(sent["To"].addresses) == 1
    assert sent["From"].addresses[0].addr_spec == "noreply@albo-pec.example"
    assert sent["Message-ID"].endswith("@albo-pec.example>") and parsedate_to_datetime(sent["Date"]).tzinfo
    assert sent["Auto-Submitted"] == "auto-generated" and sent.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in sent.iter_parts()] == ["text/plain", "text/html"]
    # Tried again, it is the same message.
    again = Email.objects.get(pk=row.pk).email_message().message()
    assert again["Message-ID"] == sent["Message-ID"]
    if name == "pec_reminder":
        assert sent["Reply-To"].addresses[0].addr_spec == ordine.email
        assert sent["From"].addresses[0].display_name == sent["Reply-To"].addresses[0].display_name
        assert "Marche" in sent["From"].addresses[0].display_name
        assert sent["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        link = LINK.search(sent["List-Unsubscribe"])
        assert link and link[0] in row.message


def page(client: Client, view: str, *args: object) -> Any:
    return client.get(reverse(f"admin:members_ordine_{view}", args=args))


def test_the_office_sees_each_as_it_will_look(client: Client) -> None:
    ordine, other = OrdineFactory(short_name="Ordine di Südtirol"), OrdineFactory(short_name="Ordine di là")
    client.force_login(staff(ordine, StaffRole.Role.OPERATORE))
    entry = page(client, "letters")
    assert entry.url == reverse("admin:members_ordine_letters_of", args=[ordine.pk])
    listed = client.get(entry.url).content.decode()
    assert all(reverse("admin:members_ordine_letter", args=[ordine.pk, name]) in listed for name in NAMES)
    assert other.short_name not in listed
    shown = page(client, "letter", ordine.pk, "pec_reminder")
    source = reverse("admin:members_ordine_letter_html", args=[ordine.pk, "pec_reminder"])
    assert f'src="{source}"' in shown.content.decode() and "sandbox" in shown.content.decode()
    assert "Ordine di Südtirol &lt;noreply@albo-pec.example&gt;" in shown.content.decode()
    assert "frame-src 'self'" in shown["Content-Security-Policy"]
    framed = client.get(source)
    assert framed["X-Frame-Options"] == "SAMEORIGIN" and "unsafe-inline" not in shown["Content-Security-Policy"]
    rules = framed["Content-Security-Policy"].split("; ")
    assert {"default-src 'none'", "sandbox", "frame-ancestors 'self'", "form-action 'none'"} <= set(rules)
    assert page(client, "letter", ordine.pk, "nessuno").status_code == 404
    assert client.post(source).status_code == 405
    for view in ("letter", "letter_html"):
        assert page(client, view, other.pk, "pec_reminder").status_code == 404
    assert not Email.objects.exists()
    client.force_login(UserFactory(is_superuser=True, is_staff=True))
    assert other.short_name in page(client, "letters_of", ordine.pk).content.decode()
    assert page(client, "letter", other.pk, "pec_ready").status_code == 200
