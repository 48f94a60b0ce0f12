"""An import in a process of its own: ``python -m bench.importer FILE ORDINE`` prints what was created and the most
memory that the process had, in KiB, as JSON.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import django


def main(path: str, code: str) -> None:
    django.setup()
    from audit.actors import Actor
    from members.importing import import_albo
    from members.models import Ordine

    result = import_albo(path, ordine=Ordine.objects.get(code=code), actor=Actor.process("bench"))
    # Not getrusage: what it says of a process begins with the one that started it.
    peak = re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())
    assert peak
    print(json.dumps({**result.counts, "kib": int(peak[1])}))


if __name__ == "__main__":
    main(*sys.argv[1:])
