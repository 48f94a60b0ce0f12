"""A list taken away as a file, by a process of its own: ``python -m bench.exporter KIND`` prints, as JSON, the seconds
to the first bytes and to the last, how many bytes, and the most memory that the process had, in KiB.
"""

from __future__ import annotations

import json
import re
import sys
import time
from pathlib import Path
from typing import Any

import django


def main(kind: str) -> None:
    django.setup()
    from django.test import Client
    from django.test.utils import override_settings

    from members.models import User

    with override_settings(ALLOWED_HOSTS=["testserver"], MFA_REQUIRED=False):
        client = Client()
        client.force_login(User.objects.get(username="bench-staff"))
        client.get("/admin/members/member/")  # what only a first request takes
        began = time.monotonic()
        response: Any = client.get(f"/admin/members/member/esporta/{kind}/")
        first, size = 0.0, 0
        for part in response.streaming_content:
            # The mark of a CSV and its headings need no row.
            size += len(part)
            first = first or (time.monotonic() - began if size > 1000 else 0)
        whole = time.monotonic() - began
    peak = re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())
    assert peak
    print(json.dumps({"first": first, "whole": whole, "bytes": size, "kib": int(peak[1])}))


if __name__ == "__main__":
    main(*sys.argv[1:])
