"""Every form with whatever may be typed or sent: no error 500, and nothing lost.

A sample in ``make test``, always the same; ``make fuzz`` tries FUZZ_INPUTS of them, others each time.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from django.core.cache import cache
from django.db import connection
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from albo_pec import database_rights
from albo_pec.database_rights import DELETABLE
from albo_pec.embedded.postgres import WEB_ROLE
from audit import sealing, verifying
from pec_requests.states import Status
from tests.attacks import forms, scene
from tests.fuzz.inputs import Input, inputs

INPUTS = int(os.environ.get("FUZZ_INPUTS", "80"))
SAMPLE = "FUZZ_INPUTS" not in os.environ
READERS = [("visitor", "waiting", "active"), ("office", "federation")]
TWO_LIVE = """
SELECT member_id FROM pec_requests_pecrequest WHERE status IN ('RICHIESTA', 'NON_ATTIVO', 'ATTIVO', 'SOSPESO')
GROUP BY member_id HAVING count(*) > 1
"""


@pytest.fixture
def built(transactional_db: None) -> Iterator[scene.Scene]:
    """Committed, so that the log can be sealed; by the role that the web processes have."""
    database_rights.grant(WEB_ROLE)
    with connection.cursor() as cursor:
        cursor.execute(f"SET ROLE {WEB_ROLE}")
    yield scene.build()
    connection.close()  # who comes next is the owner again


def lost(before: dict[tuple[str, object], object], after: dict[tuple[str, object], dict[str, object]]) -> list[str]:
    """What must not be, whatever came in."""
    gone = {table for table, _key in before.keys() - after.keys()} - DELETABLE
    wrong = [f"rows of {table} are gone" for table in gone]
    rewritten = [key for key in before if key[0].startswith("audit_") and after.get(key) != before[key]]
    states = {str(row["status"]) for (table, _key), row in after.items() if table == "pec_requests_pecrequest"}
    with connection.cursor() as cursor:
        cursor.execute(TWO_LIVE)
        twice = cursor.fetchall()
    return wrong + [f"{what}" for what in (rewritten, states - set(Status.values), twice) if what]


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("readers", READERS, ids=["members", "office"])
def test_no_input_breaks_or_loses_anything(built: scene.Scene, readers: tuple[str, ...]) -> None:
    sealing.seal()
    reading = forms.Reading(built)
    clients = {who: forms.entered(built, who) for who in readers}
    for client in clients.values():
        client.raise_request_exception = False
    sheets = [sheet for who, client in clients.items() for sheet in reading.sheets(who, client)]
    assert len(sheets) > 10
    before = scene.contents()

    @settings(
        max_examples=INPUTS // len(READERS),
        derandomize=SAMPLE,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )
    @given(st.data())
    def try_one(data: st.DataObject) -> None:
        given_input: Input = data.draw(inputs(sheets))
        client = clients[given_input.sheet.who]
        kept = client.cookies.copy()
        cache.clear()
        with forms.undone():
            answers = given_input.send(client)
            after = scene.contents()
            assert not lost(before, after), given_input
        client.cookies = kept
        assert max(answers) < 500, (answers, given_input)
        event(f"{answers[-1]}{' and something changed' if after != before else ''}")

    try_one()
    assert scene.contents() == before
    assert verifying.verify().broken is None
