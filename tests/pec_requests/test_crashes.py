"""Real processes, real signals: a worker killed in mid-call, a broker that forgets everything."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
import redis
from django.conf import settings
from django.db import connection
from django.utils import timezone

from members.models import Member
from pec_requests import lifecycle
from pec_requests.models import PecDomain, PecRequest, ProviderOperation, WorkerShare
from tests.factories import MemberFactory
from tests.pec_requests.conftest import STAFF
from tests.sandbox_process import SandboxProcess

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
ROOT = Path(__file__).resolve().parent.parent.parent
ENGINE = "import django; django.setup(); from pec_requests import engine; engine.run()"


def until(condition: Callable[[], bool], seconds: float = 40) -> None:
    """Wait for a condition, not for a time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.05)


@pytest.fixture
def environment(aruba: SandboxProcess) -> dict[str, str]:
    """What a worker's process needs to work on this test's database and sandbox."""
    database = urlunsplit(urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}"))
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "albo_pec.settings",
        "DATABASE_URL": database,
        "ARUBA_BASE_URL": aruba.url,
        "ARUBA_USERNAME": aruba.username,
        "ARUBA_PASSWORD": aruba.password,
        "EMAIL_PORT": str(aruba.smtp_port),
        "OPERATION_RETRY_SECONDS": "0",
        "SWEEP_SECONDS": "1",
    }


@pytest.fixture
def requested(environment: dict[str, str]) -> PecRequest:
    member: Member = MemberFactory()
    return lifecycle.request_pec([member.pk], PecDomain.objects.get(name="tsrm.org"), STAFF).created[0]


def operation(pec: PecRequest) -> ProviderOperation:
    return pec.operations.order_by("-id")[0]


def kill_in_mid_call(
    pec: PecRequest, environment: dict[str, str], aruba: SandboxProcess, call: str, *, done: bool
) -> None:
    """A worker sends the call, and is killed with -9 while the provider keeps its answer, or has not even begun.

    Then its lease is over, and so is its share of what may be called at once.
    """
    aruba.fault(call, "hold", times=1, after=done)
    worker = subprocess.Popen([sys.executable, "-c", ENGINE], cwd=ROOT, env=environment, start_new_session=True)
    until(lambda: aruba.faults_left() == 0 and bool(aruba.calls().get(call)) == done)
    os.killpg(worker.pid, signal.SIGKILL)
    worker.wait()
    assert operation(pec).state == ProviderOperation.State.RUNNING
    ProviderOperation.objects.filter(pk=operation(pec).pk).update(not_before=timezone.now())
    WorkerShare.objects.update(ends_at=timezone.now())


@pytest.mark.parametrize("done", [True, False])
def test_a_worker_killed_while_creating(
    requested: PecRequest, environment: dict[str, str], aruba: SandboxProcess, work: Callable[[], int], done: bool
) -> None:
    kill_in_mid_call(requested, environment, aruba, "create", done=done)
    work()
    aruba.clear_faults()  # what the killed worker has asked for comes only now
    assert not requested.operations.filter(state__in=ProviderOperation.OPEN).exists()
    assert PecRequest.objects.get().status == "NON_ATTIVO"
    assert PecRequest.objects.get().address == requested.address
    assert aruba.calls()["create"] == {requested.address: 1}


def test_a_worker_killed_while_activating(
    requested: PecRequest, environment: dict[str, str], aruba: SandboxProcess, work: Callable[[], int]
) -> None:
    work()
    lifecycle.decide([requested.pk], "accept", STAFF)
    kill_in_mid_call(requested, environment, aruba, "activate", done=True)
    work()
    assert PecRequest.objects.get().status == "ATTIVO"
    assert aruba.calls()["activate"] == {requested.address: 1}


@pytest.fixture
def celery(environment: dict[str, str], tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A real worker with beat in it, on the broker of this xdist worker."""
    command = [
        sys.executable,
        "-m",
        "celery",
        "-A",
        "albo_pec",
        "worker",
        "-B",
        "-c",
        "1",
        "-l",
        "WARNING",
        "-Q",
        "celery,mail",
    ]
    command += ["-s", str(tmp_path / "schedule"), "--without-mingle", "--without-gossip"]
    worker = subprocess.Popen(command, cwd=ROOT, env=environment, start_new_session=True)
    yield worker
    os.killpg(worker.pid, signal.SIGKILL)
    worker.wait()


def test_a_broker_that_forgets_everything_loses_nothing(
    celery: subprocess.Popen[bytes], requested: PecRequest, aruba: SandboxProcess, broker: None
) -> None:
    broker_client = redis.Redis.from_url(settings.REDIS_URL)
    until(lambda: PecRequest.objects.get().status == "NON_ATTIVO")
    for _again in range(3):
        broker_client.flushdb()
    lifecycle.decide([requested.pk], "accept", STAFF)
    broker_client.flushdb()
    until(lambda: PecRequest.objects.get().status == "ATTIVO")
    assert aruba.calls()["activate"] == {requested.address: 1}
    # That it is ready is told only as long as it waits to be accepted.
    until(lambda: any("è attiva" in mail["subject"] for mail in aruba.mail(requested.recovery_email)))
