"""What the member's pages cost in CPU, against a plain Django view that does about as much."""

from __future__ import annotations

import io
import logging
import time
from collections.abc import Callable, Iterable
from statistics import median
from typing import Any
from wsgiref.util import setup_testing_defaults

from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.core.handlers.wsgi import WSGIHandler
from django.core.management import call_command
from django.db.models.functions import Now
from django.test.utils import override_settings
from django.urls import reverse

from bench import scene
from bench.plain import PLAIN
from bench.report import Report
from members.models import Member, User
from members.session_store import SessionStore
from pec_requests import lifecycle
from pec_requests.models import PecRequest, ProviderOperation
from pec_requests.states import Kind

_ROUNDS, _REQUESTS = 15, 40
_MODEL, _OURS = "django.contrib.auth.backends.ModelBackend", "members.authentication.PortalBackend"


def member_pages(report: Report) -> None:
    """Each page in turn, again and again, each time against the plain one; what counts is the middle of the ratios."""
    logging.disable(logging.WARNING)
    call_command("collectstatic", verbosity=0, interactive=False)
    scene.clear()
    active, waiting = _active(scene.accepted(1)[0]), PecRequest.objects.get(pk=scene.made(1, after=1)[0])
    scene.tidy()
    with override_settings(ALLOWED_HOSTS=["127.0.0.1"]):
        plain = _plain(_session(active.member, _MODEL))
        ratios: dict[str, list[float]] = {}
        handler = WSGIHandler()
        for _round in range(_ROUNDS):
            for name, pec in _pages(active, waiting):
                address = reverse(name, args=[pec.public_id] if name in _OF_ONE else [])
                cost = _cpu(handler, address, _session(pec.member, _OURS))
                ratios.setdefault(name, []).append(cost / plain())
        report.fact("a plain view: ms of CPU", f"{plain() * 1000:.2f}")
    for name, each in ratios.items():
        report.at_most(f"{name}: CPU, against a plain view", median(each), 1.5)


_OF_ONE = tuple(f"pec_requests:{name}" for name in ("panel", "accept", "refuse", "change-recovery", "reset-password"))


def _pages(active: PecRequest, waiting: PecRequest) -> Iterable[tuple[str, PecRequest]]:
    """Of somebody whose mailbox is active, and of somebody who may accept one."""
    own = ("home", "help", "members:record", "members:change_email", "members:change_mobile", "pec_requests:list")
    for name in own:
        yield name, active
    for name in _OF_ONE:
        yield name, waiting if name in ("pec_requests:accept", "pec_requests:refuse") else active


def _active(pk: int) -> PecRequest:
    """As after the provider has confirmed the acceptance."""
    operation = ProviderOperation.objects.get(request=pk, kind=Kind.ACTIVATE)
    ProviderOperation.objects.filter(request=pk).update(state=ProviderOperation.State.DONE, finished_at=Now())
    lifecycle.confirm([operation], scene.BENCH)
    return PecRequest.objects.select_related("member").get(pk=pk)


def _session(member: Member, backend: str) -> str:
    """The cookie of somebody who is signed in."""
    if member.user is None:
        member.user = User.objects.create(username=f"bench-member-{member.pk}")
        member.save(update_fields=["user"])
    store = SessionStore()
    store[SESSION_KEY], store[BACKEND_SESSION_KEY] = str(member.user.pk), backend
    store[HASH_SESSION_KEY] = member.user.get_session_auth_hash()
    store.save()
    return f"sessionid={store.session_key}"


def _plain(cookie: str) -> Callable[[], float]:
    """Measures the plain view in settings of its own."""
    with override_settings(**PLAIN):
        handler = WSGIHandler()

    def measure() -> float:
        with override_settings(**PLAIN):
            return _cpu(handler, "/semplice/", cookie)

    return measure


def _cpu(handler: Any, path: str, cookie: str) -> float:
    """CPU seconds of this process for one request; the first finds everything cold and does not count."""
    _get(handler, path, cookie)
    began = time.process_time()
    for _request in range(_REQUESTS):
        _get(handler, path, cookie)
    return (time.process_time() - began) / _REQUESTS


def _get(handler: Any, path: str, cookie: str) -> None:
    environ: dict[str, Any] = {"PATH_INFO": path, "HTTP_HOST": "127.0.0.1", "REMOTE_ADDR": "127.0.0.1"}
    setup_testing_defaults(environ)
    environ |= {"HTTP_COOKIE": cookie, "HTTP_ACCEPT_ENCODING": "gzip, deflate, br", "wsgi.input": io.BytesIO()}
    answered: list[str] = []
    answer = handler(environ, lambda status, headers: answered.append(status))
    assert b"".join(answer) and answered == ["200 OK"], (path, answered)
    answer.close()


MEASURES = [member_pages]
