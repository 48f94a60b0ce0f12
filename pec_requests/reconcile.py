"""The register against the provider: walk its mailboxes by pages, name each difference, mend the safe ones.

Two steps, so that neither the size of the list nor its moving while it is walked does harm:

1. The walk compares page by page, and writes into a temporary table of PostgreSQL what it has seen and what looks
   wrong. Only once it is complete, absences are looked for, in one statement.
2. Each suspect is asked about again (``find``), between two reads of the register: where the register has moved in
   between, or an operation that is not settled accounts for the difference, there is none to name. Only what stands
   this test is written down, and mended if asked for. An earlier difference is asked about in the same way, and closed
   when it is gone.

No transaction is open during a call. What can be mended, and why the rest cannot, is in ``comparing``.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils.translation import gettext as _
from django_scopes import scopes_disabled

from audit import log
from audit.actors import Actor
from members.models import Member
from pec_requests import comparing, lifecycle, notices, operations
from pec_requests.comparing import Finding, Standing
from pec_requests.models import Difference, PecDomain, PecRequest, ProviderHealth, ProviderOperation
from pec_requests.provider import Mailbox, MailboxStatus, Provider, ProviderError, Refused, Temporary, provider
from pec_requests.states import LIVE, Kind

PAGE = 500
# So many repairs in one night mean that something else is wrong: the rest waits for the next run, and for a person.
MOST_REPAIRS = 200
_LOCK = 7_316_004
_ACTOR = Actor.process("reconcile")
_TRIES = 4
_LONGEST_PAUSE = 60.0
_MISSED = [status for status in LIVE if not comparing.fits(status, None)]

P = ParamSpec("P")
T = TypeVar("T")


class Busy(Exception):
    """Another run is at it. ``str()`` is a sentence for people."""


class NotFinished(Exception):
    """The provider did not let the run come to its end. ``str()`` is a sentence for people."""


@dataclass
class Outcome:
    """What a run came to. ``undecided``: addresses about which the provider refuses to answer."""

    started_at: datetime.datetime
    accounts: int = 0
    foreign: int = 0
    checked: int = 0
    undecided: int = 0
    repaired: int = 0
    remaining: int = 0

    @property
    def differences(self) -> QuerySet[Difference]:
        """What is open after this run, and what it has mended."""
        wanted = Difference.objects.filter(Q(closed_at=None) | Q(repaired_at__gte=self.started_at))
        return wanted.select_related("request").order_by("address", "kind")


def run(the_provider: Provider | None = None, *, repair: bool = False) -> Outcome:
    """Compare everything, of all Ordini, one run at a time. Raises ``Busy`` and ``NotFinished``.

    A run that is not finished has named nothing but what it had already asked about twice.
    """
    # The run serves every Ordine.
    with scopes_disabled(), _alone(), _notebook():
        outcome = Outcome(started_at=_now())
        try:
            gestore = the_provider or _reachable()
            _walk(gestore, outcome)
            for address in _suspects():
                _check(gestore, address, outcome, repair=repair)
        except ProviderError as error:
            message = _("Il confronto con il gestore non è arrivato alla fine: %(why)s")
            raise NotFinished(message % {"why": error}) from error
        outcome.remaining = Difference.objects.filter(closed_at=None).count()
        return outcome


def _reachable() -> Provider:
    """The provider, unless the workers have found it away and are still leaving it in peace."""
    away = ProviderHealth.objects.filter(pk=1, open_until__gt=Now()).exclude(state=ProviderHealth.State.CLOSED).first()
    if away:
        raise Temporary(away.reason or away.get_state_display())
    return provider()


def _walk(gestore: Provider, outcome: Outcome) -> None:
    """Note every mailbox that the provider lists, then what the register has and the provider did not list."""
    domains, number, last = frozenset(PecDomain.objects.values_list("name", flat=True)), 0, False
    while not last:
        page = _patiently(gestore.mailbox_page, number, PAGE)
        _note({box.name: box for box in page.mailboxes}, domains)
        number, last = number + 1, page.last
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE reconcile_seen")
        cursor.execute("SELECT count(*), count(*) FILTER (WHERE is_foreign) FROM reconcile_seen")
        outcome.accounts, outcome.foreign = cursor.fetchone()
        cursor.execute(
            "INSERT INTO reconcile_seen SELECT r.address, TRUE, FALSE FROM pec_requests_pecrequest r"
            " WHERE r.status = ANY(%s) ON CONFLICT DO NOTHING",
            [_MISSED],
        )
        cursor.execute(
            "INSERT INTO reconcile_seen SELECT DISTINCT d.address, TRUE, FALSE FROM pec_requests_difference d"
            " WHERE d.closed_at IS NULL ON CONFLICT (address) DO UPDATE SET suspect = TRUE"
        )


def _note(boxes: dict[str, Mailbox], domains: frozenset[str]) -> None:
    """One page: which addresses are there, which look wrong, which are not of our domains."""
    here = comparing.standings(boxes)
    foreign = {name for name in boxes if name not in here and _domain(name) not in domains}
    wrong = {name for name, box in boxes.items() if name not in foreign and comparing.compare(box, here.get(name))}
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO reconcile_seen SELECT * FROM unnest(%s::text[], %s::boolean[], %s::boolean[])"
            " ON CONFLICT (address) DO UPDATE SET suspect = reconcile_seen.suspect OR EXCLUDED.suspect",
            [list(boxes), [name in wrong for name in boxes], [name in foreign for name in boxes]],
        )


def _suspects() -> Iterator[str]:
    """The addresses to ask about again, by pages of their own."""
    after = ""
    while True:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT address FROM reconcile_seen WHERE suspect AND address > %s ORDER BY address LIMIT %s",
                [after, PAGE],
            )
            addresses = [address for (address,) in cursor.fetchall()]
        if not addresses:
            return
        yield from addresses
        after = addresses[-1]


def _check(gestore: Provider, address: str, outcome: Outcome, *, repair: bool) -> None:
    """Ask again, and believe only what both sides still say."""
    outcome.checked += 1
    before = comparing.standing_now(address)
    try:
        box = _look(gestore, address)
    except Refused:
        outcome.undecided += 1
        return
    if comparing.standing_now(address) != before:
        return  # on its way: the next run sees where to
    findings = comparing.compare(box, before)
    if before is None and not PecDomain.objects.filter(name=_domain(address)).exists():
        findings = []
    _write_down(address, findings, before, box)
    for finding in findings:
        if repair and finding.repair and before and outcome.repaired < MOST_REPAIRS:
            outcome.repaired += _mend(address, finding, finding.repair, before)


def _look(gestore: Provider, address: str) -> Mailbox | None:
    try:
        return _patiently(gestore.find, address)
    except Refused as refusal:
        if refusal.code != "unknown_status":
            raise
        # It is there, in a state whose word only the list tells. Its holder is not doubted, and nothing is mended.
        return Mailbox(address, MailboxStatus.UNKNOWN, holder_tax_code="", recovery_email=None, suspended=False)


@transaction.atomic
def _write_down(address: str, findings: list[Finding], standing: Standing | None, box: Mailbox | None) -> None:
    """Keep what was found as the open differences of this address, and close the others."""
    still_open = Difference.objects.filter(address=address, closed_at=None)
    still_open.exclude(kind__in=[f.kind for f in findings]).update(closed_at=Now())
    for finding in findings:
        Difference.objects.update_or_create(
            address=address,
            kind=finding.kind,
            closed_at=None,
            defaults={
                "request_id": standing.request_id if standing else None,
                "member_id": standing.member_id if standing else _known_holder(box),
                "here": finding.here[:300],
                "there": finding.there[:300],
                "repair": finding.repair or "",
                "last_seen": Now(),
            },
        )


def _known_holder(box: Mailbox | None) -> int | None:
    """A mailbox that the register does not know may still be of somebody whom it knows."""
    code = box.holder_tax_code if box else ""
    return Member.objects.filter(tax_code=code).values_list("pk", flat=True).first() if code else None


@transaction.atomic
def _mend(address: str, finding: Finding, repair: Difference.Repair, standing: Standing) -> bool:
    """Mend one difference, if the register is still as it was. The member's row is locked as for a new request, which
    may take the same address up again: either that request sees this repair, or this repair sees the request.
    """
    member = Member.objects.select_for_update(of=("self",), no_key=True).select_related("ordine")
    member.get(pk=standing.member_id)
    request = PecRequest.objects.select_for_update(of=("self",)).select_related("member__ordine")
    pec = request.get(pk=standing.request_id)
    if comparing.standing_now(address) != standing:
        return False
    _REPAIRS[repair](pec)
    hidden = notices.masked if finding.kind == Difference.Kind.RECOVERY_EMAIL else str
    log.record(
        "pec.mended",
        _ACTOR,
        pec,
        person=pec.member_id,
        ordine=pec.member.ordine.code,
        address=address,
        repair=str(repair.label),
        here=hidden(finding.here),
        there=hidden(finding.there),
    )
    mended = Difference.objects.filter(address=address, kind=finding.kind, closed_at=None)
    mended.update(closed_at=Now(), repaired_at=Now())
    return True


def _retry_creation(pec: PecRequest) -> None:
    operations.retry(pec.operations.filter(kind=Kind.CREATE, state=ProviderOperation.State.ATTENTION))


_REPAIRS: dict[Difference.Repair, Callable[[PecRequest], object]] = {
    Difference.Repair.RECOVERY_EMAIL: lambda pec: operations.enqueue(
        [pec], Kind.RECOVERY_EMAIL, recovery_email=pec.recovery_email
    ),
    Difference.Repair.FOUND_CLOSED: lambda pec: lifecycle.found_closed([pec.pk], _ACTOR),
    Difference.Repair.CLOSE: lambda pec: operations.enqueue([pec], Kind.CLOSE),
    Difference.Repair.RETRY: _retry_creation,
}


def _patiently(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """A look that fails for a passing reason is repeated a few times: one bad answer must not cost the whole night."""
    for attempt in range(_TRIES):
        try:
            return call(*args, **kwargs)
        except Temporary as error:
            pause = settings.OPERATION_RETRY_SECONDS * 2**attempt
            pause = pause if error.retry_after is None else error.retry_after
            if attempt == _TRIES - 1 or pause > _LONGEST_PAUSE:
                raise
            time.sleep(pause)
    raise AssertionError("the last try returns or raises")


def _domain(address: str) -> str:
    return address.rpartition("@")[2]


def _now() -> datetime.datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT now()")
        now: datetime.datetime = cursor.fetchone()[0]
        return now


@contextmanager
def _alone() -> Iterator[None]:
    """One run at a time, on whatever machine; the lock ends with the connection."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK])
        if not cursor.fetchone()[0]:
            raise Busy(_("Un altro confronto con il gestore è in corso."))
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])


@contextmanager
def _notebook() -> Iterator[None]:
    """A table that only this connection sees: what the walk has met, so that memory need not hold it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMPORARY TABLE reconcile_seen"
            " (address text PRIMARY KEY, suspect boolean NOT NULL, is_foreign boolean NOT NULL)"
        )
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE IF EXISTS reconcile_seen")
