"""What a test has committed goes before the next: by DELETE, of what is there.

Django's TRUNCATE makes a new file for each table and index of the portal, full or empty, and has contenttypes and
permissions made anew: a tenth of a second after each test that commits.
"""

from __future__ import annotations

from django.db import connection, transaction

# The same after every migration.
KEPT = {"django_migrations", "django_content_type", "auth_permission"}


def flush() -> None:
    """Empty every table, whatever its triggers say of deleting."""
    tables = _with_rows()
    with connection.cursor() as cursor:
        _triggers(tables, "DISABLE")
        try:
            with transaction.atomic():
                cursor.execute("SET CONSTRAINTS ALL DEFERRED")
                for table in tables:
                    cursor.execute(f"DELETE FROM {table}")
        finally:
            _triggers(tables, "ENABLE")


def _with_rows() -> list[str]:
    tables = set(connection.introspection.django_table_names(only_existing=True, include_views=False)) - KEPT
    asked = ", ".join(f"CASE WHEN EXISTS (SELECT FROM {table}) THEN '{table}' END" for table in sorted(tables))
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT array_remove(ARRAY[{asked}], NULL)")
        return list(cursor.fetchone()[0])


def _triggers(tables: list[str], what: str) -> None:
    """Those of the tables themselves: what checks foreign keys is not a user's."""
    if tables:
        with connection.cursor() as cursor:
            cursor.execute("; ".join(f"ALTER TABLE {table} {what} TRIGGER USER" for table in tables))
