"""The wire: connections, time limits and size limits. Nothing else in the portal opens an HTTP connection."""

import ssl
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from math import isfinite
from time import monotonic, time
from urllib.parse import urlsplit

import requests
import structlog
from django.utils.translation import gettext as _
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError, MaxRetryError, NewConnectionError, ReadTimeoutError

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


class _Connection(HTTPAdapter):
    """One connection, reopened when needed.

    An adapter without a ``requests.Session`` around it: no proxies, ``.netrc`` or CA paths from the environment, no
    cookies, no redirects, no repetition, and some 40 % less work for each call.
    """

    def __init__(self) -> None:
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0)


class Transport:
    """Sends one call at a time over connections that all threads of this process share, never one in two threads."""

    def __init__(self, base_url: str, limits: Limits) -> None:
        """Raises ``Misconfigured`` where the address is not one of HTTP."""
        if not _is_address(base_url):
            raise Misconfigured(_("L'indirizzo del gestore nella configurazione non è valido."), "bad base URL")
        self.limits = limits
        self._base_url = base_url.rstrip("/")
        self._prepared: dict[str, requests.PreparedRequest] = {}
        self._idle: deque[tuple[_Connection, float]] = deque(maxlen=max(1, limits.connections))

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
        timeouts = self._timeouts(call)
        request = self._request(call, body, query, token)
        with self._connection() as connection:
            try:
                with connection.send(request, stream=True, timeout=timeouts, verify=True) as response:
                    content = _content(call, response)
                    return Answer(response.status_code, content, _retry_after(response.headers.get("Retry-After")))
            except (requests.RequestException, HTTPError, OSError) as error:
                # Not "from error": it holds the request with its password or token.
                failure = _failure(call, error)
        log.warning("provider_call_failed", call=call.path, kind=type(failure).__name__, reason=failure.detail)
        raise failure

    def _request(
        self, call: Call, body: Mapping[str, object], query: Mapping[str, object] | None, token: str
    ) -> requests.PreparedRequest:
        bare = self._prepared.get(call.path)
        if bare is None:
            headers = {"User-Agent": "albo-pec", "Accept": "application/json", "Accept-Encoding": "gzip, deflate"}
            bare = requests.Request("POST", self._base_url + call.path, headers=headers).prepare()
            self._prepared[call.path] = bare
        request = bare.copy()
        request.prepare_body(data=None, files=None, json=body)
        if query:
            request.prepare_url(bare.url, query)
        if token:
            request.headers["Authorization"] = f"Bearer {token}"
        return request

    def _timeouts(self, call: Call) -> tuple[float, float]:
        left = seconds_left()
        if left is None:
            return self.limits.connect, self.limits.read
        if left < _LEAST_SECONDS:
            message = _("Tempo esaurito prima di chiamare il gestore: si riproverà più tardi.")
            raise Temporary(message, f"{call.path}: not sent, deadline reached", code="deadline")
        return min(self.limits.connect, left), min(self.limits.read, left)

    @contextmanager
    def _connection(self) -> Iterator[_Connection]:
        """The connection used last, hence the freshest, or a new one."""
        try:
            connection, used = self._idle.pop()
        except IndexError:
            connection = _Connection()
        else:
            if monotonic() - used > _LONGEST_IDLE:
                connection.close()  # and open again when used
        try:
            yield connection
        finally:
            self._idle.append((connection, monotonic()))


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(requests.Request("POST", url).prepare().url or "")
    except (requests.RequestException, ValueError):
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and not (parts.query or parts.fragment)


def _content(call: Call, response: requests.Response) -> bytes:
    """The body, piece by piece as it comes, so that neither its size nor its slowness is the server's choice."""
    pieces, size = [], 0
    while piece := response.raw.read1(_CHUNK, decode_content=True):
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
    if isinstance(error, requests.Timeout | ReadTimeoutError):
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
    if isinstance(error, requests.ConnectTimeout | requests.exceptions.InvalidURL):
        return True
    # A certificate is refused before the request leaves; other TLS errors may come at any time.
    return isinstance(_root(error), NewConnectionError | ssl.SSLCertVerificationError)


def _root(error: Exception) -> Exception:
    """The library's error inside: requests wraps urllib3's, which wraps the system's in ``reason`` or an argument."""
    while True:
        inner = error.reason if isinstance(error, MaxRetryError) else error.args[-1] if error.args else None
        if not isinstance(inner, Exception) or isinstance(error, NewConnectionError):
            return error
        error = inner


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
