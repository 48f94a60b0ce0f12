"""Whether the doors tell by time who exists: known and unknown people in turn, each tried once.

Through Django's client, with all middleware and in one process, so that no network hides what there is to see.
"""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable
from statistics import median
from time import perf_counter

from django.contrib.auth.hashers import make_password
from django.core.cache import cache
from django.core.management import call_command
from django.test import Client
from django.test.utils import override_settings
from django.urls import reverse
from stdnum.it import codicefiscale

from bench import scene
from bench.report import Report
from members import access
from members.models import Member, User

_TRIES = 500
_LETTERS = "ABCDEHLMPRST"
Door = Callable[[str], dict[str, str]]
_DOORS: dict[str, Door] = {
    "account_login": lambda code: {"login": code, "password": "Sbagliata-di-sicuro-1"},
    "members:password_forgotten": lambda code: {"identifier": code},
    "members:first_access": lambda code: {"tax_code": code, "code": "0000-0000-0000"},
}


def enumeration(report: Report) -> None:
    """The middle of what each costs; of a member with an account, and of one who never had any."""
    logging.disable(logging.WARNING)
    call_command("collectstatic", verbosity=0, interactive=False)
    scene.clear()
    known, unknown = _codes("RSSMRA", 2 * _TRIES), _codes("ZZZQQQ", _TRIES)
    members = _members(known)
    _give_accounts(members[:_TRIES])
    scene.tidy()
    with override_settings(ALLOWED_HOSTS=["127.0.0.1"]):
        for name, body in _DOORS.items():
            times = _times(name, body, known[:_TRIES], known[_TRIES:], unknown)
            report.fact(f"{name}, unknown: ms", f"{times[2] * 1000:.2f}")
            for what, taken in zip(("with", "without"), times, strict=False):
                ratio = taken / times[2]
                report.at_most(f"{name}: somebody {what} an account against nobody", max(ratio, 1 / ratio), 1.05)
    logging.disable(logging.NOTSET)


def _times(name: str, body: Door, *codes: list[str]) -> list[float]:
    """For each kind of people the middle of what their tries took, all taken in turn."""
    address = reverse(name)
    taken: list[list[float]] = [[] for _kind in codes]
    for turn in range(_TRIES):
        # Whoever comes second finds caches warm and pages read: each kind is first as often as the others.
        order = [(turn + kind) % len(codes) for kind in range(len(codes))]
        for kind in order:
            taken[kind].append(_one(address, body(codes[kind][turn]), f"10.{kind}.{turn % 200}.{turn // 200 + 1}"))
    return [median(each) for each in taken]


def _one(address: str, body: dict[str, str], caller: str) -> float:
    """One try, by somebody who has never tried before."""
    cache.clear()
    client = Client(REMOTE_ADDR=caller, headers={"Host": "127.0.0.1"})
    gc.collect(0)
    began = perf_counter()
    answer = client.post(address, body)
    took = perf_counter() - began
    assert answer.status_code in (200, 302), answer.status_code
    return took


def _members(codes: list[str]) -> list[Member]:
    members = list(Member.objects.filter(pk__in=scene.members(len(codes))).select_related("ordine").order_by("pk"))
    for member, code in zip(members, codes, strict=True):
        member.tax_code = code
    Member.objects.bulk_update(members, ["tax_code"])
    return members


def _give_accounts(members: list[Member]) -> None:
    """A password, and a printed code that has not been used."""
    hashed = make_password("Una-password-giusta-1")
    for member in members:
        member.user = User.objects.create(username=f"bench-{member.pk}", password=hashed)
        member.save(update_fields=["user"])
        access.print_code(member, scene.BENCH)


def _codes(letters: str, number: int) -> list[str]:
    """Valid codici fiscali, none like another."""
    plain = (f"{letters}{n // 10 % 100:02}{_LETTERS[n % 12]}01{'AB'[n // 1000]}{n % 1000:03}" for n in range(number))
    return [code + codicefiscale.calc_check_digit(code) for code in plain]


MEASURES = [enumeration]
