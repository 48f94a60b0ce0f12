"""Which address a member gets. An address once reserved is never handed to another person."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence

from members.models import Member
from members.names import fold
from pec_requests.models import PecDomain, PecRequest, ReservedAddress

LOCAL_PART_LIMIT = 64
# Left free at the end of a long local part for the number of a homonym.
_ROOM_FOR_NUMBER = 4


def local_part(name: str, surname: str) -> str:
    """``name.surname`` in ``a``–``z`` and digits, exactly one dot; empty where a name has no letter to write."""
    first, last = fold(name).replace(" ", ""), fold(surname).replace(" ", "")
    if not first or not last:
        return ""
    room = LOCAL_PART_LIMIT - _ROOM_FOR_NUMBER - 1
    first = first[: max(room // 2, room - len(last))]
    return f"{first}.{last[: room - len(first)]}"


def reserve(members: Sequence[Member], domain: PecDomain) -> dict[int, str]:
    """Reserve one address of ``domain`` for each member; return them by member id.

    Whoever had an address in the domain gets it back; homonyms get the next free number. Runs in the caller's
    transaction, which holds the lock on the domain until its end: requests for two homonyms come one after the other.
    """
    PecDomain.objects.select_for_update(no_key=True).get(pk=domain.pk)
    addresses = _held_before(members, domain)
    newcomers = [m for m in members if m.pk not in addresses]
    taken = _taken({local_part(m.name, m.surname) for m in newcomers}, domain)
    fresh = {}
    for member in newcomers:
        base = local_part(member.name, member.surname)
        address = _next_free(base, taken[base], domain)
        taken[base].add(address)
        fresh[member.pk] = address
    ReservedAddress.objects.bulk_create(
        [ReservedAddress(address=address, member_id=pk) for pk, address in fresh.items()], batch_size=1000
    )
    return addresses | fresh


def give_up(request: PecRequest) -> str:
    """Mark the request's address as somebody else's at the provider, reserve the next one and return it."""
    PecDomain.objects.select_for_update(no_key=True).get(pk=request.domain_id)
    ReservedAddress.objects.filter(address=request.address).update(member=None)
    return reserve([request.member], request.domain)[request.member_id]


def _held_before(members: Sequence[Member], domain: PecDomain) -> dict[int, str]:
    rows = ReservedAddress.objects.filter(member__in=members, address__endswith=f"@{domain.name}").order_by("id")
    return dict(rows.values_list("member_id", "address"))


def _taken(bases: set[str], domain: PecDomain) -> dict[str, set[str]]:
    """For each local part, the addresses of the domain already used with it or with it and a number."""
    taken: dict[str, set[str]] = defaultdict(set)
    plain = {f"{base}@{domain.name}": base for base in bases}
    contested = ReservedAddress.objects.filter(address__in=plain).values_list("address", flat=True)
    for address in contested:
        base = plain[address]
        numbered = re.compile(rf"{re.escape(base)}\d*@{re.escape(domain.name)}")
        rows = ReservedAddress.objects.filter(address__startswith=base, address__endswith=f"@{domain.name}")
        taken[base] = {a for a in rows.values_list("address", flat=True) if numbered.fullmatch(a)}
    return taken


def _next_free(base: str, taken: set[str], domain: PecDomain) -> str:
    candidate, number = f"{base}@{domain.name}", 1
    while candidate in taken:
        number += 1
        candidate = f"{base}{number}@{domain.name}"
    return candidate
