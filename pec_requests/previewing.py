"""What would come of requesting a PEC for many: counted before anybody decides, by the same rules, without a lock.

Nothing is promised: what is true when the requests are made is told with their outcome.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from members.models import Member
from pec_requests import addresses, eligibility
from pec_requests.addresses import local_part
from pec_requests.eligibility import Reason
from pec_requests.models import PecDomain

# How many are named of each group; of the rest, how many there are.
NAMED = 20
_SOME = 5000


@dataclass
class Group:
    """Members of whom the same is to be said: how many, and the first of them, each with what is to be added."""

    count: int = 0
    first: list[tuple[Member, str]] = field(default_factory=list)

    def add(self, member: Member, note: str = "") -> None:
        self.count += 1
        if len(self.first) < NAMED:
            self.first.append((member, note))

    @property
    def others(self) -> int:
        """How many are not named."""
        return self.count - len(self.first)


@dataclass
class Preview:
    """Who can have one; of these, who needs a number in the address, waits for a recovery e-mail, gets the old address
    back or has a PEC elsewhere. And who cannot, by reason.
    """

    domain: PecDomain
    able: Group = field(default_factory=Group)
    numbered: Group = field(default_factory=Group)
    without_email: Group = field(default_factory=Group)
    returning: Group = field(default_factory=Group)
    with_own_pec: Group = field(default_factory=Group)
    kept_out: dict[Reason, Group] = field(default_factory=dict)

    @property
    def kept_out_count(self) -> int:
        return sum(group.count for group in self.kept_out.values())

    @property
    def reasons(self) -> list[tuple[str, Group]]:
        """The sentences, the commonest reason first."""
        groups = sorted(self.kept_out.items(), key=lambda pair: -pair[1].count)
        return [(reason.sentence(self.domain), group) for reason, group in groups]


def preview(member_ids: Sequence[int], domain: PecDomain) -> Preview:
    """Look at the members in the order of primary keys, which is that of the requests, a few thousand at a time."""
    found, rules = Preview(domain), eligibility.Rules(domain)
    wanted: Counter[str] = Counter()
    for members in _some_at_a_time(member_ids):
        refusals = rules.refusals(members)
        for member in members:
            if reason := refusals.get(member.pk):
                found.kept_out.setdefault(reason, Group()).add(member)
        _look_at_able([m for m in members if m.pk not in refusals], found, wanted)
    return found


def _look_at_able(able: Sequence[Member], found: Preview, wanted: Counter[str]) -> None:
    """``wanted``: how many have come so far with each local part, and who has had it before counts as one."""
    held = addresses.held_before(able, found.domain)
    locals_of = {m.pk: local_part(m.name, m.surname) for m in able if m.pk not in held}
    wanted.update(addresses.used_up(set(locals_of.values()) - wanted.keys(), found.domain))
    for member in able:
        found.able.add(member)
        if member.email_problem:
            found.without_email.add(member)
        if member.own_pec:
            found.with_own_pec.add(member, member.own_pec)
        if member.pk in held:
            found.returning.add(member, held[member.pk])
            continue
        local = locals_of[member.pk]
        if wanted[local]:
            found.numbered.add(member, f"{local}…@{found.domain.name}")
        wanted[local] += 1


def _some_at_a_time(member_ids: Sequence[int]) -> Iterator[list[Member]]:
    ids = sorted(member_ids)
    for start in range(0, len(ids), _SOME):
        yield eligibility.look_at(ids[start : start + _SOME])
