"""An Ordine is one of many: what PostgreSQL is told to believe, whatever the rows say.

Requests and operations are read Ordine by Ordine, newest first, from indexes that begin with it. As long as one Ordine
has nearly all rows, statistics say that any Ordine has, and that the newest rows of one are found soonest among the
newest of all: for an Ordine with none that is the whole table.
"""

from typing import ClassVar

from django.db import migrations

_TABLES = ("pec_requests_pecrequest", "pec_requests_provideroperation")


class Migration(migrations.Migration):
    dependencies: ClassVar = [("pec_requests", "0013_notices")]

    operations: ClassVar = [
        migrations.RunSQL(
            f"ALTER TABLE {table} ALTER COLUMN ordine_id SET (n_distinct = 1000); ANALYZE {table}",
            f"ALTER TABLE {table} ALTER COLUMN ordine_id RESET (n_distinct); ANALYZE {table}",
        )
        for table in _TABLES
    ]
