"""The web role: it carries everything people do, and nothing a thief would do with it."""

from __future__ import annotations

import io
import os
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import ProgrammingError, connection, models, transaction
from django_scopes import scopes_disabled

from albo_pec import database_rights
from albo_pec.checks import check_database_role
from albo_pec.database_rights import DELETABLE
from albo_pec.embedded.postgres import ROLE, WEB_ROLE
from audit import sealing, verifying
from members import importing
from tests.attacks import scene
from tests.factories import MemberFactory
from tests.members.invented import as_csv, line
from tests.pec_requests.conftest import STAFF

pytestmark = pytest.mark.django_db

FORBIDDEN = [
    "UPDATE audit_logentry SET actor_name = 'altri'",
    "DELETE FROM audit_logentry",
    "DELETE FROM audit_seal",
    "TRUNCATE audit_logentry",
    "ALTER TABLE audit_logentry DISABLE TRIGGER ALL",
    "SET session_replication_role = replica",
    "DROP TRIGGER audit_logentry_append_only ON audit_logentry",
    "ALTER TABLE pec_requests_pecrequest DISABLE TRIGGER USER",
    "DELETE FROM pec_requests_pecrequest",
    "DELETE FROM pec_requests_provideroperation",
    "DELETE FROM pec_requests_reservedaddress",
    "DELETE FROM members_ordine",
    "CREATE TABLE public.mine (a int)",
    "CREATE FUNCTION public.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "DROP TABLE members_member",
    "INSERT INTO django_migrations (app, name, applied) VALUES ('x', 'y', now())",
    "CREATE ROLE mine",
    "COPY members_member TO '/tmp/members'",
    "COPY members_member TO PROGRAM 'cat'",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT rolpassword FROM pg_authid",
]


def test_what_people_and_workers_do_is_allowed(built: scene.Scene) -> None:
    """Requests, acceptance, links, a batch: the scene was built so. Then an import, a deletion, and a seal."""
    with scopes_disabled(), connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        assert cursor.fetchone() == (WEB_ROLE,)
        result = importing.import_albo(as_csv([line(700 + n) for n in range(3)]), ordine=built.here.ordine, actor=STAFF)
        assert result.created == 3
        MemberFactory(ordine=built.here.ordine, enrolled=False).delete()
        sealing.seal()
        assert verifying.verify().broken is None


def test_what_a_thief_would_do_is_not(built: scene.Scene) -> None:
    for statement in FORBIDDEN:
        with pytest.raises(ProgrammingError, match=r"denied|must be owner|must be superuser"), transaction.atomic():
            connection.cursor().execute(statement)


def test_production_is_told_when_it_runs_as_the_owner(db: None) -> None:
    def found() -> list[str | None]:
        return [error.id for error in check_database_role(None, databases=["default"])]

    assert found() == [] == list(check_database_role(None))
    connection.cursor().execute("RESET ROLE")
    assert found() == ["albo_pec.E022"]


def test_who_cannot_be_the_web_role(settings: Any, db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("RESET ROLE")
        cursor.execute("CREATE ROLE prova_potente CREATEDB")
    for role, words in (("prova_potente", "può creare"), (ROLE, "può creare|proprietario"), ("nessuno", "non c'è")):
        with pytest.raises(CommandError, match=words):
            call_command("grant_roles", web=role)
    settings.WEB_DATABASE_URL = ""
    with pytest.raises(CommandError, match="Indicare --web"):
        call_command("grant_roles")


def test_the_owner_makes_the_role_and_changes_its_password(settings: Any, db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("RESET ROLE")
    said = io.StringIO()
    settings.WEB_DATABASE_URL = "postgres://prova_web:prima%40@ovunque/albo"
    call_command("grant_roles", stdout=said)
    settings.WEB_DATABASE_URL = "postgres://prova_web:dopo@ovunque/albo"
    call_command("grant_roles", stdout=said)
    assert said.getvalue().count("«prova_web» ha i permessi") == 2
    with connection.cursor() as cursor:
        cursor.execute("SELECT has_table_privilege('prova_web', 'members_member', 'INSERT'), rolcanlogin FROM pg_roles"
                       " WHERE rolname = 'prova_web'")  # fmt: skip
        assert cursor.fetchone() == (True, True)


def test_the_demo_runs_its_web_and_workers_so() -> None:
    """The address that the supervisor gives them is the web role's, and it is no other's member."""
    with psycopg.connect(os.environ["WEB_DATABASE_URL"]) as link:
        row = link.execute(
            "SELECT current_user, rolsuper OR rolcreatedb OR rolcreaterole, "
            f"pg_has_role(current_user, '{ROLE}', 'MEMBER') FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
    assert row == (WEB_ROLE, False, False)


def test_what_goes_along_with_a_row_that_may_be_deleted_may_be_deleted_too() -> None:
    """Or else a deletion would fail on the day there is something that hangs on the row."""
    tables = {model._meta.db_table: model for model in connection.introspection.installed_models(scene.every_table())}
    missing = {
        relation.related_model._meta.db_table
        for table in DELETABLE & set(tables)
        for relation in tables[table]._meta.get_fields(include_hidden=True)
        if isinstance(relation, models.ForeignObjectRel) and relation.on_delete is models.CASCADE
    } - DELETABLE
    assert missing == set()
    assert set(scene.every_table()) >= DELETABLE | database_rights.READ_ONLY
