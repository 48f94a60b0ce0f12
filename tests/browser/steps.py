"""The steps of the guide, by what is written on the pages."""

from __future__ import annotations

import re
from dataclasses import dataclass

from playwright.sync_api import Locator, Page, expect

from tests.browser.people import Person, button, heading, link
from tests.browser.pictures import picture

PORTAL_PASSWORD = "Cavallo-Blu-Piano-4"
MAILBOX_PASSWORD = "Castello!Verde77"


@dataclass(frozen=True)
class Iscritto:
    """Somebody of the albo, as the office's list shows them."""

    surname: str
    tax_code: str
    email: str


def status(page: Page, words: str) -> Locator:
    """The state, as it stands on a page."""
    return page.get_by_text(words, exact=True)


# --- The office -------------------------------------------------------------------------------------------------------
def to_list(page: Page, name: str) -> None:
    """From anywhere in the office: its first page, by the Ordine's name in the header, and the list."""
    page.get_by_role("banner").get_by_role("link").first.click()
    heading(page, "Segreteria")
    link(page, name).click()


def find_without_pec(page: Page) -> Iscritto:
    """The first for whom a PEC can be requested, with an e-mail to write to."""
    to_list(page, "Iscritti")
    link(page, "Senza PEC").click()
    row = page.get_by_role("table").get_by_role("row").filter(has_text="@").first
    picture(page, "segreteria-iscritti")
    code, address = (re.search(pattern, row.inner_text()) for pattern in (r"\b[A-Z0-9]{16}\b", r"\S+@\S+"))
    assert code and address
    return Iscritto(row.get_by_role("link").first.inner_text(), code[0], address[0])


def open_member(page: Page, person: Iscritto) -> None:
    """Searched by surname, recognised by codice fiscale."""
    to_list(page, "Iscritti")
    page.get_by_label("Cerca", exact=True).fill(person.surname)
    button(page, "Cerca").click()
    row = page.get_by_role("row").filter(has_text=person.tax_code)
    row.get_by_role("link", name=person.surname, exact=True).click()
    expect(page.get_by_role("heading", level=2).first).to_contain_text(person.surname)


def request_pec(page: Page, person: Iscritto) -> str:
    """From the list to the page of the request; returns the address of the mailbox."""
    link(page, person.surname).click()
    expect(page.get_by_role("heading", level=2).first).to_contain_text(person.surname)
    picture(page, "segreteria-scheda")
    link(page, "Richiedi PEC").click()
    heading(page, "Richiedi PEC")
    page.get_by_label("Dominio").select_option("tsrm.org")
    picture(page, "segreteria-richiedi-pec")
    button(page, "Richiedi PEC").click()
    expect(page.get_by_text("Richiesta 1 casella.")).to_be_visible()
    return page.get_by_role("heading", level=2).first.inner_text()


def invite(page: Page, person: Iscritto) -> None:
    """From the page of the request."""
    page.get_by_role("main").get_by_role("link", name=person.surname).click()
    link(page, "Invita al portale").click()
    expect(button(page, "Invita al portale")).to_be_visible()
    picture(page, "segreteria-invita")
    button(page, "Invita al portale").click()
    expect(page.get_by_text(f"Invito spedito a {person.email}.")).to_be_visible()


def decide(page: Page, act: str, reason: str = "") -> None:
    """On the page of a request: the act, the reason where one is asked, and yes."""
    link(page, act).click()
    if reason:
        page.get_by_label("Motivo").fill(reason)
        picture(page, "segreteria-decisione")
    button(page, act).click()


# --- The member -------------------------------------------------------------------------------------------------------
def first_access(person: Person, who: Iscritto, *, before: int = 0) -> Page:
    """By the link of the invitation; ends on the member's record."""
    page = person.open_mail(who.email, "Invito al portale", f"{person.demo.portal}invito/", before=before)
    heading(page, "Scegli la password")
    picture(page, "iscritto-scegli-la-password")
    person.choose_password(PORTAL_PASSWORD, page)
    heading(page, "Scheda Anagrafica")
    picture(page, "iscritto-scheda-anagrafica")
    person.page = page
    return page


def to_requests(page: Page) -> None:
    """As the guide says it: Utente – Scheda Anagrafica – Richieste PEC."""
    for words in ("Utente", "Scheda Anagrafica", "Richieste PEC"):
        link(page, words).click()
    heading(page, "Richieste PEC")


def accept(page: Page) -> None:
    """From one's record, the shortest way; ends where the state changes by itself."""
    link(page, "Vai alle Richieste PEC").click()
    heading(page, "Richieste PEC")
    picture(page, "iscritto-richieste-pec")
    link(page, "Accetta").click()
    heading(page, "Accetta la casella PEC")
    page.get_by_label("Ho letto le condizioni").check()
    picture(page, "iscritto-accetta", end=True)
    button(page, "Accetta").click()
    heading(page, "Richieste PEC")


def ask_new_recovery_email(page: Page, email: str, *, name: str = "Modifica Email di Recupero") -> None:
    """From the panel, or from the request that waits for one; ends on the panel."""
    link(page, name).click()
    page.get_by_label("Nuova email di recupero").fill(email)
    picture(page, "iscritto-modifica-email-di-recupero")
    page.get_by_label("Password del portale").fill(PORTAL_PASSWORD)
    button(page, "Spedisci il link di conferma").click()
    expect(page.get_by_text(f"Abbiamo spedito un link a {email}: aprilo per confermare.")).to_be_visible()
