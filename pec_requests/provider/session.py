"""The wire: connections, time limits and size limits. Nothing else in the portal opens an HTTP connection.

urllib3 without ``requests`` around it: no proxies, ``.netrc`` or CA paths from the environment, no cookies, no
redirects, no repetition, and half the work for each call.
"""

import json
import ssl
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from math import isfinite
from time import monotonic, time
from urllib.parse import urlencode

import certifi
import structlog
from django.utils.translation import gettext as _
from urllib3 import BaseHTTPResponse, HTTPConnectionPool, Timeout, connection_from_url
from urllib3.exceptions import ConnectTimeoutError, HTTPError, LocationParseError, NewConnectionError, ReadTimeoutError
from urllib3.util import Url, parse_url

from pec_requests.provider.answers import CONNECTION_LOST, TIMED_OUT, Answer, Call
from pec_requests.provider.base import Misconfigured, ProviderError, Temporary
from pec_requests.provider.pace import pace

log = structlog.get_logger(__name__)

_CHUNK = 64 * 1024
_LARGEST_BODY = 4 * 1024 * 1024
# A connection idle for longer may have been dropped on the way without a word.
_LONGEST_IDLE = 20.0
# With less time left than this a call is not begun: it could hardly be waited for.
_LEAST_SECONDS = 0.25
_LONGEST_RETRY_AFTER = 3600.0

_HEADERS = {
    "User-Agent": "albo-pec",
    "Accept": "application/json",
    "Accept-Encoding": "gzip, deflate",
    "Content-Type": "application/json",
}

_deadline: ContextVar[float | None] = ContextVar("provider_deadline", default=None)


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds to connect, to wait for the next bytes, for all the calls of one operation; connections kept open."""

    connect: float
    read: float
    operation: float
    connections: int


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """No call to the provider begins, in this thread, once this time is over; of two deadlines the earlier counts."""
    ends, outer = monotonic() + seconds, _deadline.get()
    token = _deadline.set(ends if outer is None else min(ends, outer))
    try:
        yield
    finally:
        _deadline.reset(token)


def seconds_left() -> float | None:
    """Until the deadline, possibly negative; None without one."""
    ends = _deadline.get()
    return None if ends is None else ends - monotonic()


class Transport:
    """Sends one call at a time over connections that all threads of this process share, never one in two threads."""

    def __init__(self, base_url: str, limits: Limits) -> None:
        """Raises ``Misconfigured`` where the address is not one of HTTP."""
        self.limits = limits
        self._base = _base(base_url)
        https = self._base.scheme == "https"
        self._tls = {"ssl_context": ssl.create_default_context(cafile=certifi.where())} if https else {}
        self._idle: deque[tuple[HTTPConnectionPool, float]] = deque(maxlen=max(1, limits.connections))

    def post(
        self, call: Call, body: Mapping[str, object], *, query: Mapping[str, object] | None = None, token: str = ""
    ) -> Answer:
        """Send a call and read the whole answer, whatever its status.

        Raises ``Temporary`` where nothing was sent, else ``call.lost(…)``. A call that only reads is sent once more if
        its connection breaks: one kept open may have been closed by the other side meanwhile.
        """
        try:
            return self._post_once(call, body, query, token)
        except ProviderError as error:
            if not (call.reads and error.code == CONNECTION_LOST):
                raise
            log.info("provider_call_repeated", call=call.path, reason=error.detail)
        return self._post_once(call, body, query, token)

    def _post_once(
        self, call: Call, body: Mapping[str, object], query: Mapping[str, object] | None, token: str
    ) -> Answer:
        pace.wait()
        timeout = self._timeout(call)
        path = (self._base.path or "").rstrip("/") + call.path + (f"?{urlencode(query)}" if query else "")
        headers = _HEADERS | ({"Authorization": f"Bearer {token}"} if token else {})
        with self._connection() as connection:
            try:
                response = connection.urlopen(
                    call.method, path, json.dumps(body).encode(), headers,
                    timeout=timeout, retries=False, redirect=False, preload_content=False,
                )  # fmt: skip
                with _read_or_closed(response):
                    content = _content(call, response)
                return Answer(response.status, content, _retry_after(response.headers.get("Retry-After")))
            except (HTTPError, OSError, ValueError) as error:
                # Not "from error": it holds the request with its password or token.
                failure = _failure(call, error)
        log.warning("provider_call_failed", call=call.path, kind=type(failure).__name__, reason=failure.detail)
        raise failure

    def _timeout(self, call: Call) -> Timeout:
        left = seconds_left()
        if left is None:
            return Timeout(connect=self.limits.connect, read=self.limits.read)
        if left < _LEAST_SECONDS:
            message = _("Tempo esaurito prima di chiamare il gestore: si riproverà più tardi.")
            raise Temporary(message, f"{call.path}: not sent, deadline reached", code="deadline")
        return Timeout(connect=min(self.limits.connect, left), read=min(self.limits.read, left))

    @contextmanager
    def _connection(self) -> Iterator[HTTPConnectionPool]:
        """The connection used last, hence the freshest, or a new one."""
        try:
            connection, used = self._idle.pop()
        except IndexError:
            connection = self._new_connection()
        else:
            if monotonic() - used > _LONGEST_IDLE:
                connection.close()
                connection = self._new_connection()
        try:
            yield connection
        finally:
            self._idle.append((connection, monotonic()))

    def _new_connection(self) -> HTTPConnectionPool:
        """A pool of one: it opens its connection when needed, and again when that was closed."""
        return connection_from_url(self._base.url, maxsize=1, **self._tls)


def _base(url: str) -> Url:
    """The parts of the provider's address. Raises ``Misconfigured`` where it is not one of HTTP."""
    try:
        parts = parse_url(url)
    except LocationParseError:
        parts = Url()
    if parts.scheme not in ("http", "https") or not parts.host or parts.query or parts.fragment:
        raise Misconfigured(_("L'indirizzo del gestore nella configurazione non è valido."), "bad base URL")
    return parts


@contextmanager
def _read_or_closed(response: BaseHTTPResponse) -> Iterator[None]:
    """Whoever does not read the whole answer closes its connection: the rest must not be taken for the next answer."""
    try:
        yield
    finally:
        response.close()
        response.release_conn()


def _content(call: Call, response: BaseHTTPResponse) -> bytes:
    """The body, piece by piece as it comes, so that neither its size nor its slowness is the server's choice."""
    pieces, size = [], 0
    while piece := response.read1(_CHUNK, decode_content=True):
        pieces.append(piece)
        size += len(piece)
        if size > _LARGEST_BODY:
            raise call.lost(_("La risposta del gestore è troppo grande."), "body too large", code="unexpected_answer")
        left = seconds_left()
        if left is not None and left < 0:
            raise _timed_out(call, "deadline reached while reading")
    return b"".join(pieces)


def _failure(call: Call, error: Exception) -> ProviderError:
    """What a failed exchange means: the answer is lost, unless it is certain that nothing was sent."""
    detail = f"{type(error).__name__}: {_root(error)!r}"
    if _never_sent(error):
        message = _("Il gestore non è raggiungibile: si riproverà più tardi.")
        return Temporary(message, f"{call.path}: {detail}", code="unreachable", outage=True)
    if isinstance(error, ReadTimeoutError | TimeoutError):
        return _timed_out(call, detail)
    if call.reads:
        message = _("La connessione con il gestore si è interrotta.")
    else:
        message = _("La connessione con il gestore si è interrotta: non si sa se l'operazione è stata eseguita.")
    return call.lost(message, detail, code=CONNECTION_LOST)


def _timed_out(call: Call, detail: str) -> ProviderError:
    if call.reads:
        message = _("Il gestore non ha risposto in tempo.")
    else:
        message = _("Il gestore non ha risposto in tempo: non si sa se l'operazione è stata eseguita.")
    return call.lost(message, detail, code=TIMED_OUT)


def _never_sent(error: Exception) -> bool:
    # A certificate is refused before the request leaves; other TLS errors may come at any time.
    return isinstance(_root(error), ConnectTimeoutError | NewConnectionError | ssl.SSLCertVerificationError)


def _root(error: Exception) -> Exception:
    """The system's error inside: urllib3 gives it as the last argument of its own."""
    while error.args and isinstance(error.args[-1], Exception):
        error = error.args[-1]
    return error


def _retry_after(value: str | None) -> float | None:
    """``Retry-After`` in seconds, from a number or a date, between nothing and an hour."""
    if not value:
        return None
    try:
        seconds = parsedate_to_datetime(value).timestamp() - time() if "GMT" in value else float(value)
    except (ValueError, TypeError, OverflowError):
        return None
    if not isfinite(seconds):
        return None
    return min(max(seconds, 0.0), _LONGEST_RETRY_AFTER)
