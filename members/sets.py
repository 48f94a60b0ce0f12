"""Large sets of primary keys in a query: as one array, not as thousands of parameters each adapted by itself."""

from __future__ import annotations

from collections.abc import Collection

from django.db.models import BooleanField
from django.db.models.expressions import RawSQL


def among(column: str, ids: Collection[int]) -> RawSQL:
    """Rows whose column (``"table"."column"``, as the query calls it) is one of these."""
    sql = f"{column} = ANY (%s::bigint[])"
    return RawSQL(sql, (list(ids),), output_field=BooleanField())  # noqa: S611  (columns are names of our own)
