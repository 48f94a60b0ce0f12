"""What the triggers of the lists write when two transactions meet: right in the end, and nobody shut out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial

import pytest
from django.db import OperationalError, connection, transaction
from django.db.models.functions import Now
from django_scopes import scopes_disabled

from members import albi
from members.models import Enrolment, Member
from pec_requests import lifecycle, operations, settling
from pec_requests.models import PecDomain, PecRequest
from pec_requests.performing import Done
from pec_requests.provider import Refused
from pec_requests.states import Kind
from tests.factories import MemberFactory
from tests.members.invented import line
from tests.members.test_import_races import run
from tests.pec_requests.conftest import STAFF
from tests.pec_requests.test_lifecycle import ready
from tests.pec_requests.test_lists import in_step
from tests.pec_requests.test_reconcile_runs import somebody_waits

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def pec(transactional_db: None) -> PecRequest:
    """A mailbox that the provider has made."""
    albi.install()
    member = MemberFactory()
    return ready(lifecycle.request_pec([member.pk], PecDomain.objects.get(name="tsrm.org"), STAFF).created[0])


@pytest.fixture(autouse=True)
def right_in_the_end() -> Iterator[None]:
    yield
    in_step()


def meanwhile(act: Callable[[], object]) -> Callable[[], object]:
    def elsewhere() -> object:
        try:
            with scopes_disabled():
                return act()
        finally:
            connection.close()

    return elsewhere


def meet(first: Callable[[], object], other: Callable[[], object], then: Callable[[], object]) -> None:
    """``first`` and ``then`` in a transaction; between them somebody else begins ``other``, and has to wait for us."""
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            first()
            waiting = pool.submit(meanwhile(other))
            while not waiting.done() and not somebody_waits():
                pass
            assert not waiting.done()
            then()
        waiting.result()


def lock(member: Member) -> None:
    Member.objects.select_for_update(no_key=True).get(pk=member.pk)


def leave(member: Member) -> None:
    """As an import does."""
    Enrolment.objects.filter(member=member).update(status="CANCELLATO")


def test_a_member_leaves_the_albo_while_staff_cancel_the_request(pec: PecRequest) -> None:
    cancel = partial(lifecycle.decide, [pec.pk], "cancel", STAFF, reason="x")
    meet(lambda: lock(pec.member), cancel, lambda: leave(pec.member))
    assert PecRequest.objects.get().status == "ANNULLATO"


def test_a_member_leaves_the_albo_while_a_worker_closes_the_mailbox(pec: PecRequest) -> None:
    lifecycle.decide([pec.pk], "accept", STAFF)
    settling.settle(operations.claim(1, "worker")[0], Done())
    lifecycle.decide([pec.pk], "close", STAFF, reason="x")
    [closing] = operations.claim(1, "worker")
    meet(lambda: lock(pec.member), lambda: settling.settle(closing, Done()), lambda: leave(pec.member))
    assert PecRequest.objects.get().status == "CESSATO"


def test_staff_retry_a_closing_that_a_new_request_withdraws(pec: PecRequest) -> None:
    lifecycle.decide([pec.pk], "cancel", STAFF, reason="x")
    closing = pec.operations.filter(kind=Kind.CLOSE)
    closing.update(state="ATTENTION", finished_at=Now())
    pks = list(closing.values_list("pk", flat=True))
    meet(
        lambda: PecRequest.objects.select_for_update().get(pk=pec.pk),
        lambda: lifecycle.request_pec([pec.member_id], pec.domain, STAFF),
        lambda: lifecycle.retry_operations(pks, STAFF),
    )
    assert closing.get().state == "WITHDRAWN"


def rename(member: Member) -> None:
    member.surname = "Verdi"
    member.save()


@pytest.mark.parametrize("renamed_first", [True, False])
def test_a_member_is_renamed_while_the_request_moves(pec: PecRequest, renamed_first: bool) -> None:
    acts = [lambda: rename(pec.member), lambda: lifecycle.decide([pec.pk], "refuse", STAFF)]
    first, other = acts if renamed_first else reversed(acts)
    meet(first, other, lambda: None)
    assert PecRequest.objects.get().sort == " verdi  mario"


def test_a_member_comes_back_while_the_provider_refuses(pec: PecRequest) -> None:
    """The one reason for which staff must look goes, another comes."""
    leave(pec.member)
    lifecycle.decide([pec.pk], "accept", STAFF)
    [claim] = operations.claim(1, "worker")
    back = partial(Enrolment.objects.filter(member=pec.member).update, status="ISCRITTO")
    meet(lambda: settling.settle(claim, Refused("no")), back, lambda: None)
    assert PecRequest.objects.get().needs_staff


def test_an_import_that_meets_somebody_in_a_circle_begins_again(pec: PecRequest) -> None:
    """It writes to requests in two statements, and whoever locks several in order may stand between them."""
    other = ready(lifecycle.request_pec([MemberFactory(ordine=pec.member.ordine).pk], pec.domain, STAFF).created[0])
    renamed, left = (line(n, Codice_fiscale=p.member.tax_code) for n, p in enumerate((pec, other)))
    bring = partial(run, [renamed | {"Cognome": "Verdi"}, left | {"Stato": "CANCELLATO"}], pec.member.ordine)
    requests = PecRequest.objects.select_for_update()
    # Who has waited longest is the first to ask whether there is a circle, and gives way: the import, unless this
    # thread was kept for a second on a busy machine. Then it is us, and the import goes on.
    with suppress(OperationalError):
        meet(lambda: requests.get(pk=other.pk), bring, lambda: requests.get(pk=pec.pk))
    assert list(PecRequest.objects.order_by("pk").values_list("sort", "needs_staff")) == [
        (" verdi  mario", False),
        (" rossi  mario", True),
    ]
