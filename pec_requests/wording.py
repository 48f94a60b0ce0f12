"""What a member is told of a request, in words a person understands, and whether it is about to change by itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from members.models import Member
from pec_requests import mending
from pec_requests.models import PecRequest, ProviderHealth, ProviderOperation, RecoveryEmailChange
from pec_requests.notices import masked
from pec_requests.states import Kind, Status

State = ProviderOperation.State
# By kind.
Operations = dict[str, ProviderOperation]


@dataclass(frozen=True)
class Situation:
    """``tone``: info, success, warning, danger or secondary. ``moving``: worth looking at again soon.

    ``email_wanted``: the member can go on by giving another recovery e-mail.
    """

    title: str | Promise
    text: str | Promise
    tone: str = "info"
    moving: bool = False
    email_wanted: bool = False


# By hand: every page of a member asks these two, and Django takes longer to compose them than PostgreSQL to answer.
_OF_MEMBER = f"""
SELECT r.*,
    EXISTS (SELECT FROM {ProviderHealth._meta.db_table} WHERE id = 1 AND state <> '{ProviderHealth.State.CLOSED}')
        AS provider_away,
    EXISTS (SELECT FROM {RecoveryEmailChange._meta.db_table} c
        WHERE c.request_id = r.id AND (c.confirmed_at IS NULL AND c.dropped_at IS NULL
            OR c.alarm_at IS NOT NULL AND c.verdict = '')) AS has_change
FROM {PecRequest._meta.db_table} r WHERE r.member_id = %s
"""  # noqa: S608  (names of our own)
_NEWEST = f"""
SELECT DISTINCT ON (request_id, kind) * FROM {ProviderOperation._meta.db_table}
WHERE request_id = ANY(%s) AND state <> '{State.WITHDRAWN}' ORDER BY request_id, kind, id DESC
"""  # noqa: S608  (names of our own)

_WAITING_FOR_STAFF = gettext_lazy(
    "C'è un dettaglio da sistemare con il gestore: se ne occupa la segreteria dell'Ordine."
)

_WHILE_MOVING = gettext_lazy(
    "Il gestore sta lavorando alla casella: di solito bastano pochi secondi. Questa pagina si aggiorna da sola."
)
# The breaker is open: what was asked for stays in the queue.
_WHILE_AWAY = gettext_lazy(
    "La richiesta è al sicuro e resta in coda: appena il gestore risponde va avanti da sola, e ti scriviamo. Non devi "
    "rifare niente."
)

_PLAIN = {
    Status.RICHIESTA: Situation(
        gettext_lazy("Il gestore sta preparando la casella"),
        gettext_lazy("L'Ordine ha chiesto la casella per te. Appena è pronta ti scriviamo e potrai accettarla qui."),
        moving=True,
    ),
    Status.NON_ATTIVO: Situation(
        gettext_lazy("La casella è pronta: puoi accettarla"),
        gettext_lazy("Il gestore ha creato la casella, che non è ancora attiva. Per attivarla accetta l'assegnazione."),
        "warning",
    ),
    Status.ATTIVO: Situation(
        gettext_lazy("La casella è attiva"),
        gettext_lazy("Per entrare usa l'indirizzo completo della casella come nome utente."),
        "success",
    ),
    Status.SOSPESO: Situation(
        gettext_lazy("La casella è sospesa"),
        gettext_lazy(
            "Puoi leggere i messaggi ma non spedirne. Per informazioni rivolgiti alla segreteria dell'Ordine."
        ),
        "warning",
    ),
    Status.ANNULLATO: Situation(
        gettext_lazy("La richiesta è stata annullata"), gettext_lazy("L'Ordine ha annullato la richiesta."), "secondary"
    ),
    Status.RIFIUTATO: Situation(
        gettext_lazy("Hai rifiutato la casella"),
        gettext_lazy("Se hai cambiato idea, chiedi alla segreteria dell'Ordine una nuova richiesta."),
        "secondary",
    ),
    Status.CESSATO: Situation(
        gettext_lazy("La casella è cessata"),
        gettext_lazy("La casella è stata chiusa e non è più utilizzabile."),
        "secondary",
    ),
}

_IN_PROGRESS = {
    Kind.ACTIVATE: gettext_lazy("Attivazione in corso"),
    Kind.SUSPEND: gettext_lazy("Sospensione in corso"),
    Kind.RESUME: gettext_lazy("Riattivazione in corso"),
    Kind.CLOSE: gettext_lazy("Chiusura in corso"),
}


FROZEN = Situation(
    gettext_lazy("Segnalazione ricevuta: l'Ordine sta verificando"),
    gettext_lazy(
        "Qualcuno ha segnalato che il cambio dell'email di recupero non l'hai chiesto tu. Finché la segreteria non ha "
        "verificato, email di recupero e password non si possono cambiare da qui. Chiama la segreteria dell'Ordine."
    ),
    "danger",
)


def requests_of(member: Member, public_id: UUID | None = None) -> list[PecRequest]:
    """The member's requests, newest first, or the one with this id if it is theirs; read together with what
    ``was_away`` and ``may_have_change`` say.
    """
    wanted, params = (" AND r.public_id = %s", [public_id]) if public_id else ("", [])
    found = list(PecRequest.objects.raw(f"{_OF_MEMBER}{wanted} ORDER BY r.id DESC", [member.pk, *params]))
    for request in found:
        request.member = member  # known already, with its Ordine
    return found


def was_away(request: PecRequest) -> bool:
    """Whether the provider was away, or refused us, when the request was read."""
    return bool(getattr(request, "provider_away", False))


def may_have_change(request: PecRequest) -> bool:
    """Whether it is worth while to look for a change of the recovery e-mail, or an alarm about one: most have none."""
    return bool(getattr(request, "has_change", True))


def newest(requests: Iterable[PecRequest]) -> dict[int, Operations]:
    """For each request the newest operation of each kind, but for those withdrawn: of them the sentences are made."""
    found: dict[int, Operations] = {request.pk: {} for request in requests}
    for operation in ProviderOperation.objects.raw(_NEWEST, [list(found)]):
        found[operation.request_id][operation.kind] = operation
    return found


def look_again_seconds(request: PecRequest, operations: Operations) -> int:
    """How soon a page that shows something moving should ask again: often at first, less when it takes long."""
    began = max((operation.created_at for operation in operations.values()), default=request.requested_at)
    return 2 if timezone.now() - began < timedelta(minutes=2) else 20


def situation(request: PecRequest, operations: Operations, *, away: bool = False) -> Situation:
    """How the request stands, for the member; ``away`` while the provider cannot be reached."""
    if request.status == Status.RICHIESTA and not request.recovery_email:
        return Situation(
            _("Serve un'email di recupero"),
            _("Per creare la casella il gestore vuole un tuo indirizzo e-mail ordinario, che non sia una PEC."),
            "warning",
            email_wanted=True,
        )
    deciding = [operations[kind] for kind in (Kind.CREATE, *_IN_PROGRESS) if kind in operations]
    operation = max(deciding, key=lambda each: each.pk, default=None)
    if operation and operation.state == State.ATTENTION:
        if mend := mending.by_member(operation.kind, operation.refused_field):
            return _to_mend(request, mend)
        return Situation(_("L'Ordine sta verificando"), _WAITING_FOR_STAFF, "warning")
    open_kind = operation.kind if operation and operation.state in ProviderOperation.OPEN else None
    if request.status == Status.NON_ATTIVO and request.accepted_at:
        open_kind = Kind.ACTIVATE  # also in the moment between the two reads, when it has just been done
    if request.is_live and open_kind in _IN_PROGRESS:
        return Situation(_IN_PROGRESS[Kind(open_kind)], _WHILE_AWAY if away else _WHILE_MOVING, moving=True)
    plain = _PLAIN[Status(request.status)]
    return replace(plain, text=_WHILE_AWAY) if away and plain.moving else plain


def _to_mend(request: PecRequest, mend: mending.Mend) -> Situation:
    """What the provider refused, and what the member can do about it."""
    if mend == mending.Mend.EMAIL:
        text = _(
            "Il gestore non accetta %(email)s, e senza non crea la casella. Indica un altro indirizzo tuo: ordinario, "
            "non una PEC. Se hai dubbi, chiedi alla segreteria dell'Ordine."
        )
        return Situation(
            _("Serve un'altra email di recupero"),
            text % {"email": request.recovery_email},
            "warning",
            email_wanted=True,
        )
    text = _(
        "Per il gestore il codice fiscale non corrisponde a cognome e nome, e così non può creare la casella. "
        "Controllali nella Scheda Anagrafica e scrivi alla segreteria dell'Ordine che cosa va corretto: solo l'Ordine "
        "può farlo."
    )
    return Situation(_("Controlla i tuoi dati anagrafici"), text, "warning")


def reset_situation(request: PecRequest, operations: Operations) -> Situation | None:
    """How the last wish for a password link stands; None when there was none."""
    operation = operations.get(Kind.RESET)
    if operation is None:
        return None
    match State(operation.state):
        case State.WAITING | State.RUNNING:
            return Situation(_("Invio del link in corso"), _("Il gestore sta spedendo il link."), moving=True)
        case State.DONE:
            text = _("Il gestore ha spedito il link a %(to)s. Vale 3 ore e si può usare una volta sola.")
            return Situation(_("Link spedito"), text % {"to": operation.result}, "success")
        case State.UNKNOWN:
            text = _(
                "Il gestore non ha risposto: forse il link è partito. Controlla la posta di %(to)s; se entro "
                "qualche minuto non arriva, chiedine un altro."
            )
            return Situation(
                _("Non sappiamo se il link è partito"), text % {"to": masked(request.recovery_email)}, "warning"
            )
        case _:
            return Situation(_("Il gestore non ha spedito il link"), _WAITING_FOR_STAFF, "danger")


def recovery_situation(
    request: PecRequest, operations: Operations, wish: RecoveryEmailChange | None
) -> Situation | None:
    """How the change of the recovery e-mail stands, given the wish that is still to be confirmed, if any."""
    if wish:
        text = _("Abbiamo spedito un link a %(email)s. L'email di recupero cambia solo quando lo apri e confermi.")
        return Situation(_("Conferma il nuovo indirizzo"), text % {"email": wish.new_email}, "warning", moving=True)
    operation = operations.get(Kind.RECOVERY_EMAIL)
    if operation is None or operation.state == State.DONE:
        return None
    if operation.state in ProviderOperation.OPEN:
        text = _("Il gestore sta registrando %(email)s come email di recupero.")
        return Situation(_("Cambio in corso"), text % {"email": operation.recovery_email}, moving=True)
    if operation.look_first:
        text = _("Non sappiamo se il gestore ha registrato %(email)s: se ne occupa la segreteria dell'Ordine.")
        return Situation(_("Cambio da verificare"), text % {"email": operation.recovery_email}, "warning")
    if operation.recovery_email == request.recovery_email:
        return Situation(_("Indirizzo da verificare"), _WAITING_FOR_STAFF, "warning")
    text = _(
        "Il gestore non ha accettato %(email)s. Vale ancora %(old)s: se non lo leggi più indica un altro indirizzo, o "
        "chiama la segreteria dell'Ordine."
    )
    shown = {"email": operation.recovery_email, "old": request.recovery_email}
    return Situation(_("Indirizzo non accettato"), text % shown, "danger")
