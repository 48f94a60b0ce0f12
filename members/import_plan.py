"""What an import would do: lines of a file against what is on record, without writing anything.

A line is one enrolment; the lines with one codice fiscale are one person, whose data are, field by field, those of the
first line that has them. A line that brings none of a change to its person or enrolment is unchanged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from members import emails, tax_codes
from members.import_lines import Line
from members.import_rules import Outcome, Rejection, Warn
from members.models import Enrolment, Member, Ordine

CONTACTS = ("personal_email", "mobile", "own_pec", "address", "postcode", "town", "province")

# Field → (value on record, value of the file).
Changes = dict[str, tuple[Any, Any]]


@dataclass(slots=True)
class Record:
    """What is on record of one codice fiscale, in the whole installation. Enrolments by albo's primary key."""

    member: Member
    enrolments: dict[int, Enrolment] = field(default_factory=dict)


@dataclass(slots=True)
class LineOutcome:
    """How one line ends. ``code`` is a ``Rejection`` or empty, ``warnings`` are values of ``Warn``."""

    line: int
    outcome: str
    code: str = ""
    warnings: list[str] = field(default_factory=list)


@dataclass
class Plan:
    """The outcome of every line, and the rows to write. Members and enrolments already have their new values."""

    outcomes: list[LineOutcome] = field(default_factory=list)
    people: int = 0
    new_members: list[Member] = field(default_factory=list)
    changed_members: list[tuple[Member, Changes]] = field(default_factory=list)
    new_enrolments: list[Enrolment] = field(default_factory=list)
    changed_enrolments: list[tuple[Enrolment, Changes]] = field(default_factory=list)

    def touched(self) -> set[int]:
        """The primary keys of the members on record for whom something would be written."""
        members = [member for member, _changes in self.changed_members]
        members += [enrolment.member for enrolment in self.new_enrolments]
        members += [enrolment.member for enrolment, _changes in self.changed_enrolments]
        return {member.pk for member in members if member.pk}


def make_plan(lines: Iterable[Line], records: Mapping[str, Record], ordine: Ordine) -> Plan:
    """Judge every line against the record and against the lines before it."""
    plan = Plan()
    people: dict[str, _Person] = {}
    for line in lines:
        outcome = LineOutcome(line.number, Outcome.UNCHANGED, line.code)
        plan.outcomes.append(outcome)
        record = records.get(line.tax_code)
        outcome.code = line.code or _refusal(line, record, people.get(line.tax_code), ordine)
        if outcome.code:
            outcome.outcome = Outcome.REJECTED
        else:
            people.setdefault(line.tax_code, _Person(line.tax_code, record, ordine)).add(line, outcome)
    for person in people.values():
        person.settle(plan)
    plan.people = len(people)
    return plan


def _refusal(line: Line, record: Record | None, person: _Person | None, ordine: Ordine) -> str:
    if line.closed_albo and not (record and line.albo_id in record.enrolments):
        return Rejection.ALBO_CLOSED
    if record and record.member.ordine_id != ordine.pk:
        return Rejection.OTHER_ORDINE
    earlier = person and person.first_lines.get(line.albo_id)
    return Rejection.DUPLICATE_CONFLICT if earlier and not line.says_the_same_as(earlier) else ""


class _Person:
    """The accepted lines of one codice fiscale."""

    def __init__(self, tax_code: str, record: Record | None, ordine: Ordine) -> None:
        self._is_new = record is None
        self._record = record or Record(Member(ordine=ordine, tax_code=tax_code))
        self._member = self._record.member
        self._lines: list[tuple[Line, LineOutcome]] = []
        self._sources: dict[str, Line] = {}
        self.first_lines: dict[int, Line] = {}

    def add(self, line: Line, outcome: LineOutcome) -> None:
        self._lines.append((line, outcome))
        self.first_lines.setdefault(line.albo_id, line)
        for name in line.person:
            self._sources.setdefault(name, line)

    def settle(self, plan: Plan) -> None:
        """Bring the member and the enrolments up to date, and say for each line what became of it."""
        confirmed = self._member.personal_email if self._member.email_confirmed_at else ""
        changes = self._change_member(confirmed)
        if self._is_new:
            plan.new_members.append(self._member)
        elif changes:
            plan.changed_members.append((self._member, changes))
        bringing = {self._sources[name].number for name in changes}
        for line, outcome in self._lines:
            if line is self.first_lines[line.albo_id]:
                outcome.outcome = self._enrol(
                    line, plan, Outcome.UPDATED if line.number in bringing else Outcome.UNCHANGED
                )
            outcome.warnings = list(self._warnings(line, confirmed))

    def _change_member(self, confirmed: str) -> Changes:
        wanted = {name: line.person[name] for name, line in self._sources.items()}
        if confirmed:
            wanted.pop("personal_email", None)
        changes = _apply(self._member, wanted)
        if changes:
            self._member.derive()
        return changes

    def _enrol(self, line: Line, plan: Plan, otherwise: Outcome) -> Outcome:
        enrolment = self._record.enrolments.get(line.albo_id)
        if enrolment is None:
            plan.new_enrolments.append(Enrolment(member=self._member, albo_id=line.albo_id, **line.enrolment))
            return Outcome.CREATED
        changes = _apply(enrolment, line.enrolment)
        if not changes:
            return otherwise
        enrolment.member = self._member
        plan.changed_enrolments.append((enrolment, changes))
        return Outcome.UPDATED

    def _warnings(self, line: Line, confirmed: str) -> Iterable[str]:
        """A line is warned of what it says; where it says nothing, of what is on record once the import is done."""
        said, member = line.person, self._member
        if not tax_codes.agrees(
            line.tax_code,
            surname=said["surname"],
            name=said["name"],
            birth_date=said.get("birth_date", member.birth_date),
            sex=said.get("sex", member.sex),
        ):
            yield Warn.CF_MISMATCH.value
        email = said.get("personal_email", "")
        if email and confirmed and not emails.same(email, confirmed):
            yield Warn.EMAIL_KEPT.value
        elif problem := emails.problem(email or member.personal_email):
            yield problem.value
        if any(not _same(name, said[name], self._sources[name].person[name]) for name in CONTACTS if name in said):
            yield Warn.CONTACT_CONFLICT.value


def _same(name: str, one: str, other: str) -> bool:
    return emails.same(one, other) if name in ("personal_email", "own_pec") else one == other


def _apply(row: Member | Enrolment, wanted: Mapping[str, Any]) -> Changes:
    """Set the values that differ and return them."""
    changes = {name: (getattr(row, name), value) for name, value in wanted.items() if getattr(row, name) != value}
    for name, (_old, new) in changes.items():
        setattr(row, name, new)
    return changes
