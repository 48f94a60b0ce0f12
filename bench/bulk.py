"""Requesting a PEC for a whole albo at once: against a bare COPY of the same rows, and what it costs in memory."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from django.db import connection

from bench import people, register, scene
from bench.report import Report
from members.importing import import_albo
from members.models import Ordine
from pec_requests import eligibility, lifecycle
from pec_requests.models import PecDomain

_TABLES = (
    "pec_requests_reservedaddress",
    "pec_requests_pecrequest",
    "pec_requests_provideroperation",
    "audit_logentry",
)


def bulk_request(report: Report) -> None:
    """160,000 requests, with addresses, operations and the log, against a bare COPY of all they write."""
    number = 160_000
    domain = _albo(number)
    times: list[tuple[float, float]] = []
    for _round in range(3):
        _nothing_asked()
        ours = register.seconds(partial(_request, domain, number))
        texts = {table: register.copied(table) for table in _TABLES}
        _nothing_asked()
        times.append((ours, register.seconds(partial(register.copy_all, texts))))
    ours, bare = (statistics.median(column) for column in zip(*times, strict=True))
    report.fact("request for 160,000: seconds ours, bare COPY", f"{ours:.1f} {bare:.1f}")
    report.at_least("  speed, against the bare COPY", bare / ours, 0.25)


def bulk_request_memory(report: Report) -> None:
    """The same through a batch, as a worker does it, in a process of its own."""
    number = 160_000
    domain = _albo(number)
    _nothing_asked()
    command = [sys.executable, "-m", "bench.requester", "bench", domain.name]
    figures = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    assert figures["made"] == number
    report.at_most("  memory of the process: MiB", figures["kib"] / 1024, 150)
    _nothing_asked()


def _albo(number: int) -> PecDomain:
    """An Ordine with that many members, one in four of whom has a name of their own; none has a PEC."""
    ordine: Ordine = register.nobody()
    domain = PecDomain.objects.get(name="tsrm.org")
    domain.ordini.add(ordine)
    with tempfile.TemporaryDirectory() as folder:
        file = people.write(Path(folder) / "albo.csv", number)
        import_albo(file, ordine=ordine, actor=scene.BENCH)
    return domain


def _nothing_asked() -> None:
    """The same members, as before anything was asked for them."""
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {', '.join(_TABLES)}, audit_seal CASCADE")
        cursor.execute("DELETE FROM members_term WHERE term LIKE '=pec %'")
        cursor.execute("SELECT pec_requests_list_lacking(array_agg(id)) FROM members_member")
    scene.tidy()


def _request(domain: PecDomain, number: int) -> None:
    ids = eligibility.without_pec().values_list("pk", flat=True)
    assert len(lifecycle.request_pec(ids, domain, scene.BENCH).made) == number


MEASURES = [bulk_request, bulk_request_memory]
