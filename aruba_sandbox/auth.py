"""The partner's tokens: signed, short-lived, refreshable, revocable all at once."""

import hmac
import secrets
from http import HTTPStatus

from django.conf import settings
from django.core import signing
from django.http import HttpRequest

from aruba_sandbox import clock
from aruba_sandbox.fields import Fields
from aruba_sandbox.wire import ApiError

ACCESS, REFRESH = "access", "refresh"
_SALT = "aruba_sandbox.auth"

_generation = secrets.token_hex(8)


def authenticate(body: Fields) -> dict[str, object]:
    """A pair of tokens for the partner's credentials."""
    given = f"{body.text('username')}\n{body.text('password')}"
    if not hmac.compare_digest(given.encode(), f"{settings.SANDBOX_USERNAME}\n{settings.SANDBOX_PASSWORD}".encode()):
        raise _unauthorised("Credenziali non valide.")
    return _pair()


def refresh(body: Fields) -> dict[str, object]:
    """A new pair for a refresh token that is still good."""
    _verify(body.text("refreshToken", most=4096), REFRESH)
    return _pair()


def require_token(request: HttpRequest) -> None:
    """Refuse a request without a good access token."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise _unauthorised("Token mancante.")
    _verify(token.strip(), ACCESS)


def revoke_all() -> None:
    """No token given so far is good any more."""
    global _generation
    _generation = secrets.token_hex(8)


def _pair() -> dict[str, object]:
    return {
        "accessToken": _token(ACCESS, settings.SANDBOX_TOKEN_SECONDS),
        "expiresIn": settings.SANDBOX_TOKEN_SECONDS,
        "refreshToken": _token(REFRESH, settings.SANDBOX_REFRESH_SECONDS),
        "refreshExpiresIn": settings.SANDBOX_REFRESH_SECONDS,
        "tokenType": "Bearer",
    }


def _token(kind: str, seconds: int) -> str:
    content = [kind, _generation, clock.now().timestamp() + seconds, secrets.token_hex(4)]
    return signing.dumps(content, salt=_SALT)


def _verify(token: str, wanted: str) -> None:
    try:
        kind, generation, expires_at, _ = signing.loads(token, salt=_SALT)
    except signing.BadSignature:
        raise _unauthorised("Token non valido.") from None
    if kind != wanted or generation != _generation:
        raise _unauthorised("Token non valido.")
    if expires_at <= clock.now().timestamp():
        raise _unauthorised("Token scaduto.")


def _unauthorised(description: str) -> ApiError:
    return ApiError(HTTPStatus.UNAUTHORIZED, description)
