"""Importing an Ordine's register from a file: all of it, in one transaction, or nothing.

The file is read and judged first, without a transaction; the plan is made against what is on record, the rows it would
touch are locked and read again, and the plan made once more, so that nothing changed meanwhile is overwritten.
"""

from __future__ import annotations

import itertools
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from django.db import IntegrityError, connection, models, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django_scopes import scope, scopes_disabled

from audit import log
from audit.actors import Actor
from members.import_lines import Line, read_lines
from members.import_plan import Changes, LineOutcome, Plan, Record, make_plan
from members.import_rules import Outcome
from members.models import Enrolment, Member, Ordine
from members.spreadsheets import Cell, UnreadableFile, read_table

MAX_LINES = 100_000
# Any fixed number: with the Ordine's primary key it names the lock of its imports.
_IMPORT_LOCK = 7_316_002
_BATCH = 2_000
_ATTEMPTS = 3
# Computed by ``Member.derive``, hence written whenever anything is.
_DERIVED = ("search_key", "tax_code_mismatch", "email_problem")
_LABELS = {field.name: field.verbose_name for field in Member._meta.concrete_fields}


class ImportBusy(Exception):
    """Another import of the same Ordine is running, or the register changed under this one. Its text is a sentence."""


@dataclass(frozen=True, slots=True)
class RejectedLine:
    """A line as it stands in the file, and why it was rejected (a ``Rejection``)."""

    line: int
    cells: list[Cell]
    code: str


@dataclass
class ImportResult:
    """What an import did, or with ``dry_run`` would do. Counts are of lines; ``members`` is of people."""

    file: str
    headers: list[str]
    delimiter: str
    dry_run: bool = False
    rows: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: int = 0
    warnings: int = 0
    members: int = 0
    lines: list[LineOutcome] = field(default_factory=list)
    rejects: list[RejectedLine] = field(default_factory=list)

    @property
    def counts(self) -> dict[str, int]:
        names = ("rows", "created", "updated", "unchanged", "rejected", "warnings", "members")
        return {name: getattr(self, name) for name in names}

    def as_json(self) -> dict[str, Any]:
        """The counts, and every line that was not plainly created."""
        lines = [{"line": o.line, "outcome": o.outcome, "code": o.code, "warnings": o.warnings} for o in self.lines]
        return {**self.counts, "lines": lines}


def import_albo(
    source: str | os.PathLike[str] | BinaryIO, *, ordine: Ordine, actor: Actor, dry_run: bool = False
) -> ImportResult:
    """Import a register into an Ordine. Raises ``UnreadableFile`` or ``ImportBusy``, and then nothing has changed."""
    with read_table(source) as table:
        result = ImportResult(table.name, table.headers, table.delimiter, dry_run)
        lines = _all_of(read_lines(table, today=timezone.localdate()))
    plan = make_plan(lines, _load(lines), ordine) if dry_run else _carry_out(lines, ordine, actor, result)
    _tell(result, lines, plan)
    return result


def _all_of(lines: Iterator[Line]) -> list[Line]:
    """In a list: a person's lines may stand anywhere in the file. Some 9 KiB of memory a line, hence the limit."""
    found = list(itertools.islice(lines, MAX_LINES + 1))
    if len(found) > MAX_LINES:
        raise UnreadableFile(_("Il file ha più di %(lines)d righe: va diviso.") % {"lines": MAX_LINES})
    return found


def _carry_out(lines: list[Line], ordine: Ordine, actor: Actor, result: ImportResult) -> Plan:
    """Plan, lock, plan again, write. Once more from the start when somebody else inserted the same person meanwhile."""
    for _attempt in range(_ATTEMPTS):
        try:
            with transaction.atomic():
                _lock(ordine)
                records = _load(lines)
                plan = make_plan(lines, records, ordine)
                if touched := plan.touched():
                    unlocked = {code: record for code, record in records.items() if record.member.pk not in touched}
                    plan = make_plan(lines, unlocked | _load_locked(touched), ordine)
                _write(plan, ordine, actor)
                _tell(result, lines, plan)
                log.record("albo.imported", actor, ordine, ordine=ordine.code, file=result.file, **result.counts)
                return plan
        except IntegrityError as error:
            clash = error
    raise ImportBusy(_("I dati dell'albo stanno cambiando: riprovare l'importazione tra poco.")) from clash


def _lock(ordine: Ordine) -> None:
    """One import of an Ordine at a time; released by the end of the transaction, also when the process is killed."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s, %s::integer)", [_IMPORT_LOCK, ordine.pk])
        if not cursor.fetchone()[0]:
            raise ImportBusy(_("È già in corso un'importazione per questo Ordine: riprovare quando è finita."))


def _load(lines: Iterable[Line]) -> dict[str, Record]:
    """What is on record of everybody in the file, by codice fiscale."""
    found: dict[str, Record] = {}
    # Codici fiscali are unique in the whole installation: people of another Ordine must be found, to be rejected.
    with scopes_disabled():
        for codes in _batches(sorted({line.tax_code for line in lines if not line.code})):
            found |= _records(Member.objects.filter(tax_code__in=codes), Enrolment.objects.all())
    return found


def _load_locked(members: Iterable[int]) -> dict[str, Record]:
    """The same, of some, their rows locked until the end of the transaction, in the one order of primary keys."""
    found: dict[str, Record] = {}
    # Whoever moved to another Ordine a moment ago must still be found.
    with scopes_disabled():
        for ids in _batches(sorted(members)):
            people = Member.objects.filter(pk__in=ids).order_by("pk").select_for_update(no_key=True)
            found |= _records(people, Enrolment.objects.order_by("pk").select_for_update(no_key=True))
    return found


def _records(members: models.QuerySet[Member], enrolments: models.QuerySet[Enrolment]) -> dict[str, Record]:
    by_id = {member.pk: Record(member) for member in members}
    for enrolment in enrolments.filter(member_id__in=list(by_id)):
        by_id[enrolment.member_id].enrolments[enrolment.albo_id] = enrolment
    return {record.member.tax_code: record for record in by_id.values()}


def _batches(items: list[Any]) -> Iterator[list[Any]]:
    return (items[start : start + _BATCH] for start in range(0, len(items), _BATCH))


def _write(plan: Plan, ordine: Ordine, actor: Actor) -> None:
    with scope(ordine=ordine):
        Member.objects.bulk_create(plan.new_members, batch_size=_BATCH)
        _overwrite(Member.objects, plan.changed_members, _DERIVED)
        Enrolment.objects.bulk_create(plan.new_enrolments, batch_size=_BATCH)
        _overwrite(Enrolment.objects, plan.changed_enrolments)
    log.record_many(_entries(plan, ordine, actor))


def _overwrite(manager: models.Manager[Any], changed: list[tuple[Any, Changes]], always: tuple[str, ...] = ()) -> None:
    """Write the changed fields of locked rows, thousands at a time: an INSERT that finds each row there already."""
    if changed:
        names = sorted({name for _row, changes in changed for name in changes} | set(always))
        manager.bulk_create(
            [row for row, _changes in changed],
            batch_size=_BATCH,
            update_conflicts=True,
            unique_fields=["pk"],
            update_fields=names,
        )


def _entries(plan: Plan, ordine: Ordine, actor: Actor) -> Iterator[log.Entry]:
    """One entry for each person created or changed, naming what changed."""
    for member in plan.new_members:
        yield log.entry("member.created", actor, member, person=member.pk, ordine=ordine.code)
    created = {member.pk for member in plan.new_members}
    changed: dict[Member, list[Any]] = {}
    for member, changes in plan.changed_members:
        changed[member] = [_LABELS[name] for name in changes]
    for enrolment in itertools.chain(plan.new_enrolments, (row for row, _changes in plan.changed_enrolments)):
        if enrolment.member_id not in created:
            changed.setdefault(enrolment.member, []).append(Enrolment._meta.verbose_name)
    for member, names in changed.items():
        fields = ", ".join(dict.fromkeys(map(str, names)))
        yield log.entry("member.updated", actor, member, person=member.pk, ordine=ordine.code, fields=fields)


def _tell(result: ImportResult, lines: list[Line], plan: Plan) -> None:
    counted = Counter(outcome.outcome for outcome in plan.outcomes)
    result.rows = len(plan.outcomes)
    result.created, result.updated = counted[Outcome.CREATED], counted[Outcome.UPDATED]
    result.unchanged, result.rejected = counted[Outcome.UNCHANGED], counted[Outcome.REJECTED]
    result.warnings = sum(len(outcome.warnings) for outcome in plan.outcomes)
    result.members = plan.people
    result.lines = [o for o in plan.outcomes if o.outcome != Outcome.CREATED or o.warnings]
    result.rejects = [
        RejectedLine(line.number, line.cells, outcome.code)
        for line, outcome in zip(lines, plan.outcomes, strict=True)
        if outcome.code
    ]
