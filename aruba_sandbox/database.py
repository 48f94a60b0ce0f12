"""The sandbox's own database: made when missing, migrated at every start."""

import psycopg
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from psycopg import errors, sql


def prepare() -> None:
    """Leave a database that is there and up to date, and no connection open."""
    _create_if_missing()
    call_command("migrate", interactive=False, verbosity=0)
    connection.close()
    connection.close_pool()  # type: ignore[attr-defined]  # only PostgreSQL's has it


def _create_if_missing() -> None:
    database = settings.DATABASES["default"]
    address = {name: database[name.upper()] or None for name in ("host", "port", "user", "password")}
    options = {name: value for name, value in database["OPTIONS"].items() if name != "pool"}
    maintenance = psycopg.connect(**{**address, **options, "dbname": "postgres", "autocommit": True})
    with maintenance as postgres:
        known = postgres.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database["NAME"]]).fetchone()
        if known:
            return
        try:
            # template0: nobody can be connected to it, so two starts at once do not get in each other's way.
            statement = sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'")
            postgres.execute(statement.format(sql.Identifier(database["NAME"])))
        except (errors.DuplicateDatabase, errors.UniqueViolation):
            pass
