"""The morning's mail to the office: its own figures, where there are any, and one a day."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import time_machine
from django.test import Client
from django.utils import timezone
from post_office.models import Email

from members.models import Member, Ordine
from pec_requests import digests, health, lifecycle
from pec_requests.models import Difference, Digest, PecDomain, PecRequest
from pec_requests.states import Kind
from tests.factories import MemberFactory, OrdineFactory, staff
from tests.pec_requests.conftest import STAFF
from tests.pec_requests.test_lifecycle import ready
from tests.pec_requests.test_reminders import elsewhere

pytestmark = pytest.mark.django_db


def requested(member: Member, domain: PecDomain, count: int) -> list[PecRequest]:
    """Caselle that wait to be accepted."""
    members = [MemberFactory(ordine=member.ordine).pk for _n in range(count)]
    return [ready(made) for made in lifecycle.request_pec(members, domain, STAFF).created]


def test_an_office_reads_what_is_its_own(member: Member, domain: PecDomain, client: Client) -> None:
    ordine, yesterday = member.ordine, timezone.now() - timedelta(days=1)
    accepted, refused, forgotten, earlier, _fresh = requested(member, domain, 5)
    lifecycle.decide([accepted.pk, earlier.pk], "accept", STAFF)
    lifecycle.decide([refused.pk], "refuse", STAFF)
    refused.operations.all().delete()
    PecRequest.objects.filter(pk__in=[accepted.pk, refused.pk]).update(status_at=yesterday)
    PecRequest.objects.filter(pk=accepted.pk).update(accepted_at=yesterday)
    PecRequest.objects.filter(pk=earlier.pk).update(accepted_at=yesterday - timedelta(days=1))
    PecRequest.objects.filter(pk=forgotten.pk).update(status_at=timezone.now() - timedelta(days=26))
    earlier.operations.filter(kind=Kind.ACTIVATE).update(state="DONE", finished_at=yesterday)
    accepted.operations.filter(kind=Kind.ACTIVATE).update(state="ATTENTION", finished_at=yesterday)
    Difference.objects.create(kind="STATUS", address=accepted.address, request=accepted, member=accepted.member)
    other = OrdineFactory()
    assert digests.send_due() == 1 and digests.send_due() == 0
    mail = Email.objects.get()
    assert mail.to == [ordine.email] and mail.from_email.startswith("Albo PEC") and ordine.short_name in mail.subject
    assert "List-Unsubscribe" not in mail.headers
    for words in (
        "Accettate 1, rifiutate 1, attivate 1.",
        "Richieste da verificare: 1.",
        "più di 25 giorni: 1.",
        "Differenze con il gestore: 1.",
    ):
        assert words in mail.message and words in mail.html_message
    assert "ALLARME" not in mail.message and accepted.member.surname not in mail.message
    client.force_login(staff(ordine))
    for link in re.findall(r"https?://[^/]+(/admin/\S+)", mail.message):
        assert client.get(link).status_code == 200
    assert not Digest.objects.filter(ordine=other).exists()
    # Tomorrow what happened today is yesterday's, and what stands is told again.
    with time_machine.travel(timezone.now() + timedelta(days=1), tick=False):
        assert digests.send_due() == 1
    assert "Accettate" not in Email.objects.latest("id").message


def test_where_there_is_nothing_there_is_no_mail(member: Member, domain: PecDomain) -> None:
    requested(member, domain, 1)
    assert digests.send_due() == 0 and not Digest.objects.exists()
    health.stop("credenziali")
    Ordine.objects.update(daily_digest=False)
    assert digests.send_due() == 0
    Ordine.objects.update(daily_digest=True, email="")
    assert digests.send_due() == 0
    Ordine.objects.update(email="segreteria@ordine.example")
    assert digests.send_due() == 1 and "ALLARME" in Email.objects.get().message


@pytest.mark.django_db(transaction=True)
def test_two_at_once_send_one() -> None:
    ordini = [OrdineFactory().pk for _n in range(3)]
    health.stop("credenziali")
    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(elsewhere, [digests.send_due] * 4)) == len(ordini)
    assert Email.objects.count() == len(ordini)
