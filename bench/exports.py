"""A list of a million members as a file."""

from __future__ import annotations

import json
import subprocess
import sys

from django.core.management import call_command

from bench import lists
from bench.report import Report


def export(report: Report) -> None:
    """How soon it begins, how long it takes, and in how much memory."""
    call_command("collectstatic", verbosity=0, interactive=False)
    lists.fill(lists.LARGE, 1)
    for kind in ("csv", "xlsx"):
        command = [sys.executable, "-m", "bench.exporter", kind]
        figures = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
        report.fact(
            f"{kind.upper()} of 1,000,000 members: seconds, MB", f"{figures['whole']:.0f} {figures['bytes'] / 1e6:.0f}"
        )
        report.at_most("  seconds to the first rows", figures["first"], 1)
        report.at_most("  memory of the process: MiB", figures["kib"] / 1024, 150)


MEASURES = [export]
