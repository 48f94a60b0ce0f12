"""The engine against the bound of the provider, against bare threads, and against one message per operation."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import redis
from django.conf import settings
from django.db import transaction

from bench import scene
from bench.report import Report
from bench.scene import Runner
from pec_requests import lifecycle, operations
from pec_requests.models import PecRequest, ProviderOperation
from pec_requests.states import Status

_PROVIDER = {"ARUBA_USERNAME": "bench", "ARUBA_PASSWORD": "bench"}
_QUEUES = ("celery", "mail")


def throughput(report: Report) -> None:
    """Activations, which are one call each, with everything that belongs to them: status, log, mail row."""
    ours = _against_bare(report, calls=10_000, latency=0.1, slots=50, bound=0.9)
    _against_bare(report, calls=8000, latency=0.4, slots=100, bound=0.95)
    theirs = _one_message_each(calls=1500, latency=0.1, slots=50)
    report.fact("one message per operation: calls/s", f"{theirs:.0f}")
    report.at_least("  ours, against one message per operation", ours / theirs, 3.5)


def _against_bare(report: Report, *, calls: int, latency: float, slots: int, bound: float) -> float:
    """Calls a second. Measured again, twice at most, while the machine is so busy that bare threads miss the bound."""
    limit = slots / latency
    for _time in range(3):
        bare, ours, database = _bare_and_ours(calls, latency, slots)
        ours_rate, bare_rate = calls / ours["seconds"], calls / bare["seconds"]
        if bare_rate / limit >= (1 + bound) / 2:
            break
    report.fact(f"{latency * 1000:.0f} ms, {slots} at once: calls/s, bare and ours", f"{bare_rate:.0f} {ours_rate:.0f}")
    report.at_least("  ours, against the bound", ours_rate / limit, bound)
    report.at_least("  ours, against the bare loop", ours_rate / bare_rate, 0.95)
    cpu, bare_cpu = (ours["cpu"] + database) / calls * 1000, bare["cpu"] / calls * 1000
    report.fact(
        "  CPU ms a call: bare, worker, PostgreSQL",
        f"{bare_cpu:.2f} {ours['cpu'] / calls * 1000:.2f} {database / calls * 1000:.2f}",
    )
    report.at_most("  CPU a call, against the bare loop", cpu / bare_cpu, 1.5)
    report.at_most("  messages per operation", _messages() / calls, 0.05)
    return ours_rate


def _bare_and_ours(calls: int, latency: float, slots: int) -> tuple[dict[str, float], dict[str, float], float]:
    """The figures of both, one after the other, and the CPU seconds of PostgreSQL for ours."""
    with scene.stub(latency) as url:
        bare = _run([Runner("bench.bare", url, str(calls), str(slots))])[0]
        scene.clear()
        scene.accepted(calls)
        scene.tidy()
        _forget_messages()
        before = scene.database_cpu()
        ours = _run([_worker(url, slots)])[0]
        database = scene.database_cpu() - before
    assert ours["settled"] == calls == PecRequest.objects.filter(status=Status.ATTIVO).count()
    return bare, ours, database


def creations(report: Report) -> None:
    """Creations in bulk, three calls each where the holder is known already."""
    scene.clear()
    scene.requested(4000)
    with scene.stub(0.1) as url:
        ours = _run([_worker(url, 50)])[0]
    report.at_least("creations at 100 ms, 50 at once: calls, against the bound", 3 * 4000 / ours["seconds"] / 500, 0.9)


def two_hosts(report: Report) -> None:
    """Two workers share the allowed rate; every effect once."""
    rate, calls = 300.0, 10_000
    scene.clear()
    scene.accepted(calls)
    with scene.stub(0.1) as url:
        workers = [_worker(url, 50, PROVIDER_RATE=str(rate)) for _host in range(2)]
        both = _run(workers)
    assert sum(figures["settled"] for figures in both) == calls
    assert set(ProviderOperation.objects.filter(kind="ACTIVATE").values_list("attempts", flat=True)) == {1}
    achieved = calls / max(figures["seconds"] for figures in both)
    report.at_least("two hosts: rate, against the allowed", achieved / rate, 0.9)
    report.at_most("two hosts: rate, against the allowed", achieved / rate, 1.02)


def long_queue(report: Report) -> None:
    """A claim out of 160,000 waiting operations, against one out of 1,000."""
    times = {}
    for number in (1000, 160_000):
        scene.clear()
        scene.queued(number)
        times[number] = _median(_claim_and_forget, 40)
    report.fact("claiming 50: ms out of 1,000 and out of 160,000", " ".join(f"{t * 1000:.1f}" for t in times.values()))
    report.at_most("  claim out of 160,000, against 1,000", times[160_000] / times[1000], 1.2)


def memory(report: Report) -> None:
    """The worker's memory after 1,000 and after 8,000 operations."""
    peaks = []
    for number in (1000, 8000):
        scene.clear()
        scene.accepted(number)
        with scene.stub(0.02) as url:
            peaks.append(_run([_worker(url, 50)])[0]["kib"])
    report.at_most("memory after 8,000 operations, against 1,000", peaks[1] / peaks[0], 1.1)


def idle(report: Report) -> None:
    """From "Accetta" to ATTIVO with a worker of Celery that has nothing else to do."""
    scene.clear()
    ids = scene.made(21)
    with scene.stub(0.1) as url:
        worker = _celery(url, "-A", "albo_pec", "worker", "-c", "1", "-Q", "celery")
        try:
            seconds = [_activated(pk) for pk in ids]
        finally:
            worker.terminate()
            worker.wait()
    report.at_most(
        "Accetta to ATTIVO without the provider's 100 ms: ms", (statistics.median(seconds[1:]) - 0.1) * 1000, 300
    )


def _activated(pk: int) -> float:
    began = time.monotonic()
    lifecycle.decide([pk], "accept", scene.BENCH)
    while PecRequest.objects.get(pk=pk).status != Status.ATTIVO:
        assert time.monotonic() < began + 60, "never activated"
        time.sleep(0.002)
    return time.monotonic() - began


def _claim_and_forget() -> None:
    with transaction.atomic():
        assert len(operations.claim(50, "bench")) == 50
        transaction.set_rollback(True)


def _median(act: Callable[[], None], times: int) -> float:
    def one() -> float:
        began = time.monotonic()
        act()
        return time.monotonic() - began

    return statistics.median(one() for _time in range(times))


def _worker(url: str, slots: int, **environment: str) -> Runner:
    return Runner("bench.worker", ARUBA_BASE_URL=url, PROVIDER_CONCURRENCY=str(slots), **_PROVIDER, **environment)


def _run(runners: list[Runner]) -> list[dict[str, float]]:
    try:
        for runner in runners:
            runner.start()
        return [runner.figures() for runner in runners]
    finally:
        for runner in runners:
            runner.end()


def _one_message_each(*, calls: int, latency: float, slots: int) -> float:
    """Calls a second of the counter-example, from the first message to the last settled."""
    from bench.one_message import QUEUE, one

    scene.clear()
    with scene.stub(latency) as url:
        worker = _celery(
            url, "-A", "albo_pec", "worker", "-I", "bench.one_message", "-P", "threads", "-c", str(slots), "-Q", QUEUE
        )
        try:
            scene.accepted(50)
            _hand_over(one, QUEUE, 50)  # until it is warm
            scene.accepted(calls, after=50)
            began = time.monotonic()
            _hand_over(one, QUEUE, calls)
            return calls / (time.monotonic() - began)
        finally:
            worker.terminate()
            worker.wait()


def _hand_over(task: object, queue: str, number: int) -> None:
    for _message in range(number):
        task.apply_async(queue=queue, ignore_result=True)  # type: ignore[attr-defined]
    until = time.monotonic() + 60 + number / 10
    while scene.waiting():
        assert time.monotonic() < until, "the counter-example does not end"
        time.sleep(0.02)


def _celery(url: str, *arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "celery", *arguments, "-l", "ERROR", "--without-mingle", "--without-gossip"]
    environment = {
        **os.environ,
        "ARUBA_BASE_URL": url,
        "PROVIDER_CONCURRENCY": "50",
        "CELERY_DB_REUSE_MAX": "1000",
        **_PROVIDER,
    }
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)


def _broker() -> redis.Redis[bytes]:
    return redis.Redis.from_url(settings.REDIS_URL)


def _forget_messages() -> None:
    _broker().delete(*_QUEUES)


def _messages() -> int:
    return sum(_broker().llen(queue) for queue in _QUEUES)


MEASURES = [throughput, creations, two_hosts, long_queue, memory, idle]
