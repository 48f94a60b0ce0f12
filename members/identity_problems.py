"""Why somebody did not come in with SPID or CIE, in words that say what to do."""

from __future__ import annotations

import enum
import re

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class Problem(enum.StrEnum):
    """What went wrong between the button and the way back."""

    CANCELLED = "cancelled"
    TOO_MANY_ATTEMPTS = "too_many_attempts"
    NO_CREDENTIALS = "no_credentials"
    TIMED_OUT = "timed_out"
    NO_CONSENT = "no_consent"
    SUSPENDED = "suspended"
    WRONG_KIND = "wrong_kind"
    REFUSED = "refused"
    DOWN = "down"
    EXPIRED = "expired"
    NOT_TRUSTED = "not_trusted"
    LEVEL = "level"
    NO_TAX_CODE = "no_tax_code"
    OTHER_PERSON = "other_person"


SENTENCES: dict[Problem, str | Promise] = {
    Problem.CANCELLED: _("Hai interrotto l'operazione prima della fine. Puoi riprovare quando vuoi."),
    Problem.TOO_MANY_ATTEMPTS: _(
        "Il tuo gestore di identità ha ricevuto troppe volte credenziali sbagliate. Controllale sul suo sito e riprova."
    ),
    Problem.NO_CREDENTIALS: _(
        "La tua identità non ha le credenziali del livello che serve qui. Chiedile al tuo gestore di identità."
    ),
    Problem.TIMED_OUT: _("È passato troppo tempo sulla pagina del tuo gestore di identità. Riprova."),
    Problem.NO_CONSENT: _(
        "Non hai dato il consenso all'invio dei tuoi dati. Senza il codice fiscale non possiamo riconoscerti."
    ),
    Problem.SUSPENDED: _("La tua identità è sospesa o revocata. Rivolgiti al tuo gestore di identità."),
    Problem.WRONG_KIND: _(
        "Questa identità non è di una persona fisica, o è per uso professionale. Usa la tua identità personale."
    ),
    Problem.REFUSED: _("Il servizio di identità non ha portato a termine l'operazione. Riprova tra qualche minuto."),
    Problem.DOWN: _("In questo momento il servizio di identità non risponde. Riprova tra qualche minuto."),
    Problem.EXPIRED: _(
        "Questa pagina non vale più: forse hai usato il tasto Indietro, o sono passati più di dieci minuti. "
        "Ricomincia da qui."
    ),
    Problem.NOT_TRUSTED: _(
        "Per sicurezza abbiamo rifiutato la risposta del servizio di identità. Riprova; se succede ancora, "
        "avvisa la segreteria del tuo Ordine."
    ),
    Problem.LEVEL: _(
        "Sei entrato con un livello di sicurezza troppo basso: serve almeno il livello 2, che oltre alla password "
        "chiede un codice temporaneo o l'app del tuo gestore di identità."
    ),
    Problem.NO_TAX_CODE: _(
        "Il servizio di identità non ci ha comunicato un codice fiscale, e senza non possiamo riconoscerti."
    ),
    Problem.OTHER_PERSON: _(
        "L'identità con cui hai confermato è di un'altra persona. Usa la tua, oppure la password del portale."
    ),
}

# What a SPID provider answers where the person, not the machine, is concerned.
_SPID_CODE = re.compile(r"errorcode[\s_:=-]*nr[\s_]*(\d{1,3})", re.IGNORECASE)
_BY_SPID_CODE = {
    19: Problem.TOO_MANY_ATTEMPTS,
    20: Problem.NO_CREDENTIALS,
    21: Problem.TIMED_OUT,
    22: Problem.NO_CONSENT,
    23: Problem.SUSPENDED,
    25: Problem.CANCELLED,
    30: Problem.WRONG_KIND,
}
_BY_ERROR = {
    "access_denied": Problem.CANCELLED,
    "consent_required": Problem.NO_CONSENT,
    "server_error": Problem.DOWN,
    "temporarily_unavailable": Problem.DOWN,
}


class IdentityRefused(Exception):
    """Nobody comes in; ``problem`` says why. ``about`` is for our log only, never for the page."""

    def __init__(self, problem: Problem, about: str = "") -> None:
        super().__init__(about or problem.value)
        self.problem, self.about = problem, about


def told_by_gateway(error: str, description: str) -> Problem:
    """What the gateway's answer means: SPID's own code, which gateways pass on in the description, says most."""
    if code := _SPID_CODE.search(description):
        return _BY_SPID_CODE.get(int(code[1]), Problem.REFUSED)
    return _BY_ERROR.get(error, Problem.REFUSED)
