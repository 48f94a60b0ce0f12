"""The same without a mouse, and without JavaScript."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.demo import Demo
from tests.browser.errands import assign, invite
from tests.browser.people import Person, button, heading, link
from tests.browser.steps import PORTAL_PASSWORD, status, to_requests

# The words of the focused element, and whether anything shows that it has the focus.
_FOCUS = """() => {
    const element = document.activeElement, style = getComputedStyle(element);
    const words = element.labels?.[0]?.innerText ?? element.getAttribute("aria-label") ?? element.innerText ?? "";
    const shown = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
    return [words.trim().replace(/\\s+/g, " "), shown];
}"""
_IN_SIGHT = """() => {
    const box = document.activeElement.getBoundingClientRect();
    return box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
}"""


def tab_to(page: Page, words: str) -> None:
    """Press Tab until the focus is there; on the way it must always be seen."""
    for _press in range(60):
        page.keyboard.press("Tab")
        page.wait_for_function(_IN_SIGHT)  # scrolling there may take a moment
        found, shown = page.evaluate(_FOCUS)
        assert shown, f"nothing shows that the focus is on {found}"
        if found.startswith(words):
            return
    raise AssertionError(f"{words} is not reached by the keyboard")


def type_into(page: Page, label: str, text: str) -> None:
    tab_to(page, label)
    page.keyboard.type(text)


def press(page: Page, words: str) -> None:
    tab_to(page, words)
    page.keyboard.press("Enter")


def invited(office: Person, member: Person) -> str:
    """A member who has a mailbox to accept, and a password; returns the codice fiscale."""
    assigned = assign(office.let_in("ordine.marche"))
    invite(office, member, assigned)
    member.context.clear_cookies()
    return assigned.who.tax_code


def test_by_keyboard_alone(demo: Demo, person: Callable[..., Person]) -> None:
    member = person()
    tax_code = invited(person(), member)
    page = member.page
    page.goto("/accedi/")
    tab_to(page, "Vai al contenuto")  # the first thing one comes to
    page.keyboard.press("Enter")
    assert page.evaluate("() => document.activeElement.id") == "contenuto"
    type_into(page, "Codice fiscale o e-mail", tax_code)
    type_into(page, "Password", PORTAL_PASSWORD)
    page.keyboard.press("Enter")
    heading(page, "Scheda Anagrafica")
    press(page, "Vai alle Richieste PEC")
    heading(page, "Richieste PEC")
    press(page, "Accetta")
    heading(page, "Accetta la casella PEC")
    tab_to(page, "Ho letto le condizioni")
    page.keyboard.press("Space")
    press(page, "Accetta")
    expect(status(page, "ATTIVO")).to_be_visible()

    press(page, "Gestisci la casella PEC")
    heading(page, "Gestione casella PEC")
    press(page, "Modifica Email di Recupero")
    heading(page, "Modifica Email di Recupero")
    email = f"{tax_code.lower()}@example.com"
    type_into(page, "Nuova email di recupero", email)
    type_into(page, "Password del portale", PORTAL_PASSWORD)
    press(page, "Spedisci il link di conferma")
    expect(page.get_by_text("Conferma il nuovo indirizzo")).to_be_visible()
    confirming = member.open_mail(email, "Conferma la nuova email di recupero", f"{demo.portal}utente/")
    heading(confirming, "Conferma l'email di recupero")
    press(confirming, "Conferma")
    heading(confirming, "Indirizzo confermato")
    press(confirming, "Vai alla gestione della casella")
    expect(confirming.get_by_text(email, exact=True)).to_be_visible()


def test_without_javascript(person: Callable[..., Person]) -> None:
    member = person(javascript=False)
    tax_code = invited(person(), member)
    page = member.page
    page.goto("/")
    member.enter(tax_code, PORTAL_PASSWORD)
    to_requests(page)
    link(page, "Accetta").click()
    page.get_by_label("Ho letto le condizioni").check()
    # What it says is looked for when it is all there: an ATTIVO one has no such link any more.
    with page.expect_event("load"):
        button(page, "Accetta").click()
    for _time in range(30):
        if status(page, "ATTIVO").count():
            break
        with page.expect_event("load"):
            link(page, "Aggiorna la pagina").click()
    expect(status(page, "ATTIVO")).to_be_visible()
    link(page, "Gestisci la casella PEC").click()
    heading(page, "Gestione casella PEC")
