"""A database of its own with as many people, requests and operations as a measurement wants."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.db import connection
from django.db.models import Model
from django.db.models.functions import Now

from audit.actors import Actor
from members.models import Albo, Enrolment, Member, Ordine
from pec_requests import lifecycle
from pec_requests.models import PecDomain, PecRequest, ProviderOperation
from pec_requests.states import Kind, Status

BENCH = Actor.process("bench")
_TABLES = (
    "pec_requests_workershare, pec_requests_provideroperation, pec_requests_pecrequest, pec_requests_reservedaddress"
)


def clear() -> None:
    """No people and nothing asked for."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"TRUNCATE {_TABLES}, members_member, members_enrolment, members_term, post_office_email CASCADE"
        )
        cursor.execute("UPDATE pec_requests_providerhealth SET state = 'CLOSED', failures = 0")


def tidy() -> None:
    """Pay now what filling the tables left to autovacuum, which else comes at any moment of a measurement."""
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE)")


def members(number: int, after: int = 0) -> list[int]:
    """That many enrolled people of one Ordine who can be given a PEC, others than the first ``after``."""
    ordine, _made = Ordine.objects.get_or_create(
        code="bench", defaults={"name": "Ordine di prova", "short_name": "Ordine"}
    )
    PecDomain.objects.get(name="tsrm.org").ordini.add(ordine)
    albo, _made = Albo.objects.get_or_create(name="Albo di prova")
    people = Member.objects.bulk_create(
        [
            Member(
                ordine=ordine, tax_code=f"BNCH{n:012d}", surname=f"Cognome{n}", name="Nome", sex="M",
                birth_date="1980-01-01", personal_email=f"nome{n}@example.com", email_problem="", mobile="3331234567",
                address="Via Roma, 1", postcode="60100", town="Ancona", province="AN",
            )
            for n in range(after, after + number)
        ],
        batch_size=2000,
    )  # fmt: skip
    Enrolment.objects.bulk_create(
        [Enrolment(member=m, albo=albo, number=str(n), status="ISCRITTO") for n, m in enumerate(people)],
        batch_size=5000,
    )
    return [m.pk for m in people]


def requested(number: int, after: int = 0) -> list[int]:
    """Requests just made by staff, in bulk: a CREATE waits for each."""
    outcome = lifecycle.request_pec(members(number, after), PecDomain.objects.get(name="tsrm.org"), BENCH)
    assert not outcome.refused, outcome.refused[0][1]
    return [r.pk for r in outcome.created]


def queued(number: int) -> None:
    """That many creations that wait: one asked for as ever, and the others copied from it in the database."""
    requested(1)
    member = _copies(Member, f"generate_series(2, {number}) AS source(n)", tax_code="'BNCQ' || lpad(n::text, 12, '0')")
    address = "'nome.cognome' || source.id || '@tsrm.org'"
    made = {"member_id": "source.id", "address": address, "public_id": "gen_random_uuid()"}
    request = _copies(PecRequest, f"members_member AS source WHERE source.id > {member}", **made)
    asked = {"request_id": "source.id", "address": "source.address"}
    _copies(ProviderOperation, f"pec_requests_pecrequest AS source WHERE source.id > {request}", **asked)


def _copies(model: type[Model], source: str, **changes: str) -> int:
    """Copy the only row of a model for each row of ``source``, but for these columns; return its primary key."""
    table, pk = model._meta.db_table, int(model._default_manager.get().pk)
    columns = [field.column for field in model._meta.concrete_fields if not field.primary_key]
    values = ", ".join(changes.get(column, f"template.{column}") for column in columns)
    with connection.cursor() as cursor:
        template = f"(SELECT * FROM {table} WHERE id = {pk}) AS template"
        cursor.execute(f"INSERT INTO {table} ({', '.join(columns)}) SELECT {values} FROM {template}, {source}")
    return pk


def accepted(number: int, after: int = 0) -> list[int]:
    """Mailboxes that their members have just accepted: an ACTIVATE, which is one call, waits for each."""
    ids = made(number, after)
    lifecycle.decide(ids, "accept", BENCH)
    return ids


def made(number: int, after: int = 0) -> list[int]:
    """Mailboxes that the provider has made and nobody has accepted yet."""
    ids = requested(number, after)
    ProviderOperation.objects.filter(kind=Kind.CREATE).update(state=ProviderOperation.State.DONE, finished_at=Now())
    PecRequest.objects.filter(pk__in=ids).update(status=Status.NON_ATTIVO)
    return ids


def waiting() -> int:
    return ProviderOperation.objects.filter(state__in=ProviderOperation.OPEN).count()


@contextmanager
def stub(latency: float) -> Iterator[str]:
    """The light provider; yields its address."""
    with _process([sys.executable, "-m", "bench.stub", str(latency)]) as process:
        assert process.stdout
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"


class Runner:
    """A process that waits for its start and then tells its figures."""

    def __init__(self, module: str, *arguments: str, **environment: str) -> None:
        self._manager = _process([sys.executable, "-m", module, *arguments], **environment)
        self._process = self._manager.__enter__()

    def start(self) -> None:
        self._line("\n")

    def figures(self) -> dict[str, float]:
        assert self._process.stdout
        return dict(json.loads(self._process.stdout.readline()))

    def end(self) -> None:
        self._manager.__exit__(None, None, None)

    def _line(self, text: str) -> None:
        assert self._process.stdin
        self._process.stdin.write(text)
        self._process.stdin.flush()


@contextmanager
def _process(command: list[str], **environment: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        command, env={**os.environ, **environment}, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def database_cpu() -> float:
    """CPU seconds that PostgreSQL has used so far, with the sessions that have ended; from Linux's /proc."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        backend = int(cursor.fetchone()[0])
    server = int(_stat(backend)[1])
    family = [stat for pid in _pids() if (stat := _stat(pid)) and stat[1] == str(server)]
    ticks = sum(int(s[11]) + int(s[12]) for s in family) + sum(int(x) for x in _stat(server)[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


def _pids() -> list[int]:
    return [int(p.name) for p in Path("/proc").glob("[0-9]*")]


def _stat(pid: int) -> list[Any]:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
