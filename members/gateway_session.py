"""How the gateways of SPID and CIE are called: to them alone, and for so much and so long as an answer may take."""

from __future__ import annotations

from time import monotonic
from typing import Any

_CHUNK = 16 * 1024
_LARGEST_BODY = 512 * 1024
_SECONDS = 10.0


def within_limits(session: Any) -> Any:
    """A session of requests', which by itself goes through whatever proxy the environment names, follows redirects and
    reads as long as something comes.
    """
    session.trust_env = False
    session.max_redirects = 0  # our secret and the person's token would go along
    session.stream = True
    session.hooks["response"].append(_read)
    return session


def _read(response: Any, **_kwargs: Any) -> None:
    """The body, piece by piece as it comes, so that neither its size nor its slowness is the other side's choice."""
    ends, pieces, size = monotonic() + _SECONDS, [], 0
    try:
        while piece := response.raw.read1(_CHUNK, decode_content=True):
            pieces.append(piece)
            size += len(piece)
            if size > _LARGEST_BODY or monotonic() > ends:
                raise OSError("the answer is too large, or too slow")
    except Exception as error:  # urllib3's own, which requests would have made one of the system's
        response.close()
        raise OSError(f"{type(error).__name__}: {error}") from error
    response._content = b"".join(pieces)  # what requests keeps where it has read everything itself
