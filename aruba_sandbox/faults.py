"""Faults a test orders: slow answers, errors, lost connections, and how often each happens.

They live in the memory of the one process that answers, so that drawing one costs nothing and a restart clears them.
"""

import json
import random
import socket
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from http import HTTPStatus

from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse

from aruba_sandbox.fields import Fields
from aruba_sandbox.wire import ApiError, refusal

KINDS = ("latency", "hold", "status", "drop_before", "drop_after", "garbage", "truncated", "partial", "rate_limit")
# Kinds that only take time: any number of them goes with another fault. "hold" lasts until the faults are cleared, and
# "latency" no longer than that.
DELAYS = ("latency", "hold")
# Kinds that can strike after the work too. The others say by themselves when they strike.
AFTER = ("latency", "hold", "status", "garbage", "truncated")
CALLS = (
    *("*", "token", "owners", "create", "info", "search", "available", "activate", "password-reset"),
    *("recovery-email", "suspend", "suspend-undo", "cancellation", "cancellation-undo", "owner-change", "types"),
)
GARBAGE = "<html><head><title>Bad gateway</title></head><body><h1>Bad gateway</h1></body></html>"
TRUNCATED = '{"version": "v2", "datetime": "2026-01-31T09:'
_LONGEST_DELAY = 300
# For what was delayed to be done with its work, once nothing delays it any more.
_LONGEST_WAIT = 10

Work = Callable[[], HttpResponse]


@dataclass
class Fault:
    """One thing that goes wrong; ``times`` is how often it still will, without end if ``None``.

    ``after``: the work is done first. Else a bad answer comes in its place, and a delay before it.
    """

    call: str
    kind: str
    value: float | None = None
    probability: float = 1
    times: int | None = None
    after: bool = False

    @classmethod
    def parse(cls, body: Fields) -> "Fault":
        """From the control's body."""
        kind = body.choice("kind", KINDS)
        after = body.flag("after")
        if after and kind not in AFTER:
            body.refuse("after", f"non si può chiedere per «{kind}»")
        return cls(
            call=body.choice("call", CALLS),
            kind=kind,
            value=_value(body, kind),
            probability=body.number("probability", least=0, most=1, default=1),
            times=body.integer("times") if body.has("times") else None,
            after=after,
        )

    def concerns(self, call: str) -> bool:
        """Whether it is about this call; an act's fault also strikes its undoing."""
        return self.call in ("*", call, call.removesuffix("-undo"))

    def as_json(self) -> dict[str, object]:
        """The fault as it was ordered."""
        return asdict(self)


class Plan:
    """The faults ordered so far."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._lock = threading.Lock()
        self._cleared = threading.Event()
        self._delayed = 0
        self._one_is_over = threading.Condition(self._lock)

    def add(self, fault: Fault) -> None:
        """Order one more."""
        with self._lock:
            self._faults.append(fault)

    def clear(self) -> None:
        """None any more; whoever is delayed goes on, and is done with its work when this returns, or time is up."""
        with self._lock:
            self._faults.clear()
            self._cleared.set()
            self._cleared = threading.Event()
            self._one_is_over.wait_for(lambda: self._delayed == 0, _LONGEST_WAIT)

    def is_over(self) -> None:
        """A call that was delayed has done its work, whether or not its client still waits."""
        with self._lock:
            self._delayed -= 1
            self._one_is_over.notify_all()

    def until_cleared(self) -> threading.Event:
        """What a held call waits for."""
        with self._lock:
            return self._cleared

    def waiting(self) -> list[Fault]:
        """Those that will still strike."""
        with self._lock:
            return list(self._faults)

    def draw(self, call: str) -> list[Fault]:
        """What goes wrong with this call now: any delays, and the first other fault. Each is one time less."""
        if not self._faults:
            return []
        drawn: list[Fault] = []
        with self._lock:
            for fault in self._faults:
                decided = any(earlier.kind not in DELAYS for earlier in drawn)
                if (decided and fault.kind not in DELAYS) or not self._strikes(fault, call):
                    continue
                drawn.append(fault)
                if fault.times is not None:
                    fault.times -= 1
            self._faults = [fault for fault in self._faults if fault.times != 0]
            self._delayed += any(fault.kind in DELAYS for fault in drawn)
        return drawn

    @staticmethod
    def _strikes(fault: Fault, call: str) -> bool:
        return fault.concerns(call) and random.random() < fault.probability  # noqa: S311


PLAN = Plan()


def surround(call: str, request: HttpRequest, work: Work) -> HttpResponse:
    """Do the work of a call with whatever goes wrong around it."""
    cleared = PLAN.until_cleared()
    drawn = PLAN.draw(call)
    delays = [fault for fault in drawn if fault.kind in DELAYS]
    spoiler = next((fault for fault in drawn if fault.kind not in DELAYS), None)
    try:
        _delay([fault for fault in delays if not fault.after], cleared)
        response = _spoilt(spoiler, request, work) if spoiler else work()
        _delay([fault for fault in delays if fault.after], cleared)
    finally:
        if delays:
            PLAN.is_over()
    return _hang_up(request) if spoiler and spoiler.kind == "drop_after" else response


def _delay(faults: list[Fault], cleared: threading.Event) -> None:
    if faults:
        connection.close()  # whoever only waits keeps no connection of the pool from others
    for fault in faults:
        cleared.wait(_LONGEST_DELAY if fault.kind == "hold" else fault.value)


def _spoilt(fault: Fault, request: HttpRequest, work: Work) -> HttpResponse:
    if fault.after:
        work()
    match fault.kind:
        case "drop_before":
            return _hang_up(request)
        case "drop_after":
            return work()
        case "partial":
            return _with_error(work())
        case "garbage":
            return HttpResponse(GARBAGE, status=int(fault.value or HTTPStatus.OK))
        case "truncated":
            return HttpResponse(TRUNCATED, content_type="application/json")
        case "rate_limit":
            return _rate_limited(fault.value)
        case _:
            return refusal(ApiError(int(fault.value or 500), "Errore richiesto dal collaudo."))


def _hang_up(request: HttpRequest) -> HttpResponse:
    """Close the connection under the server's feet: the client gets no answer at all."""
    client: socket.socket = request.META["gunicorn.socket"]
    client.shutdown(socket.SHUT_RDWR)
    return HttpResponse(status=HTTPStatus.NO_CONTENT)


def _with_error(response: HttpResponse) -> HttpResponse:
    """The same answer, data and all, with an error next to it."""
    envelope = json.loads(response.content)
    error = ApiError(HTTPStatus.INTERNAL_SERVER_ERROR, "Operazione riuscita solo in parte.")
    envelope["errors"].append(error.as_json())
    return JsonResponse(envelope, status=response.status_code)


def _rate_limited(seconds: float | None) -> HttpResponse:
    response = refusal(ApiError(HTTPStatus.TOO_MANY_REQUESTS, "Troppe richieste."))
    response["Retry-After"] = f"{1 if seconds is None else seconds:g}"
    return response


def _value(body: Fields, kind: str) -> float | None:
    match kind:
        case "latency":
            return body.number("value", least=0, most=_LONGEST_DELAY)
        case "status":
            return body.integer("value", least=400, most=599)
        case "garbage" if body.has("value"):
            return body.integer("value", least=200, most=599)
        case "rate_limit" if body.has("value"):
            return body.number("value", least=0)
    return None
