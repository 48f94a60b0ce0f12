"""Every page for every reader: what the browser is told with it, nothing in it that somebody else wrote runs, and
nobody is sent elsewhere, whatever the request says.
"""

from __future__ import annotations

import re
from html import unescape
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client

from members import letter_examples, mail
from tests.attacks import scene
from tests.attacks.pages import Page

pytestmark = pytest.mark.django_db

# Text that would be a tag, an attribute, a script, a template, a format; the last word tells whether it was worked out.
EVIL = """<x-evil onx=1>"'><script>evil()</script>{{ 7|add:7 }}{% now "Y" %}{0.__class__}%s${7*7}"""
POLICY = {
    "default-src 'none'",
    "script-src 'self'",
    "script-src-attr 'none'",
    "style-src 'self'",
    "style-src-attr 'none'",
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
}
TOLD = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
}
# On how many pages each reader sees what was written.
LEAST = {"visitor": 0, "waiting": 5, "active": 3, "office": 20, "federation": 8}
# By which names pages everywhere take an address to go on to, and what a request may say of where it comes from.
ONWARD = dict.fromkeys(
    ("next", "url", "redirect", "redirect_to", "redirect_uri", "return_to", "return", "continue", "goto", "_next"),
    "//evil.example/",
)
FROM_ELSEWHERE = {
    "Referer": "https://evil.example/",
    "X-Forwarded-Host": "evil.example",
    "Origin": "https://evil.example",
}
# A mail as its reader has it, in a frame that can do nothing, on the page of the letter.
FRAMED = {"admin:members_ordine_letter_html"}


@pytest.mark.slow  # some two hundred pages
@pytest.mark.timeout(180)
def test_every_page_is_hardened_and_shows_what_was_written_as_text(built: scene.Scene) -> None:
    assert scene.plant(EVIL) > 30
    shown: dict[str, int] = {}
    wrong: list[str] = []
    open_to_office: set[str] = set()
    for who in built.people():
        client = built.client(who)
        for name, address in walk(built, who, open_to_office).items():
            # A list would take them for filters that there are not, and show nothing.
            onward = {} if name.endswith(("_changelist", "_export")) else ONWARD
            answer = client.get(address, onward, headers=FROM_ELSEWHERE)
            found = unhardened(name, answer) + evil_in(name, answer) + elsewhere(answer)
            wrong += [f"{name} as {who}: {what}" for what in found]
            shown[who] = shown.get(who, 0) + (b"x-evil" in getattr(answer, "content", b""))
            if who == "office" and answer.status_code == 200:
                open_to_office.add(name)
            if "sessionid" in answer.cookies:  # that page has ended the session, or begun another
                client = built.client(who)
    assert not wrong, "\n".join(sorted(set(wrong)))
    # It is there to be seen, or nothing has been shown.
    assert {who: count >= LEAST[who] for who, count in shown.items()} == dict.fromkeys(LEAST, True), shown


def walk(built: scene.Scene, who: str, seen: set[str]) -> dict[str, str]:
    """The pages that are this reader's, and nobody's before: the federation sees the office's, too."""
    pec = built.here.active if who == "active" else built.here.waiting
    every = scene.addresses(built.here, pec)
    if who in ("office", "federation"):
        return {name: address for name, address in every.items() if name.startswith("admin:") and name not in seen}
    if who == "active":
        return {name: address for name, address in every.items() if name.startswith("pec_requests:")}
    return {name: address for name, address in every.items() if not name.startswith("admin:")}


def unhardened(name: str, answer: Any) -> list[str]:
    """What an answer should say and does not."""
    said = answer.headers
    found = [f"{header}: {said.get(header)}" for header, value in TOLD.items() if said.get(header) != value]
    if "no-store" not in said.get("Cache-Control", ""):
        found.append(f"Cache-Control: {said.get('Cache-Control')}")
    if name in FRAMED and answer.status_code == 200:
        return found
    policy = set(said.get("Content-Security-Policy", "").split("; "))
    if missing := POLICY - policy:
        found.append(f"no {missing} in the policy")
    if "unsafe" in said.get("Content-Security-Policy", "") or said.get("X-Frame-Options") != "DENY":
        found.append("unsafe")
    return found


def evil_in(name: str, answer: Any) -> list[str]:
    """What on this page is more than text, or was worked out."""
    if answer.streaming or "html" not in answer.headers.get("Content-Type", "") or name in FRAMED:
        return []
    html = answer.content.decode()
    page = Page(html)
    found = page.wrong + (["the planted tag"] if "x-evil" in page.tags else [])
    if re.search(r"evil\(\)</script>\s*14|&lt;class|<class", unescape(html)):
        found.append("a template or a format that was worked out")
    return found


def elsewhere(answer: Any) -> list[str]:
    """Where else it sends its reader, or its forms and links would."""
    shown = b"" if answer.streaming else answer.content
    found = re.findall(rb'(?:href|action)="[^"?]*evil\.example[^"]*', shown)
    away = urlsplit(answer.headers.get("Location", "")).netloc
    return [str(link) for link in found] + [f"sends to {away}"] * ("evil" in away)


def test_no_name_is_more_than_text_in_any_mail(built: scene.Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a member and of an Ordine, in what is over a mail, its text and its HTML."""
    evil = f"{EVIL}\r\nBcc: tutti@example.com"
    for name in ("NAME", "SURNAME"):
        monkeypatch.setattr(letter_examples, name, evil)
    ordine = built.here.ordine
    ordine.name = ordine.short_name = ordine.address = ordine.phone = evil
    for name, example in letter_examples.all_examples().items():
        composed = mail.compose(example.letter(ordine))
        over = [composed.subject, composed.from_email, *map(str, composed.headers.values())]
        assert not [line for line in over if "\n" in line or "\r" in line], name
        page = Page(composed.html_message)
        wrong = [found for found in page.wrong if " style=" not in found]  # mail programs know no style sheet
        assert not wrong and "x-evil" not in page.tags, (name, wrong)
        assert not re.search(r"evil\(\)</script>\s*14|<class", unescape(composed.html_message) + composed.message), name


def test_files_are_for_ours_only(client: Client) -> None:
    answer = client.get("/static/js/portal.js")
    assert answer.status_code == 200 and "no-store" not in answer["Cache-Control"]
    assert "Access-Control-Allow-Origin" not in answer
    assert answer["Cross-Origin-Resource-Policy"] == "same-origin" and answer["X-Content-Type-Options"] == "nosniff"
