"""Limits on what a stranger may try: per address of the caller, and per person asked about, who exists or not."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass

from allauth.account.adapter import get_adapter
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Limit:
    """``times`` in ``seconds``, counted in fixed windows."""

    times: int
    seconds: int


@dataclass(frozen=True)
class Rule:
    """The two limits of one kind of attempt."""

    name: str
    per_caller: Limit
    per_person: Limit


PASSWORD_LINK = Rule("password-link", per_caller=Limit(20, 3600), per_person=Limit(3, 900))
PRINTED_CODE = Rule("printed-code", per_caller=Limit(30, 3600), per_person=Limit(5, 900))
# The password typed once more before a delicate act, and links asked for; how many mails a day, the database counts.
PROOF = Rule("proof", per_caller=Limit(60, 3600), per_person=Limit(10, 300))
MAILBOX_LINK = Rule("mailbox-link", per_caller=Limit(60, 3600), per_person=Limit(20, 900))
# Links in mails that were none: a caller who makes them up is not even told so any more.
WRONG_LINKS = Limit(30, 3600)


def allow(request: HttpRequest, rule: Rule, person: str) -> bool:
    """Count one attempt; False when it is one too many."""
    caller = get_adapter().get_client_ip(request)
    return _count(rule.name, "caller", caller, rule.per_caller) and _count(rule.name, "person", person, rule.per_person)


def may_open_links(request: HttpRequest) -> bool:
    """Whether this caller has not yet opened too many links that there are not."""
    key = _key("wrong-link", "caller", get_adapter().get_client_ip(request))
    return int(cache.get(key) or 0) < WRONG_LINKS.times


def count_wrong_link(request: HttpRequest) -> None:
    """The caller has opened a link that there is not."""
    _count("wrong-link", "caller", get_adapter().get_client_ip(request), WRONG_LINKS)


def refusal(request: HttpRequest, seconds: int = 300) -> HttpResponse:
    """The page that asks to wait."""
    response = render(request, "429.html", {"minutes": max(1, round(seconds / 60))}, status=429)
    response["Retry-After"] = str(seconds)
    return response


def _count(name: str, kind: str, who: str, limit: Limit) -> bool:
    """Without Redis nobody is counted: the codes are long, and a login has limits of its own."""
    key = _key(name, kind, who)
    try:
        cache.add(key, 0, limit.seconds)
        return int(cache.incr(key)) <= limit.times
    except ValueError:  # the window ended between the two calls
        return True
    except Exception:  # redis-py's errors have no common Django class
        logger.warning("throttle_off: the cache does not answer", exc_info=True)
        return True


def _key(name: str, kind: str, who: str) -> str:
    return f"throttle:{name}:{kind}:{hashlib.sha256(who.encode()).hexdigest()}"
