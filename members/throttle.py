"""How often somebody may try: per address of the caller, and per person tried, who exists or not.

Counted in PostgreSQL, each attempt before it is looked at: of many at once no more than the limit come through, and
neither emptying the cache nor other cookies, nor a success with an account of one's own in between, starts anew.

A password or a code may be tried a few times at once and then after pauses that grow: somebody else's guesses keep a
member out for minutes, never for good, and not at all on a device the member has come in by (see ``members.devices``).
A link by mail ends the pause, or the office (``members.lock_admin``); SPID and CIE know none.
"""

from __future__ import annotations

import hashlib
import ipaddress
from dataclasses import dataclass, field

from allauth.account.adapter import get_adapter
from django.db import connection
from django.db.models import F
from django.db.models.functions import Greatest
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from members import devices, tax_codes
from members.entry_models import Tally
from members.models import User

Kind = Tally.Kind


@dataclass(frozen=True)
class Limit:
    """``times`` in ``seconds``, which begin with the first."""

    times: int
    seconds: int


@dataclass(frozen=True)
class Pauses:
    """``times`` at once, then one after each pause: ``first`` seconds, twice as long each time, ``longest`` at most.
    Forgotten when nobody has tried for a day.
    """

    times: int
    first: int
    longest: int
    seconds: int = 86_400


@dataclass(frozen=True)
class Rule:
    """The two limits of one kind of attempt."""

    name: str
    per_caller: Limit
    per_person: Limit | Pauses


_GUESSES = Pauses(times=5, first=60, longest=900)
# What somebody may guess: whoever succeeds takes back their own attempt, and what stood against the person.
LOGIN = Rule("login", per_caller=Limit(60, 600), per_person=_GUESSES)
SECOND_FACTOR = Rule("second-factor", per_caller=Limit(60, 600), per_person=_GUESSES)
# The code has 60 bits: to lock a member out of it takes more than to guess.
PRINTED_CODE = Rule("printed-code", per_caller=Limit(30, 3600), per_person=Limit(20, 900))
# What somebody may ask for.
PASSWORD_LINK = Rule("password-link", per_caller=Limit(20, 3600), per_person=Limit(3, 900))
# The password typed once more before a delicate act, and links asked for; how many mails a day, the database counts.
PROOF = Rule("proof", per_caller=Limit(60, 3600), per_person=Limit(10, 300))
MAILBOX_LINK = Rule("mailbox-link", per_caller=Limit(60, 3600), per_person=Limit(20, 900))
# Whole codici fiscali that somebody in an office looks for: whether another Ordine has a person is told to who asks.
OFFICE_SEARCH = Rule("office-search", per_caller=Limit(600, 3600), per_person=Limit(120, 3600))
# Off to SPID or CIE, and back with something that is no answer to it.
IDENTITY = Limit(30, 60)
WRONG_RETURN = Limit(30, 3600)
# Links in mails that were none: a caller who makes them up is not even told so any more.
WRONG_LINKS = Limit(30, 3600)


@dataclass
class Attempt:
    """One, counted. ``allowed`` is what the visitor may be told. ``void``: it must fail whatever was typed, and look as
    if that had been wrong, since the account's limit was used up under another of its names.
    """

    allowed: bool = True
    void: bool = False
    _counted: list[tuple[str, Kind, str]] = field(default_factory=list)

    def succeeded(self) -> None:
        """It was right: nothing stands against the person any more, and this one not against the caller."""
        for rule, kind, who in self._counted:
            mine = Tally.objects.filter(rule=rule, kind=kind, who=who)
            mine.update(count=Greatest(F("count") - 1, 0) if kind == Kind.CALLER else 0, blocked_until=None)


def attempt(request: HttpRequest, rule: Rule, user: User | None, name: str = "") -> Attempt:
    """Count one guess at ``user``'s account, who is None for a ``name`` that is nobody's: the work is the same."""
    made = Attempt()
    made.allowed = _try(made, rule, Kind.CALLER, _caller(request), None)
    if not made.allowed:
        return made
    device = devices.known(request, user)
    if device:
        made.allowed = _try(made, rule, Kind.DEVICE, f"{user.pk if user else 0}:{device}", user)
        return made
    account = str(user.pk) if user else f"nobody:{name}"
    if name:
        made.allowed = _try(made, rule, Kind.NAME, name, user)
        made.void = made.allowed and not _try(made, rule, Kind.ACCOUNT, account, user)
    else:
        made.allowed = _try(made, rule, Kind.ACCOUNT, account, user)
    return made


def allow(request: HttpRequest, rule: Rule, person: str, user: User | None = None) -> bool:
    """Count one attempt; False when it is one too many."""
    made = Attempt()
    return _try(made, rule, Kind.CALLER, _caller(request), None) and _try(made, rule, Kind.NAME, person, user)


def allow_caller(request: HttpRequest, name: str, limit: Limit) -> bool:
    """Count one attempt that concerns nobody yet."""
    return _count(name, Kind.CALLER, _caller(request), limit, None)


def may_look_for(request: HttpRequest, typed: str) -> bool:
    """Whether whoever works in an office may look for one more person; what is no codice fiscale does not count."""
    code = tax_codes.normalise(typed)
    return not tax_codes.is_valid(code) or allow(request, OFFICE_SEARCH, str(request.user.pk))


def may_open_links(request: HttpRequest) -> bool:
    """Whether this caller has not yet opened too many links that there are not."""
    return _open(request, "wrong-link")


def count_wrong_link(request: HttpRequest) -> None:
    """The caller has opened a link that there is not."""
    allow_caller(request, "wrong-link", WRONG_LINKS)


def may_return(request: HttpRequest) -> bool:
    """Whether this caller has not yet come back too often from SPID or CIE with what was no answer."""
    return _open(request, "wrong-return")


def count_wrong_return(request: HttpRequest) -> None:
    allow_caller(request, "wrong-return", WRONG_RETURN)


def lift(user: User) -> None:
    """End every pause of an account: the office has spoken with whose it is."""
    Tally.objects.filter(user=user).delete()


def lift_at_the_door(user: User) -> None:
    """End those of the password and the printed code, which a link by mail stands for: not of the second factor, or
    whoever reads another's mail could guess that at leisure.
    """
    Tally.objects.filter(user=user, rule__in=[LOGIN.name, PRINTED_CODE.name]).delete()


def forget() -> None:
    """Every night: what no longer counts."""
    Tally.objects.filter(forget_at__lt=timezone.now()).delete()


def refusal(request: HttpRequest, seconds: int = 300) -> HttpResponse:
    """The page that asks to wait."""
    response = render(request, "429.html", {"minutes": max(1, round(seconds / 60))}, status=429)
    response["Retry-After"] = str(seconds)
    return response


# --- Counting ---------------------------------------------------------------------------------------------------------
def _try(made: Attempt, rule: Rule, kind: Kind, who: str, user: User | None) -> bool:
    limit = rule.per_caller if kind == Kind.CALLER else rule.per_person
    made._counted.append((rule.name, kind, _digest(who)))
    return _count(rule.name, kind, who, limit, user)


# One statement, so that of any number at once each sees what the one before has counted. Nobody counts further while
# blocked: no row comes back. The database's clock, since there may be many machines.
_AGAIN = "CASE WHEN t.forget_at <= clock_timestamp() THEN 1 ELSE t.count + 1 END"
_COUNT = f"""
INSERT INTO {Tally._meta.db_table} AS t (rule, kind, who, user_id, count, last_at, forget_at, blocked_until)
VALUES (%(rule)s, %(kind)s, %(who)s, %(user)s, 1, clock_timestamp(), clock_timestamp() + %(seconds)s * interval '1 s',
    CASE WHEN %(times)s <= 1 THEN clock_timestamp() + %(at_first)s * interval '1 s' END)
ON CONFLICT (rule, kind, who) DO UPDATE SET
    user_id = excluded.user_id,
    count = {_AGAIN},
    last_at = excluded.last_at,
    forget_at = CASE WHEN %(grows)s OR t.forget_at <= clock_timestamp() THEN excluded.forget_at ELSE t.forget_at END,
    blocked_until = CASE
        WHEN {_AGAIN} < %(times)s THEN NULL
        WHEN %(grows)s THEN clock_timestamp()
            + least(%(longest)s, %(first)s * 2 ^ least({_AGAIN} - %(times)s, 20)) * interval '1 s'
        WHEN t.forget_at <= clock_timestamp() THEN excluded.forget_at
        ELSE t.forget_at
    END
WHERE t.blocked_until IS NULL OR t.blocked_until <= clock_timestamp()
RETURNING count
"""  # noqa: S608  (names of our own)


def _count(rule: str, kind: Kind, who: str, limit: Limit | Pauses, user: User | None) -> bool:
    grows = isinstance(limit, Pauses)
    values = {
        "rule": rule,
        "kind": kind.value,
        "who": _digest(who),
        "user": user.pk if user else None,
        "seconds": limit.seconds,
        "times": limit.times,
        "grows": grows,
        "first": limit.first if isinstance(limit, Pauses) else 0,
        "longest": limit.longest if isinstance(limit, Pauses) else 0,
        "at_first": limit.first if isinstance(limit, Pauses) else limit.seconds,
    }
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, values)
        return cursor.fetchone() is not None


def _open(request: HttpRequest, name: str) -> bool:
    mine = Tally.objects.filter(rule=name, kind=Kind.CALLER, who=_digest(_caller(request)))
    return not mine.filter(blocked_until__gt=timezone.now()).exists()


def _caller(request: HttpRequest) -> str:
    """The address, behind exactly the configured number of proxies. Of an IPv6 network of 64 bits, all are one."""
    address = ipaddress.ip_address(get_adapter().get_client_ip(request))
    if address.version == 6:
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


def _digest(who: str) -> str:
    return hashlib.sha256(who.encode()).hexdigest()
