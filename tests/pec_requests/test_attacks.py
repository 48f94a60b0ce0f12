"""Ways in which somebody, or bad luck, once got at a mailbox; each stays closed."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable
from typing import Any

import pytest
import structlog
from django.conf import settings as django_settings
from django.db.models.functions import Now
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from post_office.models import Email

from members import access
from members.models import Member
from pec_requests import health, lifecycle, operations, recovery
from pec_requests.models import PecDomain, PecRequest, ProviderHealth, ProviderOperation
from pec_requests.performing import AddressTaken, perform
from pec_requests.provider import ProviderError, provider
from pec_requests.recovery import LinkState
from pec_requests.settling import settle
from pec_requests.states import IllegalMove, Kind
from tests.factories import PASSWORD, MemberFactory, UserFactory, staff
from tests.pec_requests.conftest import STAFF
from tests.pec_requests.test_lifecycle import operations as told
from tests.pec_requests.test_lifecycle import ready
from tests.pec_requests.test_recovery import ask
from tests.sandbox_process import SandboxProcess

pytestmark = pytest.mark.django_db
Work = Callable[[], int]
State = ProviderOperation.State


def again(pec: PecRequest) -> PecRequest:
    return lifecycle.request_pec([pec.member_id], pec.domain, STAFF).created[0]


@pytest.mark.parametrize("state", [State.WAITING, State.ATTENTION])
def test_an_old_closing_does_not_destroy_a_new_requests_mailbox(
    pec: PecRequest, work: Work, aruba: SandboxProcess, state: State
) -> None:
    work()
    lifecycle.decide([pec.pk], "cancel", STAFF, reason="x")
    pec.operations.filter(kind=Kind.CLOSE).update(
        state=state, finished_at=None if state in ProviderOperation.OPEN else Now()
    )
    new = again(pec)
    work()
    lifecycle.retry_operations(pec.operations.values_list("pk", flat=True), STAFF)
    work()
    new.refresh_from_db()
    assert (new.status, new.address) == ("NON_ATTIVO", pec.address)
    assert aruba.account(pec.address)
    assert "cancellation" not in aruba.calls()


def test_a_closing_under_way_comes_before_the_new_creation(pec: PecRequest, work: Work, aruba: SandboxProcess) -> None:
    work()
    lifecycle.decide([pec.pk], "cancel", STAFF, reason="x")
    claim = operations.claim(10, "lento")[0]
    new = again(pec)
    assert operations.claim(10, "svelto") == []
    ProviderOperation.objects.filter(pk=claim.operation.pk).update(
        state=State.WAITING, look_first=True, not_before=timezone.now()
    )
    work()
    new.refresh_from_db()
    assert new.status == "NON_ATTIVO"
    assert aruba.calls()["cancellation"] == {pec.address: 1}
    assert aruba.account(pec.address)


def test_a_creation_refused_after_the_end_is_not_offered_again(
    pec: PecRequest, work: Work, aruba: SandboxProcess
) -> None:
    aruba.fault("create", "status", 400, times=1)
    claim = operations.claim(1, "lento")[0]
    lifecycle.decide([pec.pk], "cancel", STAFF, reason="x")

    with pytest.raises(ProviderError) as refusal:
        perform(claim, provider())
    settle(claim, refusal.value)
    work()
    assert told(pec) == [("CREATE", "WITHDRAWN"), ("CLOSE", "DONE")]
    assert aruba.account(pec.address) is None


def test_a_retry_of_what_an_ended_request_wanted_creates_nothing(
    pec: PecRequest, work: Work, aruba: SandboxProcess
) -> None:
    lifecycle.decide([pec.pk], "cancel", STAFF, reason="x")
    pec.operations.update(state=State.ATTENTION, finished_at=Now())
    lifecycle.retry_operations(pec.operations.values_list("pk", flat=True), STAFF)
    work()
    assert told(pec) == [("CREATE", "WITHDRAWN")]
    assert aruba.accounts() == []


def test_a_new_portal_password_voids_a_thiefs_recovery_link(pec: PecRequest) -> None:
    secret = ask(ready(pec), "ladro@example.com")
    user = pec.member.user
    assert user
    user.set_password("Un-altra-password-2")
    user.save()
    assert recovery.confirm(secret, STAFF).state is LinkState.OUTLIVED
    assert recovery.pending(pec) is None


def test_the_member_can_take_a_wish_back(pec: PecRequest, client: Client) -> None:
    secret = ask(ready(pec))
    assert pec.member.user
    client.force_login(pec.member.user)
    page = client.post(reverse("pec_requests:drop-recovery", args=[pec.public_id]), follow=True).content.decode()
    assert "è stato ritirato" in page
    assert recovery.inspect(secret).state is LinkState.WITHDRAWN


@pytest.mark.parametrize("who", ["federation", "colleague"])
def test_the_office_cannot_enter_as_a_colleague(member: Member, who: str) -> None:
    member.user = UserFactory(is_superuser=True) if who == "federation" else staff(member.ordine)
    member.save()
    for way_in in (access.print_code, access.invite):
        with pytest.raises(access.AccessRefused, match="lavora anche in segreteria"):
            way_in(member, STAFF)


def test_whose_email_the_office_replaces_is_told_at_the_old_one(member: Member) -> None:
    old, member.personal_email = member.personal_email, "altra@example.com"
    access.tell_email_replaced(member, old)
    assert Email.objects.get().to == [old]


def test_a_provider_that_refuses_every_address_does_not_burn_them_for_ever(pec: PecRequest, settings: Any) -> None:
    settings.OPERATION_MAX_ATTEMPTS = 3
    for _answer in range(5):
        for claim in operations.claim(1, "prova"):
            settle(claim, AddressTaken())
    assert pec.operations.get().state == State.ATTENTION
    assert PecRequest.objects.get().address == "mario.rossi3@tsrm.org"


def test_a_new_recovery_email_mends_a_refused_creation(pec: PecRequest) -> None:
    pec.operations.update(state=State.ATTENTION, last_error="email non valida", finished_at=Now())
    recovery.confirm(ask(pec), STAFF)
    pec.refresh_from_db()
    assert pec.recovery_email == "nuova@example.com"
    assert told(pec) == [("CREATE", "WAITING")]


def test_what_nobody_has_tried_yet_can_be_given_up(pec: PecRequest, work: Work) -> None:
    work()
    lifecycle.decide([pec.pk], "accept", STAFF)
    assert not lifecycle.can_drop(pec.operations.latest("id"))  # the member's word is not the office's to take back
    work()
    lifecycle.decide([pec.pk], "close", STAFF, reason="errore")
    closing = pec.operations.latest("id")
    lifecycle.drop_operation(closing.pk, STAFF)
    work()
    pec.refresh_from_db()
    assert pec.status == "ATTIVO"
    with pytest.raises(IllegalMove):
        lifecycle.drop_operation(pec.operations.filter(kind=Kind.ACTIVATE).get().pk, STAFF)


def test_an_outage_that_answers_html_burns_no_attempts_once_known(
    pec: PecRequest, work: Work, aruba: SandboxProcess, settings: Any
) -> None:
    settings.BREAKER_THRESHOLD, settings.OPERATION_MAX_ATTEMPTS, settings.BREAKER_SECONDS = 3, 5, 0
    aruba.fault("*", "garbage", 200)
    for _turn in range(8):
        for claim in operations.claim(1, "prova"):
            with pytest.raises(ProviderError) as error:
                perform(claim, provider())
            settle(claim, error.value)
            ProviderHealth.objects.update(open_until=None if health.current().state == "CLOSED" else pec.requested_at)
    assert health.current().state == ProviderHealth.State.OPEN
    assert pec.operations.get().state == State.WAITING


@pytest.mark.parametrize("query", ["province=%00", "q=%00", "enrolments__status__exact=%00"])
def test_a_nul_in_an_address_is_a_bad_request(member: Member, client: Client, query: str) -> None:
    client.force_login(staff(member.ordine))
    assert client.get(f"/admin/members/member/?{query}").status_code == 400


def test_digits_that_are_none_are_no_ids(member: Member, client: Client) -> None:
    client.force_login(staff(member.ordine))
    assert client.get(reverse("admin:members_member_request_pec"), {"ids": "²"}).status_code == 200


def test_live_links_and_codes_never_stand_in_a_log_line(member: Member) -> None:
    formatter = structlog.stdlib.ProcessorFormatter(
        **{k: v for k, v in django_settings.LOGGING["formatters"]["line"].items() if k != "()"}
    )
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    logger = logging.Logger("prova")
    logger.addHandler(handler)
    for path in ("/invito/segreto-di-prova/", "/pec/non-sono-stato-io/12.segreto-di-prova/"):
        logger.warning("Forbidden: %s di %s", path, member.tax_code)
    assert "segreto-di-prova" not in stream.getvalue()
    assert member.tax_code not in stream.getvalue()
    assert "/invito/" in stream.getvalue()


def test_a_very_long_name_does_not_stop_the_log(client: Client) -> None:
    member = MemberFactory(user=UserFactory(first_name="N" * 150, last_name="C" * 150))
    response = client.post("/accedi/", {"login": member.tax_code, "password": PASSWORD})
    assert response.status_code == 302
    assert PecDomain.objects.exists()


def test_an_expired_session_reloads_the_page_and_not_a_part_of_it(pec: PecRequest, client: Client) -> None:
    for name in ("status", "panel-status"):
        response = client.get(reverse(f"pec_requests:{name}", args=[pec.public_id]))
        assert (response.status_code, response["HX-Refresh"]) == (204, "true")


def test_staff_see_that_the_provider_is_away(member: Member, client: Client) -> None:
    client.force_login(staff(member.ordine))
    assert "Gestore PEC" not in client.get("/admin/").content.decode()
    ProviderHealth.objects.update_or_create(pk=1, defaults={"state": "STOPPED", "reason": "Credenziali rifiutate."})
    assert "Credenziali rifiutate." in client.get("/admin/").content.decode()
