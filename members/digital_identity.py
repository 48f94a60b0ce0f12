"""From the button to the proven codice fiscale: OpenID Connect with the gateway of SPID or CIE.

allauth sends people off, with PKCE and a state that their session keeps, and fetches the token. What it leaves open is
closed here: a nonce, the token's signature, the level, and that the gateway is the one that was asked. Nothing of what
the gateway tells is kept but the ``Identity``.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

import jwt
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter, get_adapter
from allauth.socialaccount.models import SocialApp
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.conf import settings
from django.core.cache import cache
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.urls import reverse

from members import tax_codes
from members.gateway_session import within_limits
from members.gateways import Gateway
from members.identity_problems import IdentityRefused, Problem, told_by_gateway

# By a private key of the gateway's, never by a secret that is ours too.
ALGORITHMS = [f"{family}{bits}" for family in ("RS", "PS", "ES") for bits in (256, 384, 512)]
CLOCK_SECONDS = 60  # how far the gateway's clock may be from ours
AWAY_SECONDS = 10
_PREFIX = "TINIT-"
_CALLED = ("token_endpoint", "jwks_uri", "userinfo_endpoint")
_ENDPOINTS = ("authorization_endpoint", *_CALLED)


@dataclass(frozen=True)
class Identity:
    """Who somebody has proved to be, where, and how well."""

    tax_code: str
    gateway: str
    level: str
    issuer: str

    @property
    def evidence(self) -> dict[str, Any]:
        """For the log and the session, which say how but not who."""
        return {"gateway": self.gateway, "level": self.level, "issuer": self.issuer}


@dataclass(frozen=True)
class Journey:
    """What somebody went to the gateway for: to come in, or ``confirming`` that it is still them. Kept by the session,
    with what only the true answer fits.
    """

    confirming: bool
    next_url: str
    nonce: str
    verifier: str
    left_at: int


def depart(request: HttpRequest, gateway: Gateway, *, confirming: bool, next_url: str) -> str:
    """The gateway's address to send this browser to."""
    nonce = secrets.token_urlsafe(32)
    with _missed(gateway), _talking():
        answer = _Provider(request, gateway).redirect(
            request,
            process="login",
            data={"confirming": confirming, "next_url": next_url, "nonce": nonce, "left_at": int(time.time())},
            scope=["openid"],
            auth_params={
                "acr_values": settings.IDENTITY_ACR_VALUES[0],
                # Whoever sits there now, not whoever the gateway remembers.
                "prompt": "login",
                "max_age": "0",
                "claims": json.dumps({"userinfo": dict.fromkeys(settings.IDENTITY_TAX_CODE_CLAIMS)}),
                **gateway.extra,
                "nonce": nonce,
            },
        )
    return str(answer["Location"])


def returning(request: HttpRequest, gateway: Gateway) -> Journey | None:
    """The journey to this gateway that ends here; told once, and to the session that began it."""
    try:
        kept = _Provider(request, gateway).unstash_redirect_state(request, request.GET.get("state", ""))
    except PermissionDenied:
        return None
    return Journey(**kept["data"], verifier=kept["pkce_code_verifier"])


def arrive(request: HttpRequest, gateway: Gateway, journey: Journey | None) -> Identity:
    """Whom the gateway sends back. ``IdentityRefused`` for everybody else."""
    if error := request.GET.get("error"):
        raise IdentityRefused(told_by_gateway(error, request.GET.get("error_description", "")), error[:100])
    if journey is None or not request.GET.get("code"):
        raise IdentityRefused(Problem.EXPIRED)
    if request.GET.get("iss", gateway.issuer).rstrip("/") != gateway.issuer.rstrip("/"):
        raise IdentityRefused(Problem.NOT_TRUSTED, "the answer names another issuer")
    adapter = GatewayAdapter(request, gateway)
    with _talking():
        tokens = adapter.exchange(journey.verifier)
        claims = adapter.verified(tokens["id_token"], nonce=journey.nonce)
        _require_freshness(claims.get("auth_time"), journey)
        level = claims.get("acr")
        if level not in settings.IDENTITY_ACR_VALUES:
            raise IdentityRefused(Problem.LEVEL, str(level)[:100])
        tax_code = _tax_code(claims) or _tax_code(adapter.told_about(claims["sub"], tokens["access_token"]))
    if not tax_code:
        raise IdentityRefused(Problem.NO_TAX_CODE)
    return Identity(tax_code, gateway.name, str(level), gateway.issuer)


# --- The gateway, in allauth's words ----------------------------------------------------------------------------------
class _Provider(OpenIDConnectProvider):  # type: ignore[misc]  # allauth is not typed
    """Made from the settings for each request: nothing of it is in the database."""

    def __init__(self, request: HttpRequest, gateway: Gateway) -> None:
        self.gateway = gateway
        app = SocialApp(
            provider=self.id,
            provider_id=gateway.key,
            name=gateway.name,
            client_id=gateway.client_id,
            secret=gateway.client_secret,
            settings={"server_url": gateway.issuer.rstrip("/"), "oauth_pkce_enabled": True},
        )
        super().__init__(request, app=app)

    def get_oauth2_adapter(self, request: HttpRequest) -> GatewayAdapter:
        return GatewayAdapter(request, self.gateway)


class SocialAccountAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]  # allauth is not typed
    def get_requests_session(self) -> Any:
        return within_limits(super().get_requests_session())


class GatewayAdapter(OpenIDConnectOAuth2Adapter):  # type: ignore[misc]  # allauth is not typed
    def __init__(self, request: HttpRequest, gateway: Gateway) -> None:
        super().__init__(request, gateway.key)
        self.gateway = gateway

    @cached_property
    def provider(self) -> _Provider:
        return _Provider(self.request, self.gateway)

    def get_provider(self) -> _Provider:
        return self.provider

    def get_callback_url(self, request: HttpRequest, app: SocialApp) -> str:
        """The address that the gateway knows, whatever name the request came by."""
        return f"{settings.PORTAL_URL}{reverse('members:identity_return', args=[self.gateway.key])}"

    @cached_property
    def openid_config(self) -> dict[str, Any]:
        """What the gateway says of itself, as long as it says to be the one that was configured."""
        config: dict[str, Any] = super().openid_config
        if config["issuer"].rstrip("/") != self.gateway.issuer.rstrip("/"):
            raise IdentityRefused(Problem.NOT_TRUSTED, "the gateway gives itself another name")
        scheme = "https://" if self.gateway.issuer.startswith("https://") else ("http://", "https://")
        if not all(config[name].startswith(scheme) for name in _ENDPOINTS if name in config):
            raise IdentityRefused(Problem.NOT_TRUSTED, "an address of the gateway is not https")
        # Where people are sent is their browser's business; where we go ourselves is the gateway and nowhere else.
        hosts = {urlsplit(config[name]).hostname for name in _CALLED if name in config}
        if not hosts <= {urlsplit(self.gateway.issuer).hostname, *settings.IDENTITY_OTHER_HOSTS}:
            raise IdentityRefused(Problem.NOT_TRUSTED, f"the gateway sends us elsewhere: {sorted(map(str, hosts))}")
        return config

    def exchange(self, verifier: str) -> dict[str, Any]:
        """The tokens for the code in the address, which is good once."""
        app = self.provider.app
        tokens: dict[str, Any] = self.get_access_token_data(
            self.request, app, self.get_client(self.request, app), pkce_code_verifier=verifier
        )
        return tokens

    def verified(self, id_token: str, *, nonce: str) -> dict[str, Any]:
        """The claims of a token that this gateway signed, for us, now, and for this very journey."""
        client_id = self.gateway.client_id
        claims: dict[str, Any] = jwt.decode(
            id_token,
            self._key_of(id_token),
            algorithms=ALGORITHMS,
            audience=client_id,
            issuer=self.openid_config["issuer"],
            leeway=CLOCK_SECONDS,
            options={"require": ["iss", "aud", "sub", "exp", "iat"]},
        )
        if claims.get("nonce") != nonce:
            raise IdentityRefused(Problem.NOT_TRUSTED, "the token has another nonce")
        alone = claims["aud"] in (client_id, [client_id])
        if claims.get("azp", client_id if alone else None) != client_id:
            raise IdentityRefused(Problem.NOT_TRUSTED, "the token is for others, too")
        return claims

    def told_about(self, subject: str, access_token: str) -> dict[str, Any]:
        """What the gateway tells of this person apart from the token."""
        claims = self._read(self.openid_config["userinfo_endpoint"], {"Authorization": f"Bearer {access_token}"})
        if claims.get("sub") != subject:
            raise IdentityRefused(Problem.NOT_TRUSTED, "the gateway tells of somebody else")
        return claims

    def _key_of(self, id_token: str) -> Any:
        """The key the token says it is signed with; where it says none, the only one there is."""
        name = jwt.get_unverified_header(id_token).get("kid")
        keys = [
            key
            for key in jwt.PyJWKSet.from_dict(self._read(self.openid_config["jwks_uri"])).keys
            if key.public_key_use != "enc"
        ]
        found = [key for key in keys if key.key_id == name] if name else keys
        if len(found) != 1:
            raise IdentityRefused(Problem.NOT_TRUSTED, "the gateway has no such key")
        return found[0].key

    def _read(self, address: str, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
        # allauth's session has the timeouts of SOCIALACCOUNT_REQUESTS_TIMEOUT.
        with get_adapter().get_requests_session() as session:
            response = session.get(address, headers=headers)
            response.raise_for_status()
            told: dict[str, Any] = response.json()
        return told


@contextmanager
def _missed(gateway: Gateway) -> Iterator[None]:
    """Once a gateway has not answered, nobody waits for it for a moment: each would hold a process of the portal's."""
    key = f"gateway-away:{gateway.issuer}"
    if cache.get(key):
        raise IdentityRefused(Problem.DOWN, "it did not answer a moment ago")
    try:
        yield
    except IdentityRefused as refused:
        if refused.problem is Problem.DOWN:
            cache.set(key, True, AWAY_SECONDS)
        raise


@contextmanager
def _talking() -> Iterator[None]:
    """What may go wrong while we talk with the gateway, or read what it said."""
    try:
        yield
    except OAuth2Error as error:  # no token for this code
        raise IdentityRefused(Problem.REFUSED, _words(error)) from error
    except OSError as error:  # every error of requests is one
        raise IdentityRefused(Problem.DOWN, _words(error)) from error
    except (jwt.PyJWTError, ValueError, KeyError, TypeError, AttributeError) as error:  # not what the standard says
        raise IdentityRefused(Problem.NOT_TRUSTED, _words(error)) from error


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:200]


# --- What it tells ----------------------------------------------------------------------------------------------------
def _require_freshness(at: Any, journey: Journey) -> None:
    """Somebody who was still in at the gateway has proved nothing now. One that does not say when is believed by those
    who come in, where its level stands for it, and not by those who confirm.
    """
    if at is None and not journey.confirming:
        return
    if not isinstance(at, int | float) or at < journey.left_at - CLOCK_SECONDS:
        raise IdentityRefused(Problem.NOT_TRUSTED, "the gateway asked nobody who they are")


def _tax_code(claims: Mapping[str, Any]) -> str:
    """The codice fiscale among the claims, as the register writes it. SPID puts ``TINIT-`` before it."""
    for name in settings.IDENTITY_TAX_CODE_CLAIMS:
        told = claims.get(name)
        if isinstance(told, list) and len(told) == 1:
            told = told[0]
        if isinstance(told, str) and tax_codes.is_valid(code := tax_codes.normalise(told).removeprefix(_PREFIX)):
            return code
    return ""
