"""From an HTTP answer to data, or to the one of the four errors that it means."""

import json
from dataclasses import dataclass
from enum import Enum, auto
from http import HTTPStatus
from typing import Any

from django.utils.translation import gettext as _

from pec_requests.provider.base import ProviderError, Refused, Temporary, UnknownOutcome
from pec_requests.provider.words import code_of, field_of, words_of

_NOT_NOW = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})
_AWAY = frozenset({HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT})
_ENVELOPE = frozenset({"data", "errors", "version"})

CONNECTION_LOST = "connection_lost"
TIMED_OUT = "timed_out"


class Effect(Enum):
    """What repeating a call costs: nothing, a look first, or it must not be repeated because nobody can look."""

    NONE = auto()
    VISIBLE = auto()
    INVISIBLE = auto()


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the provider's API: its path after the base address, what it changes there, and its method."""

    path: str
    effect: Effect = Effect.NONE
    method: str = "POST"

    @property
    def reads(self) -> bool:
        """Whether it changes nothing."""
        return self.effect is Effect.NONE

    def lost(self, message: str, detail: str, *, code: str = "", outage: bool = False) -> ProviderError:
        """The error for a request that left and has no usable answer."""
        kind = Temporary if self.reads else UnknownOutcome
        return kind(message, f"{self.path}: {detail}", code=code, outage=outage)


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer: status, body (decompressed) and the seconds of its ``Retry-After``."""

    status: int
    body: bytes
    retry_after: float | None = None


class NotFound(Refused):
    """The provider itself, not something on the way to it, says that the thing does not exist."""


def data_of(call: Call, answer: Answer) -> dict[str, Any]:
    """The ``data`` object of a successful answer; raises the ``ProviderError`` that any other answer means."""
    envelope = _envelope(answer.body)
    if not 200 <= answer.status < 300:
        raise _failure(call, answer, envelope)
    if envelope is None:
        raise _garbage(call, answer)
    data, errors = envelope.get("data"), _errors(envelope)
    if errors:
        raise _partial(call, answer, errors, data)
    if not isinstance(data, dict):
        raise _garbage(call, answer)
    return data


def unusable(call: Call, what: str) -> ProviderError:
    """The error for an answer that came whole but does not hold what the contract promises."""
    return call.lost(_("Il gestore ha dato una risposta incomprensibile."), what, code="unexpected_answer")


def _envelope(body: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) and not _ENVELOPE.isdisjoint(value) else None


def _errors(envelope: dict[str, Any] | None) -> list[Any]:
    errors = envelope.get("errors") if envelope else None
    return errors if isinstance(errors, list) else []


def _partial(call: Call, answer: Answer, errors: list[Any], data: Any) -> ProviderError:
    """A 200 that carries errors. Without data it is a refusal; with data something was done and must be looked at."""
    words, code = words_of(errors), code_of(errors)
    detail = f"HTTP {answer.status} with errors, code {code!r}"
    if not data:
        return Refused(
            _refusal(words, answer),
            f"{call.path}: {detail}",
            code=code,
            field=field_of(errors),
            maybe_done=not call.reads,
        )
    message = _("Il gestore ha risposto solo in parte: «%(words)s».") % {"words": words}
    return call.lost(message, detail, code=code)


def _failure(call: Call, answer: Answer, envelope: dict[str, Any] | None) -> ProviderError:
    status, errors = answer.status, _errors(envelope)
    code = code_of(errors) or f"http_{status}"
    detail = f"{call.path}: HTTP {status}, code {code!r}{'' if envelope else ', not an answer of the API'}"
    if status in _NOT_NOW:
        message = _("Il gestore chiede di riprovare più tardi (HTTP %(status)s).") % {"status": status}
        return Temporary(message, detail, code=code, retry_after=answer.retry_after)
    if status >= 500:
        return _server_error(call, answer, envelope, code, detail)
    if status >= 400 and envelope is not None:
        kind = NotFound if status == HTTPStatus.NOT_FOUND else Refused
        return kind(_refusal(words_of(errors), answer), detail, code=code, field=field_of(errors))
    # A proxy, a firewall or another site answered: the provider has seen nothing.
    message = _("Al posto del gestore ha risposto qualcos'altro (HTTP %(status)s).") % {"status": status}
    return Temporary(message, detail, code=code)


def _server_error(call: Call, answer: Answer, envelope: dict[str, Any] | None, code: str, detail: str) -> ProviderError:
    away = envelope is None or answer.status in _AWAY
    if away:
        message = _("Il gestore non è disponibile (HTTP %(status)s).") % {"status": answer.status}
    else:
        words = words_of(_errors(envelope)) or _("nessun dettaglio")
        message = _("Errore interno del gestore (HTTP %(status)s): «%(words)s».")
        message %= {"status": answer.status, "words": words}
    # Only "503" says that the request was not taken on.
    maybe_done = not call.reads and answer.status != HTTPStatus.SERVICE_UNAVAILABLE
    kind = UnknownOutcome if maybe_done and call.effect is Effect.INVISIBLE else Temporary
    return kind(message, detail, code=code, outage=away, retry_after=answer.retry_after, maybe_done=maybe_done)


def _garbage(call: Call, answer: Answer) -> ProviderError:
    message = _("Il gestore ha dato una risposta incomprensibile (HTTP %(status)s).") % {"status": answer.status}
    return call.lost(message, f"HTTP {answer.status}, not an answer of the API", code="unexpected_answer")


def _refusal(words: str, answer: Answer) -> str:
    if words:
        return _("Il gestore ha rifiutato la richiesta: «%(words)s».") % {"words": words}
    return _("Il gestore ha rifiutato la richiesta senza dire perché (HTTP %(status)s).") % {"status": answer.status}
