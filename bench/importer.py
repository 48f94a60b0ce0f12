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
    print(json.dumps({**result.counts, "kib": peak()}))


def peak() -> int:
    """The most memory that this process had, in KiB.

    Not getrusage: what it says of a process begins with the one that started it.
    """
    found = re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1])


if __name__ == "__main__":
    main(*sys.argv[1:])
