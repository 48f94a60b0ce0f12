"""Addresses: how they are written, and that none is ever given to a second person."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django_scopes import scopes_disabled
from hypothesis import given
from hypothesis import strategies as st

from members.models import Member
from pec_requests import addresses, lifecycle
from pec_requests.addresses import local_part
from pec_requests.models import PecDomain, PecRequest, ReservedAddress
from tests.factories import MemberFactory
from tests.pec_requests.conftest import STAFF


@pytest.mark.parametrize(
    ("name", "surname", "expected"),
    [
        ("Mario", "Rossi", "mario.rossi"),
        ("Maria Chiara", "Dal Pozzo Sforza", "mariachiara.dalpozzosforza"),
        ("Anna", "D'Angelo", "anna.dangelo"),
        ("Jörg", "Müller", "jorg.muller"),
        ("Dario", "Fò", "dario.fo"),
        ("Łukasz", "Strauß", "lukasz.strauss"),
        ("Anna-Maria", "De’ Rossi", "annamaria.derossi"),
        ("Zoë", "Ñandú", "zoe.nandu"),
        ("-", "Rossi", ""),
    ],
)
def test_local_part(name: str, surname: str, expected: str) -> None:
    assert local_part(name, surname) == expected


@given(st.text(min_size=1, max_size=80), st.text(min_size=1, max_size=80))
def test_a_local_part_is_always_well_formed(name: str, surname: str) -> None:
    local = local_part(name, surname)
    if local:
        first, dot, last = local.partition(".")
        assert dot
        assert (first + last).isascii()
        assert (first + last).isalnum()
        assert (first + last).islower() or (first + last).isdigit()
        assert len(local) <= addresses.LOCAL_PART_LIMIT - 4


@pytest.mark.django_db
def test_homonyms_get_numbers(member: Member, domain: PecDomain) -> None:
    people = [member, MemberFactory(ordine=member.ordine), MemberFactory(ordine=member.ordine)]
    created = lifecycle.request_pec([m.pk for m in people], domain, STAFF).created
    assert [r.address for r in created] == ["mario.rossi@tsrm.org", "mario.rossi2@tsrm.org", "mario.rossi3@tsrm.org"]


@pytest.mark.django_db
def test_a_used_up_address_goes_back_only_to_the_same_person(
    member: Member, domain: PecDomain, pec: PecRequest
) -> None:
    lifecycle.decide([pec.pk], "cancel", STAFF, reason="errore")
    other = MemberFactory(ordine=member.ordine)
    assert lifecycle.request_pec([other.pk], domain, STAFF).created[0].address == "mario.rossi2@tsrm.org"
    assert lifecycle.request_pec([member.pk], domain, STAFF).created[0].address == "mario.rossi@tsrm.org"


@pytest.mark.django_db
def test_the_other_domain_is_another_namespace(member: Member, pec: PecRequest) -> None:
    other = MemberFactory(ordine=member.ordine)
    domain = PecDomain.objects.get(name="tsrm-pstrp.org")
    assert lifecycle.request_pec([other.pk], domain, STAFF).created[0].address == "mario.rossi@tsrm-pstrp.org"


def in_threads(*calls: Callable[[], Any]) -> list[Exception]:
    """Run the calls at the same moment, each in a thread and a connection of its own; return what they raised."""
    errors: list[Exception] = []
    together = threading.Barrier(len(calls))

    def run(call: Callable[[], Any]) -> None:
        try:
            together.wait(10)
            with scopes_disabled():
                call()
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[call]) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return errors


@pytest.mark.django_db(transaction=True)
def test_two_staff_ask_for_two_homonyms_at_once() -> None:
    one = MemberFactory()
    two = MemberFactory(ordine=one.ordine)
    domain = PecDomain.objects.get(name="tsrm.org")
    errors = in_threads(
        lambda: lifecycle.request_pec([one.pk], domain, STAFF), lambda: lifecycle.request_pec([two.pk], domain, STAFF)
    )
    assert not errors
    assert set(PecRequest.objects.values_list("address", flat=True)) == {
        "mario.rossi@tsrm.org",
        "mario.rossi2@tsrm.org",
    }


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("locked", [True, False])
def test_two_ordini_ask_for_homonyms_while_neither_has_finished(monkeypatch: pytest.MonkeyPatch, locked: bool) -> None:
    """The race is real: with the lock on the domain taken away the second has the same address in mind, and fails."""
    one, two = MemberFactory(), MemberFactory()
    assert one.ordine_id != two.ordine_id
    domain = PecDomain.objects.get(name="tsrm.org")
    if not locked:
        monkeypatch.setattr(addresses, "lock", lambda domain: None)
    errors: list[list[Exception]] = []
    with transaction.atomic():
        lifecycle.request_pec([one.pk], domain, STAFF)
        second = threading.Thread(
            target=lambda: errors.append(in_threads(lambda: lifecycle.request_pec([two.pk], domain, STAFF)))
        )
        second.start()
        until(lambda: waiting_for_locks() == 1)
    second.join(30)
    assert [[type(error) for error in some] for some in errors] == [[] if locked else [IntegrityError]]
    found = set(ReservedAddress.objects.values_list("address", flat=True))
    assert found == {"mario.rossi@tsrm.org", "mario.rossi2@tsrm.org"} if locked else {"mario.rossi@tsrm.org"}


def waiting_for_locks() -> int:
    """How many sessions of this database wait for what another has locked."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return int(cursor.fetchone()[0])


def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    """Wait for a condition, not for a time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.02)


@pytest.mark.django_db
def test_numbers_go_on_from_one_part_of_a_large_set_to_the_next(
    member: Member, domain: PecDomain, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lowest that are free, whoever has the others: gaps are filled, the old holder comes back to the old one."""
    monkeypatch.setattr(lifecycle, "_SOME", 2)
    people = [member, *(MemberFactory(ordine=member.ordine) for _n in range(5))]
    ReservedAddress.objects.create(address="mario.rossi3@tsrm.org", member=people[4])
    ReservedAddress.objects.create(address="mario.rossi@tsrm.org", member=None)
    created = lifecycle.request_pec([m.pk for m in reversed(people)], domain, STAFF).created
    assert [r.address.removesuffix("@tsrm.org").removeprefix("mario.rossi") for r in created] == [
        "2",
        "4",
        "5",
        "6",
        "3",
        "7",
    ]
    assert [r.member_id for r in created] == [m.pk for m in people]


@pytest.mark.django_db(transaction=True)
def test_the_same_member_requested_twice_at_once_has_one_request() -> None:
    member = MemberFactory()
    domain = PecDomain.objects.get(name="tsrm.org")
    errors = in_threads(*[lambda: lifecycle.request_pec([member.pk], domain, STAFF)] * 2)
    assert not errors
    assert PecRequest.objects.count() == 1
