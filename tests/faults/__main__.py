"""``python -m tests.faults``: the whole matrix, or some rows of it, with a table at the end.

Ends with 1 where anything was lost or happened twice, or where a fault could not be brought about.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from albo_pec import embedded
from albo_pec.embedded.files import make_var
from tests.faults import matrix, report
from tests.sandbox_process import SandboxProcess

# 36 rows of 7 kinds: with 40 members each, more than 10 000 operations.
SIZE = 40


def main() -> int:
    """Run what was asked for."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what was started is ended on the way out
    options = _options()
    if options.lanes > 1 and not options.part and not options.sample:
        return _in_lanes(options)
    return _alone(options)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.faults", description=__doc__)
    parser.add_argument("rows", nargs="*", help="come kill-claiming; tutte, se non se ne indica nessuna")
    parser.add_argument("--size", type=int, default=SIZE, help="iscritti per riga")
    parser.add_argument("--lanes", type=int, default=3, help="quante righe insieme, ciascuna nel suo mondo")
    parser.add_argument("--part", help="N/M: solo una riga ogni M, a partire dalla N")
    parser.add_argument("--sample", action="store_true", help="una vita sola, con un guasto diverso a ogni passo")
    parser.add_argument("--sandbox", nargs=2, metavar=("URL", "SMTP"), help="un gestore già in funzione, da svuotare")
    parser.add_argument("--json", type=Path, help="dove scrivere anche il risultato")
    options = parser.parse_args()
    if unknown := set(options.rows) - {row.id for row in matrix.rows()}:
        parser.error(f"righe sconosciute: {', '.join(sorted(unknown))}")
    return options


def _in_lanes(options: argparse.Namespace) -> int:
    """Several worlds side by side: much of the time passes in waiting for leases to end."""
    count = min(options.lanes, len(options.rows) or options.lanes)
    folder = embedded.var_path()
    make_var(folder)
    lanes = []
    try:
        with embedded.servers():
            for number in range(1, count + 1):
                found = folder / f"faults-{number}.json"
                found.unlink(missing_ok=True)
                command = [sys.executable, "-m", "tests.faults", *options.rows, "--size", str(options.size)]
                command += ["--part", f"{number}/{count}", "--json", str(found)]
                lanes.append((subprocess.Popen(command), found))
            ended = [process.wait() for process, _found in lanes]
    finally:
        for process, _found in lanes:
            process.terminate()
            process.wait()
    cells: list[dict[str, Any]] = []
    for _process, found in lanes:
        cells += json.loads(found.read_text())["cells"] if found.exists() else []
    print(report.table(cells))  # noqa: T201
    return 1 if any(ended) else 0


def _alone(options: argparse.Namespace) -> int:
    from tests.faults import scene

    part, _slash, parts = (options.part or "1/1").partition("/")
    name, limits = ("faults-sample", scene.SHORT) if options.sample else (f"faults-{part}", scene.LONG)
    provider = SandboxProcess(options.sandbox[0], int(options.sandbox[1])) if options.sandbox else None
    with scene.world(name, options.size, limits, provider) as world:
        from tests.faults import run

        if options.sample:
            found = run.sample(world, options.size)
        else:
            found = run.rows(world, options.rows, int(part), int(parts), options.size)
    if options.json:
        options.json.write_text(json.dumps(found))
    if not options.part:
        print(report.table(found["cells"]))  # noqa: T201
    return 0 if found["good"] else 1


if __name__ == "__main__":
    sys.exit(main())
