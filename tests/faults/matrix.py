"""The cells of the matrix: which fault can strike where, and what must come of each kind of operation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from pec_requests.states import Kind, Status

if TYPE_CHECKING:  # the command reads the matrix before Django is ready
    from pec_requests.models import PecRequest


class Point(Enum):
    """Where on its way the operation is when the fault strikes."""

    CLAIMING = "durante la presa in carico"
    BEFORE_CALL = "prima della chiamata"
    AFTER_EFFECT = "fatto, senza risposta"
    BEFORE_SETTLING = "risposto, non registrato"


class Fault(Enum):
    """What goes wrong."""

    KILL = "worker kill -9"
    SKEW = "orologi sfasati di due ore"
    POSTGRES = "PostgreSQL riavviato"
    VALKEY = "Valkey ucciso e svuotato"
    EXPIRED = "gettone scaduto"
    REVOKED = "gettone revocato"
    LATENCY = "latenza oltre il limite"
    ERROR = "errore 500"
    RATE_LIMIT = "429 con Retry-After"
    HTML = "HTML al posto di JSON"
    TRUNCATED = "JSON troncato"
    PARTIAL = "riuscita parziale"
    CLOSED = "connessione chiusa"


# What the provider, or the way to it, does to a call. The others happen to our own house, or to our token, at any time.
IN_A_CALL = {
    *(Fault.LATENCY, Fault.ERROR, Fault.RATE_LIMIT, Fault.HTML, Fault.TRUNCATED, Fault.PARTIAL, Fault.CLOSED),
}
# Those after which the worker that claimed an operation can no longer settle it.
_CLAIM_IS_LOST = {Fault.KILL, Fault.SKEW, Fault.POSTGRES}
_TOKEN = {Fault.EXPIRED, Fault.REVOKED}


def impossible(point: Point, fault: Fault) -> str:
    """Why this fault cannot strike at this point; empty where it can."""
    if fault in IN_A_CALL and point in (Point.CLAIMING, Point.BEFORE_SETTLING):
        return "il gestore può sbagliare solo mentre gli si parla"
    if fault == Fault.RATE_LIMIT and point == Point.AFTER_EFFECT:
        return "un 429 dice che la chiamata non è stata eseguita"
    if fault == Fault.PARTIAL and point == Point.BEFORE_CALL:
        return "una riuscita parziale ha già fatto qualcosa"
    return ""


@dataclass(frozen=True)
class Ends:
    """How an operation of a kind must end: at the provider, in the portal, in the log.

    ``call``: the provider's name for the effect, which it counts by address, or ``by_holder``. ``mailbox``: the
    provider's word for the state, empty where the mailbox is gone.
    """

    call: str
    status: Status
    log: str
    mailbox: str = "Certificato"
    suspended: bool = False
    by_holder: bool = False

    def effects(self, calls: Mapping[str, Mapping[str, int]], request: PecRequest) -> int:
        """How often the provider has done this for a request, by its controls."""
        return calls.get(self.call, {}).get(request.member.tax_code if self.by_holder else request.address, 0)


# In the order of a mailbox's life: one batch of members walks through all of them.
ENDS = {
    Kind.CREATE: Ends("create", Status.NON_ATTIVO, "pec.create", "Da Certificare"),
    Kind.TAX_CODE: Ends("owners", Status.NON_ATTIVO, "pec.tax_code.corrected", "Da Certificare", by_holder=True),
    Kind.ACTIVATE: Ends("activate", Status.ATTIVO, "pec.accept"),
    Kind.RESET: Ends("password-reset", Status.ATTIVO, "pec.reset.sent"),
    Kind.RECOVERY_EMAIL: Ends("recovery-email", Status.ATTIVO, "pec.recovery.changed"),
    Kind.SUSPEND: Ends("suspend", Status.SOSPESO, "pec.suspend", suspended=True),
    Kind.RESUME: Ends("suspend-undo", Status.ATTIVO, "pec.resume"),
    Kind.CLOSE: Ends("cancellation", Status.CESSATO, "pec.close", ""),
}


@dataclass(frozen=True)
class Row:
    """One fault at one point, under which a batch of members lives through every kind of operation."""

    fault: Fault
    point: Point

    @property
    def id(self) -> str:
        """For the command line and for a test's name."""
        return f"{self.fault.name}-{self.point.name}".lower()

    def cells(self) -> list[Cell]:
        """One for each kind, in the order of life."""
        return [Cell(kind, self.point, self.fault) for kind in ENDS]


@dataclass(frozen=True)
class Cell:
    """One kind of operation at one point under one fault."""

    kind: Kind
    point: Point
    fault: Fault

    @property
    def ends(self) -> Ends:
        """How it must end."""
        return ENDS[self.kind]

    @property
    def may_be_unknown(self) -> bool:
        """Whether nobody can know if the reset link left: an answer was lost, or whoever waited for it."""
        if self.kind != Kind.RESET or self.point == Point.CLAIMING or self.fault == Fault.RATE_LIMIT:
            return False
        # An ended token by itself loses no answer; after the effect it is tried together with a closed connection.
        answer_lost = self.fault in IN_A_CALL or (self.fault in _TOKEN and self.point == Point.AFTER_EFFECT)
        return answer_lost or self.fault in _CLAIM_IS_LOST


def rows() -> Iterator[Row]:
    """Every possible pair of fault and point."""
    for fault in Fault:
        for point in Point:
            if not impossible(point, fault):
                yield Row(fault, point)


def left_out() -> dict[str, list[tuple[Fault, Point]]]:
    """The impossible pairs, by reason."""
    reasons: dict[str, list[tuple[Fault, Point]]] = {}
    for fault in Fault:
        for point in Point:
            if reason := impossible(point, fault):
                reasons.setdefault(reason, []).append((fault, point))
    return reasons
