"""What else happens to a mailbox and to people: no e-mail, a refusal, a forgotten password, the office's decisions."""

from __future__ import annotations

import copy
import re
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from playwright.sync_api import Browser, Page, Route, expect

from tests.browser import errands
from tests.browser.demo import Demo, link_in
from tests.browser.errands import OWN_REQUESTS
from tests.browser.people import Person, button, heading, link
from tests.browser.pictures import picture
from tests.browser.steps import PORTAL_PASSWORD, ask_new_recovery_email, decide, status, to_requests
from tests.factories import tax_code
from tests.oidc_provider import Provider

OFFICE = "ordine.marche"


def test_a_member_without_email(demo: Demo, person: Callable[..., Person]) -> None:
    """The office prints a code; the member comes in with it and says where the link may go; then the box is made."""
    at_work = person().let_in(OFFICE)
    office = at_work.page
    asked = errands.request_pec(at_work, email=False)
    who = asked.who
    office.goto(asked.request)
    expect(office.get_by_text("Manca un'email di recupero")).to_be_visible()
    office.goto(asked.record)
    link(office, "Stampa codice di primo accesso").click()
    button(office, "Stampa il codice di primo accesso").click()
    heading(office, "Codice di primo accesso")
    at_work.look()
    picture(office, "segreteria-codice")
    code = office.get_by_text(re.compile(r"^(\w{4}-){2}\w{4}$")).inner_text()

    member = person()
    page = member.page
    page.goto("/")
    link(page, "Primo accesso con codice").click()
    page.get_by_label("Codice fiscale").fill(who.tax_code.lower())
    picture(page, "iscritto-primo-accesso")
    page.get_by_label("Codice di primo accesso").fill(code.lower().replace("-", " "))
    button(page, "Continua").click()
    heading(page, "Scegli la password")
    member.choose_password(PORTAL_PASSWORD)
    heading(page, "Scheda Anagrafica")

    to_requests(page)
    expect(page.get_by_text("Serve un'email di recupero")).to_be_visible()
    email = f"{who.tax_code.lower()}@example.com"
    ask_new_recovery_email(page, email, name="Indica l'email di recupero")
    demo.fault("create", "latency", 1)
    confirming = member.open_mail(email, "Conferma la nuova email di recupero", f"{demo.portal}utente/")
    button(confirming, "Conferma").click()
    link(confirming, "Vai alla gestione della casella").click()
    heading(confirming, "Gestione casella PEC")
    expect(status(confirming, "NON ATTIVO")).to_be_visible()
    expect(link(confirming, "Accetta")).to_be_visible()
    assert demo.mail(email, "La tua casella PEC è pronta")
    assert ">NON ATTIVO<" in at_work.read(asked.request)


def test_refused_and_password_forgotten(demo: Demo, person: Callable[..., Person]) -> None:
    office, member = person().let_in(OFFICE), person()
    asked = errands.assign(office)
    errands.invite(office, member, asked)
    who, page = asked.who, member.page
    page.goto(OWN_REQUESTS)
    link(page, "Rifiuta").click()
    heading(page, "Rifiuta la casella PEC")
    link(page, "Torna indietro").click()
    link(page, "Rifiuta").click()
    button(page, "Rifiuta la casella").click()
    expect(page.get_by_text(f"Hai rifiutato la casella {asked.address}.")).to_be_visible()
    expect(status(page, "RIFIUTATO")).to_be_visible()
    member.look(page)
    assert ">RIFIUTATO<" in office.read(asked.request)

    button(page, "Esci").click()
    link(page, "Accedi").click()
    link(page, "Password dimenticata?").click()
    page.get_by_label("Codice fiscale o e-mail").fill(who.tax_code)
    picture(page, "iscritto-password-dimenticata")
    button(page, "Mandami il link").click()
    heading(page, "Controlla la posta")
    page = member.open_mail(who.email, "Il link per la nuova password del portale", f"{demo.portal}nuova-password/")
    reset = page.url
    heading(page, "Scegli la password")
    member.choose_password(f"{PORTAL_PASSWORD}-bis", page)
    heading(page, "Scheda Anagrafica")
    assert demo.mail(who.email, "La password del portale è cambiata")
    button(page, "Esci").click()
    member.page = page
    member.enter(who.tax_code, f"{PORTAL_PASSWORD}-bis")
    assert reset.endswith("/nuova-password/"), "the secret must not stay in the address bar"
    page.goto(link_in(demo.mail(who.email, "Il link per la nuova password del portale"), "/nuova-password/"))
    heading(page, "Il link o il codice è già stato usato")
    member.look(page)


def test_the_office_decides(demo: Demo, person: Callable[..., Person]) -> None:
    """Sospendi (which the provider refuses at first: Riprova), Riattiva, Cessa; both sides see what has become."""
    at_work, member = person().let_in(OFFICE), person()
    asked = errands.assign(at_work)
    errands.invite(at_work, member, asked)
    errands.accept(member)
    office, page = at_work.page, member.page
    office.goto(asked.request)
    demo.fault("suspend", "status", 400)
    decide(office, "Sospendi", "quota non versata")
    at_work.reload_when(">Riprova<")
    at_work.look()
    picture(office, "segreteria-riprova")
    expect(status(office, "ATTIVO").first).to_be_visible()
    link(office, "Riprova").click()
    at_work.look()
    button(office, "Riprova").click()
    at_work.reload_when(">SOSPESO<")
    expect(status(office, "SOSPESO").first).to_be_visible()
    page.goto(OWN_REQUESTS)
    expect(page.get_by_text("La casella è sospesa")).to_be_visible()

    decide(office, "Riattiva")
    at_work.reload_when(">ATTIVO<")
    expect(status(office, "ATTIVO").first).to_be_visible()
    page.reload()
    expect(page.get_by_text("La casella è attiva")).to_be_visible()

    decide(office, "Cessa", "cancellazione dall'albo")
    at_work.reload_when(">CESSATO<")
    expect(status(office, "CESSATO").first).to_be_visible()
    expect(link(office, "Sospendi")).to_have_count(0)
    page.reload()
    expect(status(page, "CESSATO")).to_be_visible()
    expect(page.get_by_text("Non c'è nessuna richiesta PEC in corso.")).to_be_visible()
    member.look(page)


def test_annulla(person: Callable[..., Person]) -> None:
    at_work = person().let_in(OFFICE)
    asked, office = errands.assign(at_work), at_work.page
    office.goto(asked.request)
    link(office, "Annulla").click()
    button(office, "Annulla").click()
    expect(office.get_by_text("Indicare il motivo.").first).to_be_visible()
    office.get_by_label("Motivo").fill("richiesta per errore")
    button(office, "Annulla").click()
    expect(status(office, "ANNULLATO").first).to_be_visible()
    office.goto(asked.record)
    expect(link(office, "Richiedi PEC")).to_be_visible()


def test_in_with_spid(demo: Demo, person: Callable[..., Person]) -> None:
    """To the gateway and back, which the portal's policy must let through: unknown, in, and out."""
    if not demo.spid:
        pytest.skip("this demo has no gateway")
    spid, someone = Provider(urlsplit(demo.spid).port or 80), person()
    page, account = someone.page, demo.account("ANNULLATO")
    known, unknown = spid.person(account.username), spid.person(tax_code(999))
    low = spid.person(account.username, acr="https://www.spid.gov.it/SpidL1")

    def at_the_gateway(sub: str) -> None:
        def answer(route: Route) -> None:
            route.fulfill(status=302, headers={"Location": spid.says(route.request.url, sub=sub)})

        page.unroute_all()
        page.route(f"{demo.spid}/oauth2/authorize?*", answer)
        button(page, "Entra con SPID").click()

    page.goto("/accedi/")
    someone.look()
    at_the_gateway(low)
    heading(page, "Il riconoscimento con SPID non è riuscito")
    someone.look()
    at_the_gateway(unknown)
    heading(page, "Non ti troviamo tra gli iscritti")
    someone.look()
    page.goto(f"/accedi/?next={OWN_REQUESTS}")
    at_the_gateway(known)
    heading(page, "Richieste PEC")
    page.unroute_all()
    page.goto("/utente/sicurezza/conferma/")
    someone.look()
    button(page, "Esci").click()
    expect(page.get_by_text("presso il tuo gestore SPID")).to_be_visible()


def test_the_second_factor(demo: Demo, browser: Browser) -> None:
    """An app, a security key, recovery codes, and all of it taken off again: the account is as it was.

    At ``localhost``: a key belongs to a name, and 127.0.0.1 is none.
    """
    named = copy.copy(demo)
    named.portal = demo.portal.replace("127.0.0.1", "localhost")
    someone, account = Person(browser, named), demo.account("RIFIUTATO")
    page = someone.let_in("RIFIUTATO").page
    key = _Key(page)
    page.goto("/utente/scheda-anagrafica/i-miei-dati/")
    for form in ("HTML", "JSON"):  # one after the other, from the same page
        page.get_by_label(form).check()
        page.get_by_label("Password del portale").fill(account.password)
        with page.expect_download() as file:
            button(page, "Scarica").click()
        assert account.username in file.value.path().read_text()
    page.goto("/")
    link(page, "Sicurezza").click()
    link(page, "Attiva").click()
    _confirm(page, account.password)
    heading(page, "Attiva il secondo fattore")
    someone.look()
    secret = page.get_by_text("oppure scrivi nell'app questa chiave:").locator("span").inner_text()
    page.get_by_role("textbox").fill(format_hotp_value(hotp_value(secret, int(time.time()) // 30)))
    button(page, "Attiva").click()
    heading(page, "Codici di recupero")
    someone.look()
    code = page.get_by_role("main").get_by_role("listitem").first.inner_text()
    with page.expect_download() as file:
        link(page, "Scarica").click()
    assert code in file.value.path().read_text()
    link(page, "Fatto").click()

    link(page, "Aggiungi una chiave").click()
    heading(page, "Aggiungi una chiave di sicurezza")
    page.get_by_label("Nome della chiave").fill("chiave di casa")
    button(page, "Aggiungi la chiave").click()
    expect(page.get_by_text("La chiave di sicurezza è stata aggiunta.")).to_be_visible()
    expect(page.get_by_text("chiave di casa").first).to_be_visible()
    someone.look()
    # The same key once more: it refuses, and one reads that it did.
    link(page, "Aggiungi una chiave").click()
    someone.look()
    button(page, "Aggiungi la chiave").click()
    expect(page.get_by_text("La chiave di sicurezza non ha risposto")).to_be_visible()
    someone.look()

    def half_in() -> None:
        button(page, "Esci").click()
        link(page, "Accedi").click()
        page.get_by_label("Codice fiscale o e-mail").fill(account.username)
        page.get_by_label("Password", exact=True).fill(account.password)
        button(page, "Entra").click()
        heading(page, "Secondo fattore")

    half_in()
    someone.look()
    key.answers(wrongly=True)
    button(page, "Usa la chiave di sicurezza").click()
    expect(page.get_by_text("La chiave di sicurezza non è stata riconosciuta")).to_be_visible()
    key.answers(wrongly=False)
    button(page, "Usa la chiave di sicurezza").click()
    heading(page, "Scheda Anagrafica")
    half_in()
    page.get_by_role("textbox").fill(code)
    button(page, "Entra").click()
    heading(page, "Scheda Anagrafica")
    expect(page.get_by_text("Hai usato un codice di recupero: ne restano 9.")).to_be_visible()

    # Proved by the key, instead of the password.
    link(page, "Sicurezza").click()
    link(page, "Crea nuovi codici").click()
    heading(page, "Conferma che sei tu")
    link(page, "Usa una chiave di sicurezza").click()
    someone.look()
    button(page, "Usa la chiave di sicurezza").click()
    heading(page, "Crea nuovi codici di recupero")
    someone.look()
    link(page, "Annulla").click()
    page.goto("/utente/sicurezza/accessi/")
    expect(page.get_by_text("Questo dispositivo")).to_be_visible()
    someone.look()
    link(page, "Torna a Sicurezza").click()
    page.get_by_role("link", name="Togli chiave di casa").click()
    heading(page, "Togli la chiave di sicurezza")
    someone.look()
    button(page, "Togli la chiave").click()
    expect(page.get_by_text("La chiave di sicurezza è stata tolta.")).to_be_visible()
    link(page, "Disattiva").click()
    heading(page, "Disattiva il secondo fattore")
    someone.look()
    button(page, "Disattiva").click()
    expect(page.get_by_text("Non attivo").first).to_be_visible()
    assert not [said for said in someone.wrong() if "NotAllowedError" not in said]
    someone.context.close()


def _confirm(page: Page, password: str) -> None:
    page.get_by_label("Password").first.fill(password)
    button(page, "Conferma").click()


class _Key:
    """A security key, which Chromium plays: it answers as one does that is touched."""

    def __init__(self, page: Page) -> None:
        self._session = page.context.new_cdp_session(page)
        self._session.send("WebAuthn.enable")
        options = {"protocol": "ctap2", "transport": "usb", "automaticPresenceSimulation": True}
        self._id = self._session.send("WebAuthn.addVirtualAuthenticator", {"options": options})["authenticatorId"]

    def answers(self, *, wrongly: bool) -> None:
        """With a signature that is none, or as it should."""
        how = {"authenticatorId": self._id, "isBogusSignature": wrongly}
        self._session.send("WebAuthn.setResponseOverrideBits", how)
