"""What has been done before a walk begins: the same requests as a browser sends, without drawing the pages."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from tests.browser.demo import link_in
from tests.browser.people import Person
from tests.browser.steps import PORTAL_PASSWORD, Iscritto
from tests.house.holders import wait_until

MEMBERS = "/admin/members/member/"
IMPORTS = "/admin/members/importrun/"
OWN_REQUESTS = "/utente/scheda-anagrafica/richieste-pec/"
ROW = re.compile(
    r'<a href="(/admin/members/member/\d+/)change/[^>]*>([^<]+)</a>.*?\b([A-Z]{6}\w{10})\b(?:.*?([^\s<>]+@[\w.-]+))?'
)


@dataclass(frozen=True)
class Assigned:
    """A member and the request made for them: the codice fiscale and so on, the office's two pages, the mailbox."""

    who: Iscritto
    record: str
    request: str
    address: str


def request_pec(office: Person, *, email: bool = True) -> Assigned:
    """For somebody who has none, with or without an e-mail to write to."""
    listed = office.read(f"{MEMBERS}?pec=senza{'' if email else '&avviso=email_missing'}")
    row = next(row for row in re.findall(r"<tr>.*?</tr>", " ".join(listed.split())) if ROW.search(row))
    found = ROW.search(row)
    assert found
    record, surname, tax_code, address = found.groups()
    assert bool(address) is email
    form = f"{MEMBERS}richiedi-pec/?ids={record.split('/')[-2]}"
    domain = re.search(r'value="(\d+)"[^>]*>tsrm\.org<', office.read(form))
    assert domain
    request = urlsplit(office.send(form, ids=record.split("/")[-2], domain=domain[1])).path
    mailbox = re.search(r"[\w.-]+@tsrm\.org", office.read(request))
    assert mailbox
    return Assigned(Iscritto(surname, tax_code, address or ""), f"{record}change/", request, mailbox[0])


def assign(office: Person) -> Assigned:
    """Request a mailbox, and wait until the provider has made it."""
    assigned = request_pec(office)
    wait_until(lambda: ">NON ATTIVO<" in office.read(assigned.request), 20, every=0.2)
    return assigned


def import_file(office: Person, state: str) -> str:
    """An import that has come so far, of lines that are all rejected or warned of; returns its number."""
    header = "Chi;Nome;Albo;Identificativo;E-mail" if state == "columns" else "Cognome;Nome;Albo;Codice fiscale;E-mail"
    text = f"{header}\nRossi;Mario;Dietista;RSSMRA80A01H501U;\nVerdi;Anna;Mago;VRDNNA80A41H501X;anna@example.com\n"
    page = office.bring(f"{IMPORTS}add/", "albo.csv", "%PDF" if state == "failed" else text)
    shown = {"columns": "Quale colonna", "failed": "non riuscita"}.get(state, "Anteprima")
    wait_until(lambda: shown in office.read(page), 20, every=0.2)
    if state == "done":
        office.send(page, act="confirm")
        wait_until(lambda: "Importazione eseguita" in office.read(page), 20, every=0.2)
    return page.split("/")[-3]


def invite(office: Person, person: Person, assigned: Assigned) -> None:
    """The person comes in by the invitation's link, and has a password from then on."""
    mails, email = person.demo, assigned.who.email
    before = len([mail for mail in mails.mails(email) if "Invito" in mail["subject"]])
    office.send(assigned.record.replace("change/", "invito/"))
    link = link_in(mails.mail(email, "Invito al portale", before=before), "/invito/")
    person.send(link, password=PORTAL_PASSWORD, again=PORTAL_PASSWORD)


def accept(person: Person) -> None:
    """The member's yes; returns when the mailbox is ATTIVO."""
    own = re.search(r'[^"]+/accetta/', person.read(OWN_REQUESTS))
    assert own
    person.send(own[0], conditions="on")
    wait_until(lambda: ">ATTIVO<" in person.read(OWN_REQUESTS), 20, every=0.2)
