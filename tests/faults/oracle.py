"""What must be true of every request once all is quiet, whatever went wrong before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from audit.models import LogEntry
from pec_requests import wording
from pec_requests.models import PecRequest, ProviderOperation
from pec_requests.states import Kind
from tests.faults.matrix import Cell
from tests.sandbox_process import SandboxProcess

State = ProviderOperation.State
_UNKNOWN = "pec.reset.unknown"
_TOLD = "Non sappiamo se il link è partito"


@dataclass(frozen=True)
class Facts:
    """What the portal, the provider and the log say of one request after one operation."""

    address: str
    status: str
    recovery_email: str
    states: Sequence[str]
    effects: int
    mailbox: Mapping[str, Any] | None
    logged: Mapping[str, int]
    told: str = ""
    tax_code: str = ""


@dataclass
class Verdict:
    """What came of the operations of a cell. Each sentence in ``lost`` and ``twice`` is about one of them."""

    operations: int = 0
    unknown: int = 0
    lost: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Nothing lost, nothing twice."""
        return not self.lost and not self.twice

    @property
    def strays(self) -> set[str]:
        """The addresses of what is lost."""
        return {sentence.partition(":")[0] for sentence in self.lost}


def verdict(cell: Cell, facts: Sequence[Facts], wanted_email: Mapping[str, str]) -> Verdict:
    """Judge a batch. ``wanted_email`` is the recovery e-mail that each address must have by now."""
    result = Verdict(operations=len(facts))
    for fact in facts:
        result.unknown += State.UNKNOWN in fact.states
        if twice := _twice(cell, fact):
            result.twice.append(f"{fact.address}: {'; '.join(twice)}")
        if lost := _lost(cell, fact, wanted_email[fact.address]):
            result.lost.append(f"{fact.address}: {'; '.join(lost)}")
    return result


def _twice(cell: Cell, fact: Facts) -> list[str]:
    problems = []
    if fact.effects > 1:
        problems.append(f"{cell.ends.call} × {fact.effects} presso il gestore")
    for action in (cell.ends.log, _UNKNOWN):
        if fact.logged.get(action, 0) > 1:
            problems.append(f"{action} × {fact.logged[action]} nel registro")
    return problems


def _lost(cell: Cell, fact: Facts, wanted_email: str) -> list[str]:
    unknown = list(fact.states) == [State.UNKNOWN]
    if unknown and cell.may_be_unknown:
        return [*_untold(fact), *_astray(cell, fact, wanted_email)]
    problems = []
    if list(fact.states) != [State.DONE]:
        problems.append(f"operazione {list(fact.states)}")
    if not fact.effects:
        problems.append("nessun effetto presso il gestore")
    if not fact.logged.get(cell.ends.log):
        problems.append(f"manca {cell.ends.log} nel registro")
    if fact.logged.get(_UNKNOWN) and cell.kind == Kind.RESET:
        problems.append("riuscita, ma detta sconosciuta")
    return problems + _astray(cell, fact, wanted_email)


def _untold(fact: Facts) -> list[str]:
    """An unknown outcome is in the log once, is not told as a success, and the member reads of it."""
    problems = []
    if fact.logged.get(_UNKNOWN) != 1:
        problems.append(f"manca {_UNKNOWN} nel registro")
    if fact.logged.get("pec.reset.sent"):
        problems.append("sconosciuta, ma detta riuscita")
    if fact.told != _TOLD:
        problems.append(f"all'iscritto si dice «{fact.told}»")
    return problems


def _astray(cell: Cell, fact: Facts, wanted_email: str) -> list[str]:
    """Where request and mailbox are not what the decision wanted."""
    problems = []
    if fact.status != cell.ends.status:
        problems.append(f"stato {fact.status}, non {cell.ends.status}")
    if fact.recovery_email != wanted_email:
        problems.append(f"email di recupero {fact.recovery_email}")
    there = fact.mailbox
    if there is None:
        return problems + (["la casella non c'è"] if cell.ends.mailbox else [])
    if there["status"] != cell.ends.mailbox:
        problems.append(f"presso il gestore è «{there['status']}»")
    if bool(there["suspensionDate"]) != cell.ends.suspended:
        problems.append("sospensione sbagliata presso il gestore")
    if there["owner"]["taxCode"] != fact.tax_code:
        problems.append(f"presso il gestore il titolare è {there['owner']['taxCode']}")
    if there["recoveryEmail"] != wanted_email:
        problems.append(f"presso il gestore l'email è {there['recoveryEmail']}")
    return problems


def gather(cell: Cell, request_ids: Sequence[int], provider: SandboxProcess) -> list[Facts]:
    """Read it all from the portal's database and the provider's controls."""
    done = provider.calls()
    mailboxes = {account["name"]: account for account in provider.accounts()}
    states: dict[int, list[str]] = {pk: [] for pk in request_ids}
    for pk, state in ProviderOperation.objects.filter(request__in=request_ids, kind=cell.kind).values_list(
        "request_id", "state"
    ):
        states[pk].append(state)
    logged: dict[int, Counter[str]] = {pk: Counter() for pk in request_ids}
    entries = LogEntry.objects.filter(object_type="pec_requests.pecrequest", object_id__in=request_ids)
    for pk, action in entries.values_list("object_id", "action"):
        logged[pk or 0][action] += 1
    return [
        Facts(
            address=request.address,
            status=request.status,
            recovery_email=request.recovery_email,
            states=states[request.pk],
            effects=cell.ends.effects(done, request),
            mailbox=mailboxes.get(request.address),
            logged=logged[request.pk],
            told=_told(cell, request),
            tax_code=request.member.tax_code,
        )
        for request in PecRequest.objects.select_related("member").filter(pk__in=request_ids).order_by("pk")
    ]


def _told(cell: Cell, request: PecRequest) -> str:
    situation = (
        wording.reset_situation(request, wording.newest([request])[request.pk]) if cell.kind == Kind.RESET else None
    )
    return str(situation.title) if situation else ""
