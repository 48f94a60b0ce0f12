"""What a claim costs: it reads what it takes and no more, whatever PostgreSQL knows of the queue."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from members.models import Member
from pec_requests import lifecycle, operations
from pec_requests.models import PecDomain
from tests.factories import MemberFactory
from tests.pec_requests.conftest import STAFF


def steps(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", []):
        yield from steps(inner)


def plan_of_a_claim(limit: int) -> list[dict[str, Any]]:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(operations._IN_ORDER)
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {operations._CLAIM}", [limit, "here", 60])
        return list(steps(cursor.fetchone()[0][0]["Plan"]))


@pytest.mark.django_db
@pytest.mark.parametrize("analysed", [False, True])
def test_a_claim_reads_no_more_of_the_queue_than_it_takes(member: Member, domain: PecDomain, analysed: bool) -> None:
    members = [MemberFactory(ordine=member.ordine).pk for _n in range(60)]
    lifecycle.request_pec(members, domain, STAFF)
    if analysed:
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE pec_requests_provideroperation")
    read = [step for step in plan_of_a_claim(5) if step.get("Index Name") == "operation_queue"]
    assert [step["Actual Rows"] for step in read] == [5]


@pytest.mark.django_db
def test_what_was_claimed_is_read_by_keys_alone(member: Member, domain: PecDomain) -> None:
    """A join would be at the mercy of statistics: those taken while a big transaction fills a table say it is empty."""
    lifecycle.request_pec([member.pk], domain, STAFF)
    with CaptureQueriesContext(connection) as asked:
        (claimed,) = operations.claim(5, "here")
        assert claimed.operation.request.member.ordine == member.ordine
    assert not [query["sql"] for query in asked if " JOIN " in query["sql"]]
