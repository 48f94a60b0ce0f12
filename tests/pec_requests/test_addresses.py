"""Addresses: how they are written, and that none is ever given to a second person."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction
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
def test_without_the_lock_two_homonyms_would_collide(monkeypatch: pytest.MonkeyPatch) -> None:
    """The race is real: with the lock on the domain taken away, and both at the same point, one of two fails."""
    one = MemberFactory()
    two = MemberFactory(ordine=one.ordine)
    domain = PecDomain.objects.get(name="tsrm.org")
    both_have_looked = threading.Barrier(2)
    looked = addresses._taken

    def look_and_wait(*args: Any) -> Any:
        found = looked(*args)
        both_have_looked.wait(10)
        return found

    monkeypatch.setattr(addresses, "_taken", look_and_wait)
    monkeypatch.setattr(PecDomain.objects, "select_for_update", lambda **_kwargs: PecDomain.objects.all())

    def reserve(member: Member) -> None:
        with transaction.atomic():
            addresses.reserve([member], domain)

    assert len(in_threads(lambda: reserve(one), lambda: reserve(two))) == 1
    assert ReservedAddress.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_the_same_member_requested_twice_at_once_has_one_request() -> None:
    member = MemberFactory()
    domain = PecDomain.objects.get(name="tsrm.org")
    errors = in_threads(*[lambda: lifecycle.request_pec([member.pk], domain, STAFF)] * 2)
    assert not errors
    assert PecRequest.objects.count() == 1
