"""The access token: one for all threads of the process, renewed by one of them at a time."""

from concurrent.futures import Future
from concurrent.futures import TimeoutError as WaitedTooLong
from copy import copy
from dataclasses import dataclass, field
from http import HTTPStatus
from threading import Lock
from time import monotonic
from typing import Any

import structlog
from django.utils.translation import gettext as _

from pec_requests.provider.answers import Answer, Call, data_of, unusable
from pec_requests.provider.base import Misconfigured, ProviderError, Refused, Temporary
from pec_requests.provider.session import Transport, seconds_left

log = structlog.get_logger(__name__)

TOKEN = Call("/service/public/auth/v2/token")
REFRESH = Call("/service/public/auth/v2/refresh")

_LONGEST_MARGIN = 30.0
_DENIED = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})


@dataclass(frozen=True, slots=True)
class _Held:
    """A token and when, by the monotonic clock, it should be renewed, it ends, and its refresh token ends."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)
    renew_at: float
    ends: float
    refresh_ends: float


class TokenStore:
    """Gives the token of one partner account, getting or renewing it when needed.

    Whoever finds no good token starts the one flight that gets it; who comes meanwhile waits for that flight and shares
    its error, or uses the old token while it lasts. The lock is never held during a call.
    """

    def __init__(self, transport: Transport, username: str, password: str) -> None:
        self._transport = transport
        self._username = username
        self._password = password
        self._lock = Lock()
        self._held: _Held | None = None
        self._flight: Future[str] | None = None

    def get(self) -> str:
        """A token that is good now. Raises ``Misconfigured`` where the credentials are refused, or ``Temporary``."""
        with self._lock:
            held = self._held
            if held and monotonic() < held.renew_at:
                return held.access
            flight, mine = self._flight, self._flight is None
            if flight is None:
                flight = self._flight = Future()
        usable = held is not None and monotonic() < held.ends
        if held and usable and not mine:
            return held.access
        if mine:
            self._fly(flight, held)
        try:
            return _landed(flight)
        except Temporary:
            if held and usable:
                return held.access
            raise

    def replace(self, refused: str) -> str:
        """Another token than this one, which a call found refused; from the credentials if nobody has got one yet."""
        with self._lock:
            if self._held and self._held.access == refused:
                self._held = None
        return self.get()

    def _fly(self, flight: Future[str], held: _Held | None) -> None:
        try:
            fresh = self._fetch(held)
        except BaseException as error:
            with self._lock:
                self._flight = None
            flight.set_exception(error)
            if not isinstance(error, ProviderError):
                raise
            return
        with self._lock:
            self._held, self._flight = fresh, None
        flight.set_result(fresh.access)

    def _fetch(self, held: _Held | None) -> _Held:
        if held and monotonic() < held.refresh_ends:
            began = monotonic()
            answer = self._transport.post(REFRESH, {"refreshToken": held.refresh})
            if not HTTPStatus.BAD_REQUEST <= answer.status < HTTPStatus.INTERNAL_SERVER_ERROR:
                return _read(REFRESH, answer, began)
            log.info("provider_refresh_refused", status=answer.status)
        return self._sign_in()

    def _sign_in(self) -> _Held:
        if not (self._username and self._password):
            message = _("Mancano le credenziali del gestore: occorre completare la configurazione.")
            raise Misconfigured(message, "no credentials set")
        began = monotonic()
        answer = self._transport.post(TOKEN, {"username": self._username, "password": self._password})
        if answer.status in _DENIED:
            raise refused_credentials(f"{TOKEN.path}: HTTP {answer.status}")
        try:
            return _read(TOKEN, answer, began)
        except Refused as refusal:  # without its words, which might repeat the credentials
            raise refused_credentials(f"{TOKEN.path}: HTTP {answer.status}, code {refusal.code!r}") from None


def refused_credentials(detail: str) -> Misconfigured:
    """The error for credentials, or a fresh token, that the provider does not accept."""
    log.error("provider_credentials_refused", reason=detail)
    message = _("Il gestore non accetta le credenziali del portale: occorre correggere la configurazione.")
    return Misconfigured(message, detail)


def _landed(flight: Future[str]) -> str:
    left = seconds_left()
    try:
        return flight.result(timeout=None if left is None else max(left, 0.0))
    except WaitedTooLong:
        message = _("Tempo esaurito in attesa dell'accesso al gestore: si riproverà più tardi.")
        raise Temporary(message, "not sent, deadline reached waiting for a token", code="deadline") from None
    except ProviderError as error:
        raise copy(error) from None  # several threads raise it, each its own


def _read(call: Call, answer: Answer, began: float) -> _Held:
    """The tokens in an answer; their lives count from before the question, not from after the answer."""
    data = data_of(call, answer)
    access, life = data.get("accessToken"), _seconds(data.get("expiresIn"))
    if not isinstance(access, str) or not access.isascii() or not access.isprintable() or not access or life <= 0:
        raise unusable(call, "no usable token in the answer")
    refresh = data.get("refreshToken")
    refresh = refresh if isinstance(refresh, str) else ""
    refresh_life = _seconds(data.get("refreshExpiresIn")) if refresh else 0.0
    margin = min(_LONGEST_MARGIN, life / 5)
    log.info("provider_token", call=call.path, seconds=life)
    return _Held(access, refresh, began + life - margin, began + life, began + refresh_life - margin)


def _seconds(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0
