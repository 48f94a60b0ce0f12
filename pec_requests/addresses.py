"""Which address a member gets. An address once reserved is never handed to another person."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from django.db import connection

from members.models import Member
from members.names import fold
from members.sets import among
from pec_requests.models import PecDomain, PecRequest, ReservedAddress

LOCAL_PART_LIMIT = 64
# Left free at the end of a long local part for the number of a homonym.
_ROOM_FOR_NUMBER = 4
# For each local part as many free numbers as people want it, from the lowest: a series that is tried, one exact address
# after the other, until there are enough. A count and no NOT EXISTS: that the planner may turn into a join of the whole
# series with all addresses.
_RESERVE = f"""
INSERT INTO {ReservedAddress._meta.db_table} (address, member_id)
SELECT free.address, wanted.members[free.turn]
FROM (
    SELECT base, array_agg(member_id ORDER BY place) AS members, count(*) AS number
    FROM unnest(%s::bigint[], %s::text[]) WITH ORDINALITY AS newcomer(member_id, base, place)
    GROUP BY base
) AS wanted
CROSS JOIN LATERAL (
    SELECT address, row_number() OVER () AS turn
    FROM (
        SELECT base || CASE number WHEN 1 THEN '' ELSE number::text END || %s AS address
        FROM (SELECT generate_series(1, 10000000) AS number) AS numbers
    ) AS candidates
    WHERE (SELECT count(*) FROM {ReservedAddress._meta.db_table} AS taken WHERE taken.address = candidates.address) = 0
    LIMIT wanted.number
) AS free
RETURNING member_id, address
"""  # noqa: S608  (names of our own)


@dataclass(frozen=True)
class Reserved:
    """Addresses by member id; and which of them were the same members' before."""

    addresses: dict[int, str]
    again: list[str]


# Names repeat, and each is asked for twice: by the rules and for the address.
@lru_cache(maxsize=16_384)
def local_part(name: str, surname: str) -> str:
    """``name.surname`` in ``a``–``z`` and digits, exactly one dot; empty where a name has no letter to write."""
    first, last = fold(name).replace(" ", ""), fold(surname).replace(" ", "")
    if not first or not last:
        return ""
    room = LOCAL_PART_LIMIT - _ROOM_FOR_NUMBER - 1
    first = first[: max(room // 2, room - len(last))]
    return f"{first}.{last[: room - len(first)]}"


def reserve(members: Sequence[Member], domain: PecDomain) -> Reserved:
    """Reserve one address of ``domain`` for each member.

    Whoever had an address in the domain gets it back; homonyms get the next free number, in the order in which they
    come. Runs in the caller's transaction, which holds the lock on the domain until its end: requests for two homonyms
    come one after the other.
    """
    lock(domain)
    again = held_before(members, domain)
    addresses = dict(again)
    newcomers = {m.pk: local_part(m.name, m.surname) for m in members if m.pk not in again}
    if newcomers:
        with connection.cursor() as cursor:
            cursor.execute(_RESERVE, [list(newcomers), list(newcomers.values()), f"@{domain.name}"])
            addresses.update(cursor.fetchall())
    return Reserved(addresses, list(again.values()))


def lock(domain: PecDomain) -> None:
    """Nobody else reserves an address of this domain before the end of the transaction."""
    PecDomain.objects.select_for_update(no_key=True).get(pk=domain.pk)


def held_before(members: Sequence[Member], domain: PecDomain) -> dict[int, str]:
    """By member id, the addresses of the domain that are theirs already."""
    theirs = among(f'"{ReservedAddress._meta.db_table}"."member_id"', [m.pk for m in members])
    rows = ReservedAddress.objects.filter(theirs, address__endswith=f"@{domain.name}").order_by("id")
    return dict(rows.values_list("member_id", "address"))


def used_up(local_parts: Iterable[str], domain: PecDomain) -> set[str]:
    """Those of these local parts with which a newcomer would need a number."""
    plain = {f"{local}@{domain.name}": local for local in local_parts}
    taken = ReservedAddress.objects.filter(address__in=plain).values_list("address", flat=True)
    return {plain[address] for address in taken}


def give_up(request: PecRequest) -> str:
    """Mark the request's address as somebody else's at the provider, reserve the next one and return it."""
    lock(request.domain)
    ReservedAddress.objects.filter(address=request.address).update(member=None)
    return reserve([request.member], request.domain).addresses[request.member_id]
