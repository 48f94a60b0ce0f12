"""What an import did: counts, and the lines of interest kept so small that a million of them are no burden."""

from __future__ import annotations

import json
import tempfile
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import IO, Any

# More than this of rejected lines goes to a temporary file.
_IN_MEMORY = 2**20


@dataclass(frozen=True, slots=True)
class LineOutcome:
    """How one line ends. ``code`` is a ``Rejection`` or empty, ``warnings`` are values of ``Warn``."""

    line: int
    outcome: str
    code: str = ""
    warnings: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return {"line": self.line, "outcome": self.outcome, "code": self.code, "warnings": self.warnings}


class Outcomes:
    """Lines with their outcomes, in order, six bytes each: there are few ways to end, and each is kept once."""

    def __init__(self) -> None:
        self._numbers = array("I")
        self._ends = array("H")
        self._known: dict[tuple[str, str, str], int] = {}

    def add(self, line: int, outcome: str, code: str, warnings: str) -> None:
        """``warnings`` are separated by commas."""
        end = self._known.setdefault((outcome, code, warnings), len(self._known))
        self._numbers.append(line)
        self._ends.append(end)

    def __len__(self) -> int:
        return len(self._numbers)

    def __iter__(self) -> Iterator[LineOutcome]:
        known = [(outcome, code, warnings.split(",") if warnings else []) for outcome, code, warnings in self._known]
        for line, end in zip(self._numbers, self._ends, strict=True):
            outcome, code, warnings = known[end]
            yield LineOutcome(line, outcome, code, list(warnings))


@dataclass(frozen=True, slots=True)
class RejectedLine:
    """A line as it stands in the file, and why it was rejected (a ``Rejection``). A spreadsheet's dates are text."""

    line: int
    cells: list[str]
    code: str


class Rejects:
    """The rejected lines, in order: beyond the first megabyte on disk, until nobody looks at them any more."""

    def __init__(self) -> None:
        # Open for as long as this object lives: a context manager would close it before it is read.
        self._file: IO[str] = tempfile.SpooledTemporaryFile(_IN_MEMORY, "w+", encoding="utf-8")  # noqa: SIM115  (kept open)

    def add(self, line: int, cells: list[str], code: str) -> None:
        self._file.write(json.dumps([line, cells, code]) + "\n")

    def __iter__(self) -> Iterator[RejectedLine]:
        self._file.seek(0)
        for text in self._file:
            yield RejectedLine(*json.loads(text))


@dataclass
class ImportResult:
    """What an import did, or with ``dry_run`` would do. Counts are of lines; ``members`` is of people.

    ``lines`` are all but those that were plainly created.
    """

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
    lines: Outcomes = field(default_factory=Outcomes)
    rejects: Rejects = field(default_factory=Rejects)

    @property
    def counts(self) -> dict[str, int]:
        names = ("rows", "created", "updated", "unchanged", "rejected", "warnings", "members")
        return {name: getattr(self, name) for name in names}

    def as_json(self) -> dict[str, Any]:
        """The counts, and every line that was not plainly created."""
        return {**self.counts, "lines": [line.as_json() for line in self.lines]}


class Concerned:
    """How many lines each reason concerns, and the numbers of the first ones."""

    def __init__(self, at_most: int = 20) -> None:
        self._at_most = at_most
        self._first: dict[str, list[int]] = {}
        self.count: Counter[str] = Counter()

    @classmethod
    def by(cls, lines: Iterable[LineOutcome]) -> Concerned:
        """By why lines were rejected, and by what lines were warned of: no code is both."""
        concerned = cls()
        for line in lines:
            for reason in filter(None, [line.code, *line.warnings]):
                concerned.add(reason, line.line)
        return concerned

    def add(self, reason: str, number: int) -> None:
        self.count[reason] += 1
        if self.count[reason] <= self._at_most:
            self._first.setdefault(reason, []).append(number)

    def numbers(self, reason: str) -> str:
        return ", ".join(map(str, self._first[reason])) + (" …" if self.count[reason] > self._at_most else "")
