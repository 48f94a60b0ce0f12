"""Attacks meet the portal as it runs: all its middleware, and the database's role of web and workers."""

from __future__ import annotations

import pytest
from django.db import connection

from albo_pec import database_rights
from albo_pec.embedded.postgres import WEB_ROLE
from tests.attacks import scene


@pytest.fixture(autouse=True)
def as_web_role(request: pytest.FixtureRequest) -> None:
    """For the length of the test's transaction."""
    if "db" in request.fixturenames and "transactional_db" not in request.fixturenames:
        request.getfixturevalue("db")
        database_rights.grant(WEB_ROLE)
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL ROLE {WEB_ROLE}")


@pytest.fixture
def built(db: None, as_web_role: None) -> scene.Scene:
    return scene.build()
