"""Whether somebody has just proved who they are: asked before an act that could give an account away.

A session is not enough: it may be one that was left open on another's telephone. ``has_just_proved`` is the one place
that answers. Typing the portal's password again proves it; whatever else comes to prove it calls ``remember``.
"""

from __future__ import annotations

import time
from typing import cast

from django.http import HttpRequest

from members.models import User

_KEY = "proved_at"
# Time to read what the form answers, and to send it again.
SECONDS = 300


def has_just_proved(request: HttpRequest) -> bool:
    """Whether this session's user has proved it within ``SECONDS``, and has not used it up."""
    return 0 <= time.time() - float(request.session.get(_KEY, 0)) < SECONDS


def by_password(request: HttpRequest, password: str) -> bool:
    """The portal's password, typed again: remembered where it is right."""
    if not cast(User, request.user).check_password(password):
        return False
    remember(request)
    return True


def remember(request: HttpRequest) -> None:
    """It has been proved now; from here on under another key, of which whoever had the last one has nothing."""
    request.session.cycle_key()
    request.session[_KEY] = time.time()


def use_up(request: HttpRequest) -> None:
    """One proof is good for one act."""
    request.session.pop(_KEY, None)
