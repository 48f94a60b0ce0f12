"""The life of a request, in one table. Buttons, workers and tests read it; nothing repeats it."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import models
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class Status(models.TextChoices):
    """Where a request is."""

    RICHIESTA = "RICHIESTA", _("RICHIESTA")
    NON_ATTIVO = "NON_ATTIVO", _("NON ATTIVO")
    ATTIVO = "ATTIVO", _("ATTIVO")
    SOSPESO = "SOSPESO", _("SOSPESO")
    ANNULLATO = "ANNULLATO", _("ANNULLATO")
    RIFIUTATO = "RIFIUTATO", _("RIFIUTATO")
    CESSATO = "CESSATO", _("CESSATO")


LIVE = (Status.RICHIESTA, Status.NON_ATTIVO, Status.ATTIVO, Status.SOSPESO)
FINAL = (Status.ANNULLATO, Status.RIFIUTATO, Status.CESSATO)


class Kind(models.TextChoices):
    """What is asked of the provider."""

    CREATE = "CREATE", _("Creazione della casella")
    ACTIVATE = "ACTIVATE", _("Attivazione della casella")
    RESET = "RESET", _("Invio del link per la password")
    TAX_CODE = "TAX_CODE", _("Correzione del codice fiscale")
    RECOVERY_EMAIL = "RECOVERY_EMAIL", _("Cambio dell'email di recupero")
    SUSPEND = "SUSPEND", _("Sospensione della casella")
    RESUME = "RESUME", _("Riattivazione della casella")
    CLOSE = "CLOSE", _("Chiusura della casella")


class Who(models.TextChoices):
    """Who decides a move."""

    STAFF = "STAFF", _("segreteria")
    MEMBER = "MEMBER", _("iscritto")
    WORKER = "WORKER", _("sistema")


@dataclass(frozen=True)
class Move:
    """``act`` is decided by ``who``; the status changes at once, or when the provider confirms ``operation``."""

    act: str
    source: Status | None
    target: Status
    who: Who
    operation: Kind | None
    label: str | Promise = ""
    before_acceptance: bool = False
    reason_wanted: bool = False


MOVES = (
    Move("request", None, Status.RICHIESTA, Who.STAFF, None, _("Richiedi PEC")),
    Move("create", Status.RICHIESTA, Status.NON_ATTIVO, Who.WORKER, Kind.CREATE),
    Move("accept", Status.NON_ATTIVO, Status.ATTIVO, Who.MEMBER, Kind.ACTIVATE, _("Accetta"), before_acceptance=True),
    Move("refuse", Status.NON_ATTIVO, Status.RIFIUTATO, Who.MEMBER, None, _("Rifiuta"), before_acceptance=True),
    Move("cancel", Status.RICHIESTA, Status.ANNULLATO, Who.STAFF, None, _("Annulla"), True, reason_wanted=True),
    Move("cancel", Status.NON_ATTIVO, Status.ANNULLATO, Who.STAFF, None, _("Annulla"), True, reason_wanted=True),
    Move("suspend", Status.ATTIVO, Status.SOSPESO, Who.STAFF, Kind.SUSPEND, _("Sospendi"), reason_wanted=True),
    Move("resume", Status.SOSPESO, Status.ATTIVO, Who.STAFF, Kind.RESUME, _("Riattiva")),
    Move("close", Status.ATTIVO, Status.CESSATO, Who.STAFF, Kind.CLOSE, _("Cessa"), reason_wanted=True),
    Move("close", Status.SOSPESO, Status.CESSATO, Who.STAFF, Kind.CLOSE, _("Cessa"), reason_wanted=True),
)


class IllegalMove(Exception):
    """The move is not in the table, or not any more. ``str()`` is a sentence for the person who asked."""


def move(act: str, source: str) -> Move:
    """The row of this act from this status; IllegalMove where there is none."""
    for row in MOVES:
        if row.act == act and row.source == source:
            return row
    raise IllegalMove(
        _("Questa operazione non è possibile: la richiesta è nello stato %(status)s.")
        % {"status": Status(source).label}
    )


def moves_from(status: str, who: Who, *, accepted: bool) -> list[Move]:
    """The moves that ``who`` may decide now; what needs to come before acceptance is left out after it."""
    return [m for m in MOVES if m.source == status and m.who == who and not (accepted and m.before_acceptance)]


def move_by(operation: str, source: str) -> Move | None:
    """The row that the provider's confirmation of this operation completes from this status, if any."""
    return next((m for m in MOVES if m.operation == operation and m.source == source), None)


def target_of(act: str) -> set[Status]:
    """Where an act leads, from whatever status: being there already means it was done."""
    return {m.target for m in MOVES if m.act == act}
