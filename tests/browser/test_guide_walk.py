"""The guide, walked from the office's request to the reset link at the new address, by what is written on the pages."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.demo import Demo
from tests.browser.people import Person, button, heading, link
from tests.browser.steps import (
    MAILBOX_PASSWORD,
    accept,
    ask_new_recovery_email,
    find_without_pec,
    first_access,
    invite,
    open_member,
    request_pec,
    status,
)

FIRST, RESET = "La tua casella PEC è attiva: imposta la password", "Reimposta la password della tua casella PEC"
OFFICE = "ordine.umbria"


def on_paper(page: Page) -> None:
    """What is said is printed, what one presses is not; and who wants no motion gets none."""
    page.emulate_media(media="print", reduced_motion="reduce")
    for role, name in (("navigation", "Menu principale"), ("link", "Modifica Email di Recupero"), ("button", "Esci")):
        expect(page.get_by_role(role, name=name)).to_be_hidden()  # type: ignore[arg-type]  # three of its literals
    expect(page.get_by_role("heading", name="Storia")).to_be_visible()
    moving = "all => all.filter(it => /[1-9]/.test(getComputedStyle(it).transitionDuration)).length"
    assert page.locator("*").evaluate_all(moving) == 0
    page.emulate_media(media="screen", reduced_motion="no-preference")


def enter_mailbox(page: Page, address: str, password: str) -> None:
    """On the provider's page, with the whole address; ends in the mailbox."""
    page.get_by_label("Casella PEC").fill(address)
    page.get_by_label("Password", exact=True).fill(password)
    button(page, "ACCEDI").click()
    heading(page, address)


def set_mailbox_password(member: Person, page: Page, password: str) -> None:
    heading(page, "Imposta la password")
    member.look(page)
    member.choose_password(password, page)
    expect(page.get_by_text("La password è stata impostata: ora puoi accedere.")).to_be_visible()


def test_the_guide(demo: Demo, person: Callable[..., Person]) -> None:
    # 1. The office requests the mailbox: RICHIESTA, then the provider makes it: NON ATTIVO.
    at_work = person()
    office = at_work.sign_in(OFFICE)
    who = find_without_pec(office)
    demo.fault("create", "latency", 1)
    address = request_pec(office, who)
    expect(status(office, "RICHIESTA").first).to_be_visible()
    at_work.reload_when(">NON ATTIVO<")
    expect(status(office, "NON ATTIVO").first).to_be_visible()
    invite(office, who)

    # 2. The member comes in by the invitation, and accepts.
    member = person()
    assert demo.mail(who.email, "La tua casella PEC è pronta")
    page = first_access(member, who)
    demo.fault("activate", "latency", 1.5)  # done when the page asks again, after two seconds
    accept(page)
    expect(page.get_by_text("Attivazione in corso")).to_be_visible()
    page.evaluate("() => { window.stillTheSame = true }")
    onward = link(page, "Gestisci la casella PEC")
    onward.focus()
    expect(status(page, "ATTIVO")).to_be_visible()
    assert page.evaluate("() => window.stillTheSame"), "the state must change without a reload"
    expect(page.locator("#annuncio")).to_have_text("La casella è attiva")  # told to who cannot see it, once
    expect(onward).to_be_focused()
    # Scegli la password, Scheda Anagrafica, Richieste PEC, the conditions, and Richieste PEC with an active mailbox.
    assert len(member.screens()) <= 5, member.screens()
    assert demo.mail(who.email, "La tua casella PEC è attiva")

    # 3. The first password, at the provider's; then in, with the whole address.
    set_mailbox_password(member, member.open_mail(who.email, FIRST, f"{demo.sandbox}password/"), MAILBOX_PASSWORD)
    page.bring_to_front()  # a tab behind another is drawn once a second
    link(page, "Gestisci la casella PEC").click()
    heading(page, "Gestione casella PEC")
    panel = page.url
    on_paper(page)
    link(page, "Vai alla webmail del gestore").click()
    enter_mailbox(page, address, MAILBOX_PASSWORD)
    member.look()
    link(page, "Gestisci").click()
    heading(page, address)
    member.look()

    # 4. Forgotten: address and codice fiscale, a notice, a mail, a new password.
    button(page, "Esci").click()
    link(page, "Password dimenticata?").click()
    page.get_by_label("Indirizzo della casella PEC").fill(address)
    page.get_by_label("Codice Fiscale o Partita IVA").fill(who.tax_code)
    button(page, "PROSEGUI").click()
    heading(page, "Controlla la posta")
    reset = member.open_mail(who.email, RESET, f"{demo.sandbox}password/")
    set_mailbox_password(member, reset, f"{MAILBOX_PASSWORD}-2")
    enter_mailbox(reset, address, f"{MAILBOX_PASSWORD}-2")

    # 5. Another recovery e-mail, in the portal: the new address confirms, the old one is told.
    page.bring_to_front()
    page.goto(panel)
    new = f"nuova.{who.email}"
    ask_new_recovery_email(page, new)
    waiting = page.get_by_role("main").get_by_text("Conferma il nuovo indirizzo")
    expect(waiting).to_be_visible()
    page.evaluate("() => { window.stillTheSame = true }")
    assert demo.mail(who.email, "È stato chiesto di cambiare l'email di recupero della PEC")
    confirming = member.open_mail(new, "Conferma la nuova email di recupero", f"{demo.portal}utente/")
    button(confirming, "Conferma").click()
    heading(confirming, "Indirizzo confermato")
    page.bring_to_front()
    expect(waiting).to_be_hidden()
    expect(page.get_by_text(new, exact=True)).to_be_visible()
    assert page.evaluate("() => window.stillTheSame"), "the address must change without a reload"
    assert demo.mail(who.email, "L'email di recupero della PEC è cambiata")

    # 6. The reset link of the panel goes to the new address, and is good once.
    old = [mail for mail in demo.mails(who.email) if RESET in mail["subject"]]
    link(page, "Reimposta password").click()
    button(page, "Spedisci il link").click()
    expect(page.get_by_role("main").get_by_text("Link spedito")).to_be_visible()
    again = member.open_mail(new, RESET, f"{demo.sandbox}password/")
    used = again.url
    set_mailbox_password(member, again, f"{MAILBOX_PASSWORD}-3")
    enter_mailbox(again, address, f"{MAILBOX_PASSWORD}-3")
    again.goto(used)
    heading(again, "Collegamento non valido")
    expect(again.get_by_text("già stato usato")).to_be_visible()
    member.look(again)
    assert demo.mail(who.email, "È stato chiesto il link per la password della PEC")
    assert [mail for mail in demo.mails(who.email) if RESET in mail["subject"]] == old

    # The office sees it all.
    open_member(office, who)
    link(office, address).click()
    expect(status(office, "ATTIVO").first).to_be_visible()
    expect(office.get_by_text(new).first).to_be_visible()

    # 7. Whoever reads the old address says that it was not them: nothing is put back before the office has looked.
    alarm = member.open_mail(who.email, "L'email di recupero della PEC è cambiata", f"{demo.portal}utente/")
    heading(alarm, "Non hai chiesto tu il cambio?")
    member.look(alarm)
    button(alarm, "Non sono stato io").click()
    heading(alarm, "Segnalazione ricevuta")
    member.look(alarm)
    office.reload()
    link(office, "Verificato").click()
    at_work.look()
    office.get_by_label("Non è stato l'iscritto").check()
    button(office, "Verificato").click()
    expect(office.get_by_text("La segnalazione è verificata")).to_be_visible()
    assert demo.mail(new, "L'email di recupero della PEC è cambiata", before=1)
