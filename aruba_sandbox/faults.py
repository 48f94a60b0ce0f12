"""Faults a test orders: slow answers, errors, lost connections, and how often each happens.

They live in the memory of the one process that answers, so that drawing one costs nothing and a restart clears them.
"""

import json
import random
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse, JsonResponse

from aruba_sandbox.fields import Fields
from aruba_sandbox.wire import ApiError, refusal

KINDS = ("latency", "status", "drop_before", "drop_after", "garbage", "partial", "rate_limit")
CALLS = (
    *("*", "token", "owners", "create", "info", "search", "available", "activate", "password-reset"),
    *("recovery-email", "suspend", "suspend-undo", "cancellation", "cancellation-undo", "owner-change", "types"),
)
GARBAGE = "<html><head><title>Bad gateway</title></head><body><h1>Bad gateway</h1></body></html>"
_LONGEST_DELAY = 300

Work = Callable[[], HttpResponse]


@dataclass
class Fault:
    """One thing that goes wrong; ``times`` is how often it still will, without end if ``None``."""

    call: str
    kind: str
    value: float | None = None
    probability: float = 1
    times: int | None = None

    @classmethod
    def parse(cls, body: Fields) -> "Fault":
        """From the control's body."""
        kind = body.choice("kind", KINDS)
        return cls(
            call=body.choice("call", CALLS),
            kind=kind,
            value=_value(body, kind),
            probability=body.number("probability", least=0, most=1, default=1),
            times=body.integer("times") if body.has("times") else None,
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

    def add(self, fault: Fault) -> None:
        """Order one more."""
        with self._lock:
            self._faults.append(fault)

    def clear(self) -> None:
        """None any more."""
        with self._lock:
            self._faults.clear()

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
                decided = any(earlier.kind != "latency" for earlier in drawn)
                if (decided and fault.kind != "latency") or not self._strikes(fault, call):
                    continue
                drawn.append(fault)
                if fault.times is not None:
                    fault.times -= 1
            self._faults = [fault for fault in self._faults if fault.times != 0]
        return drawn

    @staticmethod
    def _strikes(fault: Fault, call: str) -> bool:
        return fault.concerns(call) and random.random() < fault.probability  # noqa: S311


PLAN = Plan()


def surround(call: str, request: HttpRequest, work: Work) -> HttpResponse:
    """Do the work of a call with whatever goes wrong around it."""
    response: Work = work
    for fault in PLAN.draw(call):
        if fault.kind == "latency":
            time.sleep(fault.value or 0)
        else:
            response = _spoilt(fault, request, work)
    return response()


def _spoilt(fault: Fault, request: HttpRequest, work: Work) -> Work:
    match fault.kind:
        case "drop_before":
            return lambda: _hang_up(request)
        case "drop_after":
            return lambda: work() and _hang_up(request)
        case "partial":
            return lambda: _with_error(work())
        case "garbage":
            return lambda: HttpResponse(GARBAGE, status=int(fault.value or HTTPStatus.OK))
        case "rate_limit":
            return lambda: _rate_limited(fault.value)
        case _:
            return lambda: refusal(ApiError(int(fault.value or 500), "Errore richiesto dal collaudo."))


def _hang_up(request: HttpRequest) -> HttpResponse:
    """Close the connection under the server's feet: the client gets no answer at all."""
    connection: socket.socket = request.META["gunicorn.socket"]
    connection.shutdown(socket.SHUT_RDWR)
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
