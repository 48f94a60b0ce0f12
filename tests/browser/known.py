"""What the visits to pages need of the demo's data, read off its pages as a person would."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

from tests.browser.demo import Demo, link_in
from tests.browser.errands import import_file
from tests.browser.page_list import FEDERATION, OFFICE
from tests.browser.people import Person

UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"


class Known:
    """From the words of ``page_list`` to the arguments of an address."""

    def __init__(self, demo: Demo, person_of: Callable[[str], Person]) -> None:
        self._demo, self._person_of = demo, person_of
        self.one = cache(self._one)

    def arguments(self, words: str) -> list[str]:
        """``request:ATTIVO/suspend`` is two arguments; a word that is nothing known stands for itself."""
        return [self.one(*word.partition(":")[::2]) for word in words.split("/") if word]

    def _one(self, kind: str, state: str) -> str:
        if mailed := {
            "invitation": self._invitation,
            "confirmation": self._confirmation,
            "email": self._personal_email,
        }.get(kind):
            return mailed()
        match kind:
            case "member" | "request":
                model = {"member": "members/member", "request": "pec_requests/pecrequest"}[kind]
                code = self._demo.account(state).username
                return self._find(OFFICE, f"/admin/{model}/?q={code}", rf"/admin/{model}/(\d+)/change/")
            case "pec":
                return self._find(state, "/utente/scheda-anagrafica/richieste-pec/", rf"/({UUID})/")
            case "operation":
                return self._row(OFFICE, "pec_requests/provideroperation")
            case "ordine" | "albo" | "user" | "staffrole":
                return self._row(FEDERATION, f"members/{kind}")
            case "requestbatch":
                return self._row(OFFICE, "pec_requests/requestbatch")
            case "logentry":
                return self._row(OFFICE, "audit/logentry")
            case "pecdomain" | "providerhealth":
                return self._row(FEDERATION, f"pec_requests/{kind}")
            case "import":
                return import_file(self._person_of(OFFICE), state)
        return kind

    def _row(self, who: str, model: str) -> str:
        return self._find(who, f"/admin/{model}/", rf"/admin/{model}/(\d+)/change/")

    def _find(self, who: str, address: str, pattern: str) -> str:
        found = re.search(pattern, self._person_of(who).read(address))
        assert found, f"{address} has no {pattern} for {who}"
        return found[1]

    def _invitation(self) -> str:
        """Of the member who has been refused nothing and asked for nothing: one more invitation does no harm."""
        member, before = self._email("SENZA RICHIESTA")
        self._person_of(OFFICE).send(f"/admin/members/member/{member}/invito/")
        mail = self._demo.mail(before[0], "", before=before[1])
        return link_in(mail, "/invito/").rstrip("/").rpartition("/")[2]

    def _confirmation(self) -> str:
        """Of a new recovery e-mail that waits for its confirmation."""
        pec = self.one("pec", "ATTIVO")
        email = f"nuova-{pec[:8]}@example.com"
        before = len(self._demo.mails(email))
        password = self._demo.account("ATTIVO").password
        address = f"/utente/scheda-anagrafica/pec/{pec}/email-recupero/"
        self._person_of("ATTIVO").send(address, email=email, password=password)
        mail = self._demo.mail(email, "", before=before)
        return link_in(mail, "/conferma-email/").rstrip("/").rpartition("/")[2]

    def _personal_email(self) -> str:
        """Of a new personal e-mail that waits for its confirmation; the record shows it from now on."""
        email = f"mia-{self.one('pec', 'ATTIVO')[:8]}@example.com"
        before, password = len(self._demo.mails(email)), self._demo.account("ATTIVO").password
        self._person_of("ATTIVO").send("/utente/scheda-anagrafica/email/", email=email, password=password)
        return link_in(self._demo.mail(email, "", before=before), "/conferma/").rstrip("/").rpartition("/")[2]

    def _email(self, state: str) -> tuple[str, tuple[str, int]]:
        """The member's row, and the address with the number of mails it has had."""
        member = self.one("member", state)
        page = self._person_of(OFFICE).read(f"/admin/members/member/{member}/change/")
        found = re.search(r'name="personal_email" value="([^"]+)"', page)
        assert found
        return member, (found[1], len(self._demo.mails(found[1])))
