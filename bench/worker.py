"""A worker of ours on a "host" of its own: the engine, turn after turn, until nothing is left.

Waits for a line, works, and prints seconds, CPU seconds and operations as JSON.
"""

from __future__ import annotations

import json
import resource
import sys
import time

import django


def main() -> None:
    django.setup()
    from django.db import connection

    from pec_requests import engine

    connection.ensure_connection()
    sys.stdin.readline()
    began, used, settled = time.monotonic(), time.process_time(), 0
    while turn := engine.run():
        settled += turn
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    figures = {"seconds": time.monotonic() - began, "cpu": time.process_time() - used, "settled": settled, "kib": peak}
    print(json.dumps(figures), flush=True)
    sys.stdin.readline()


if __name__ == "__main__":
    main()
