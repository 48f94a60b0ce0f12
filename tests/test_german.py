"""German beside Italian: who reads which, and nothing of the member's side left untranslated."""

from __future__ import annotations

import gettext
import html
import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import translation
from django.utils.translation import trans_real
from django_scopes import scopes_disabled
from post_office.models import Email

from albo_pec import catalogue
from audit.models import LogEntry
from members import letter_examples, mail
from members.models import Member
from pec_requests.models import PecRequest
from tests.factories import PASSWORD, MemberFactory, OrdineFactory, staff
from tests.test_member_costs import QUERIES, SECRET, all_ordini, pec

__all__ = ["all_ordini", "pec"]  # fixtures: the busiest mailbox there is
LANGUAGE = "/lingua/"
GERMAN = {"Accept-Language": "de-AT,de;q=0.9,it;q=0.5"}
# What has to be the same in both languages.
FIXED = re.compile(r"%\(\w+\)[sd]|\{\w+\}|</?\w+[^>]*>|%%")
TO_THE_OFFICE = {
    *("office_staff_invited", "office_staff_role", "office_staff_dismissed"),
    *("log_anchor", "office_digest", "provider_stopped", "recovery_alarm", "recovery_untold"),
}
SPACE = re.compile(r"\s+")


class Unknown(gettext.NullTranslations):
    """What is asked when the German catalogues, ours, Django's and allauth's, know no answer."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: set[str] = set()

    def gettext(self, message: str) -> str:
        self.asked.add(message)
        return message

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return self.gettext(msgid1 if n == 1 else msgid2)


@pytest.fixture
def unknown(monkeypatch: pytest.MonkeyPatch) -> Unknown:
    known_by_nobody = Unknown()
    monkeypatch.setattr(trans_real.translation("de"), "_fallback", known_by_nobody)
    return known_by_nobody


@pytest.fixture(scope="module")
def italian() -> list[str]:
    """Sentences that no German page may hold."""
    german = " ".join(text for message in catalogue.read("de").values() for text in message.texts)
    sentences = [text for text in catalogue.messages() if " " in text and not FIXED.search(text)]
    return [text for text in sentences if text not in german]


def left_over(page: str, italian: list[str]) -> list[str]:
    words = SPACE.sub(" ", html.unescape(page))
    return [sentence for sentence in italian if sentence in words]


# --- The catalogue ----------------------------------------------------------------------------------------------------
def test_the_catalogue_is_what_the_code_says_and_whole() -> None:
    wanted, written = catalogue.messages(), catalogue.read("de")
    assert set(written) == set(wanted), "manage.py update_catalogue"
    for message in written.values():
        assert message.translated and message.plural == wanted[message.singular].plural, message.singular
        for source, text in zip((message.singular, message.plural), message.texts, strict=False):
            assert sorted(FIXED.findall(source)) == sorted(FIXED.findall(text)), source
            assert source[-1] not in ".:,?" or text[-1] == source[-1], source


def test_what_is_compiled_is_what_is_written() -> None:
    with catalogue.path_of("de", "mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    written = catalogue.read("de").values()
    assert len(written) > 800
    for message in written:
        if message.plural:
            both = [compiled.ngettext(message.singular, message.plural, n) for n in (1, 0, 2)]
            assert both == [message.texts[0], message.texts[1], message.texts[1]]
        else:
            assert compiled.gettext(message.singular) == message.texts[0]
    catalog: dict[Any, str] = compiled._catalog  # type: ignore[attr-defined]  # nothing else is in it
    assert len([key for key in catalog if key]) == sum(len(message.texts) for message in written)


# --- Mails ------------------------------------------------------------------------------------------------------------
@pytest.mark.django_db
@pytest.mark.parametrize("name", sorted(letter_examples.all_examples()))
def test_every_mail(name: str, unknown: Unknown, italian: list[str]) -> None:
    """Whatever the worker speaks, a member's mails are in the member's language, and the office's in Italian."""
    letter = letter_examples.all_examples()[name].letter(OrdineFactory())
    for value in letter.context.values():
        if isinstance(value, Member):
            value.language = "de"
        elif isinstance(value, PecRequest):
            value.member.language = "de"
    rows = []
    for spoken in ("it", "de"):
        with translation.override(spoken):
            rows.append(mail.compose(letter))
    here, there = ((row.subject, row.message, row.html_message) for row in rows)
    assert here == there and not unknown.asked
    to_member = name not in TO_THE_OFFICE and "member" in letter.context
    assert ('<html lang="de">' in here[2]) == to_member
    if to_member:
        assert not left_over(" ".join(here), italian)


def test_the_office_reads_italian(pec: PecRequest) -> None:
    """Also of a member who does not, and while that member's own page is answered."""
    Member.objects.filter(pk=pec.member_id).update(language="de")
    change = pec.recovery_changes.get()
    link = reverse("pec_requests:stop-recovery", args=[stop_secret(change)])
    Email.objects.all().delete()
    assert "Meldung erhalten" in Client(headers=GERMAN).post(link).content.decode()
    alarm, *others = Email.objects.order_by("pk")
    assert alarm.to == [pec.member.ordine.email] and '<html lang="it">' in alarm.html_message
    assert others and all('<html lang="de">' in mail.html_message for mail in others)


def stop_secret(change: Any) -> str:
    from pec_requests.recovery_in_force import STOP_LINK

    return STOP_LINK.sign(str(change.pk))


# --- Pages ------------------------------------------------------------------------------------------------------------
def test_every_page_of_a_member(pec: PecRequest, unknown: Unknown, italian: list[str]) -> None:
    """As it opens, and as it answers a form that lacks everything."""
    assert pec.member.user
    member, visitor = Client(headers=GERMAN), Client(headers=GERMAN)
    member.force_login(pec.member.user)
    wrong = []
    for name in (*QUERIES, "account_login", "account_inactive"):
        parts = ["inventato"] if name in SECRET else [pec.public_id] if re.match("pec_requests:(?!list)", name) else []
        path = reverse(name, args=parts)
        for client in (member, visitor):
            for answer in (client.get(path), *([client.post(path)] if name != "account_logout" else [])):
                page = answer.content.decode()
                wrong += [(path, sentence) for sentence in left_over(page, italian)]
                assert answer["Content-Language"] == "de" and answer.status_code < 500
                assert "<html" not in page or '<html lang="de">' in page
    for path in ("/nessuna-pagina/", "/?x=%00"):
        wrong += [(path, sentence) for sentence in left_over(visitor.get(path).content.decode(), italian)]
    assert not wrong and not unknown.asked


# --- Whose language ---------------------------------------------------------------------------------------------------
@pytest.mark.django_db
def test_the_browser_then_the_choice_made_in_it() -> None:
    def language(client: Client, accepted: str) -> str:
        answer = client.get("/privacy/", headers={"Accept-Language": accepted})
        assert {"Accept-Language", "Cookie"} <= {name.strip() for name in answer["Vary"].split(",")}
        assert f'<html lang="{answer["Content-Language"]}">' in answer.content.decode()
        return str(answer["Content-Language"])

    client = Client()
    found = [language(client, accepted) for accepted in ("", "de", "de-AT,it;q=0.5", "it,de;q=0.9", "fr,en", "?;=\0x")]
    assert found == ["it", "de", "de", "it", "it", "it"]
    answer = client.post(LANGUAGE, {"language": "de", "next": "/accedi/?next=/utente/"})
    assert answer.url == "/accedi/?next=/utente/" and language(client, "it") == "de"
    assert client.cookies["language"]["httponly"] and client.cookies["language"]["samesite"] == "Lax"
    # Nobody is led elsewhere, and what is no choice changes nothing.
    for away in ("https://example.com/", "//example.com", "javascript:alert(1)", ""):
        assert client.post(LANGUAGE, {"language": "xx", "next": away}).url == "/"
    assert client.get(LANGUAGE, {"language": "it"}).status_code == 302 and language(client, "it") == "de"
    assert Client(enforce_csrf_checks=True).post(LANGUAGE, {"language": "de"}).status_code == 403


@pytest.mark.django_db
def test_a_members_own_choice_holds_everywhere() -> None:
    member = MemberFactory()

    def chosen() -> str:
        with scopes_disabled():
            return str(Member.objects.get(pk=member.pk).language)

    # Chosen at the door, kept on coming in, unless the record knows better.
    for at_the_door, kept in (("de", "de"), ("it", "de")):
        client = Client()
        client.post(LANGUAGE, {"language": at_the_door})
        client.post("/accedi/", {"login": member.tax_code, "password": PASSWORD})
        assert chosen() == kept and client.get("/")["Content-Language"] == kept
    elsewhere = Client()
    elsewhere.force_login(member.user)
    assert "Ihre Daten" in elsewhere.get("/utente/scheda-anagrafica/").content.decode()
    for _click in range(2):
        elsewhere.post(LANGUAGE, {"language": "it"})
    elsewhere.post(LANGUAGE, {"language": "x" * 5000})
    assert chosen() == "it" and client.get("/", headers=GERMAN)["Content-Language"] == "it"
    assert LogEntry.objects.filter(action="member.language", person=member.pk).count() == 2
    assert translation.get_language() == "it"  # nothing is left behind for who is answered next


@pytest.mark.django_db
def test_the_office_is_italian_whatever_the_browser_says() -> None:
    client = Client(headers=GERMAN)
    client.force_login(staff(OrdineFactory()))
    client.post(LANGUAGE, {"language": "de"})
    for path in ("/admin/", "/admin/members/member/"):
        answer = client.get(path)
        assert answer["Content-Language"] == "it" and '<html lang="it"' in answer.content.decode()
    assert client.get("/utente/sicurezza/")["Content-Language"] == "de"
