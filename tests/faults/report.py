"""The table at the end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.faults.matrix import ENDS, left_out, rows

_HEAD = f"{'guasto':28}{'punto':28}{'operazioni':>11}{'colpite':>9}{'perse':>7}{'doppie':>8}{'ignote':>8}{'secondi':>9}"


def table(cells: Sequence[dict[str, Any]]) -> str:
    """One line for each fault at each point, over all kinds of operation; what is left out and why; the total."""
    lines = [_HEAD, "-" * len(_HEAD)]
    for row in rows():
        mine = [c for c in cells if (c["fault"], c["point"]) == (row.fault.name, row.point.name)]
        if mine:
            lines.append(_line(row.fault.value, row.point.value, mine))
    lines += ["-" * len(_HEAD), _line("totale", f"{len(cells)} celle", cells), ""]
    for reason, pairs in left_out().items():
        lines.append(f"Non esistono {len(pairs) * len(ENDS)} celle: {reason}.")
    bad = [c for c in cells if not c["good"]]
    lines += [f"NO: {c['fault']}-{c['point']} {c['kind']}: {_why(c)}" for c in bad]
    return "\n".join(lines)


def _line(name: str, where: str, cells: Sequence[dict[str, Any]]) -> str:
    def total(what: str) -> int:
        return sum(c[what] if isinstance(c[what], int) else len(c[what]) for c in cells)

    figures = f"{total('operations'):11}{total('struck'):9}{total('lost'):7}{total('twice'):8}{total('unknown'):8}"
    return f"{name:28}{where:28}{figures}{sum(c['seconds'] for c in cells):9.0f}"


def _why(cell: dict[str, Any]) -> str:
    return cell["trouble"] or next(iter([*cell["twice"], *cell["lost"]]), "il guasto non ha colpito nessuna operazione")
