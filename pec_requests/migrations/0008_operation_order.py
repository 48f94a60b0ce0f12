"""The index of the claim and what it relies on; apart from the filling, which leaves triggers pending."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("pec_requests", "0007_operation_address")]

    operations = [
        migrations.RunSQL(
            "UPDATE pec_requests_provideroperation SET finished_at = CASE WHEN state IN ('WAITING', 'RUNNING')"
            " THEN NULL ELSE coalesce(finished_at, statement_timestamp()) END",
            migrations.RunSQL.noop,
        ),
        migrations.RunSQL("SET CONSTRAINTS ALL IMMEDIATE", migrations.RunSQL.noop),
        migrations.AddIndex(
            model_name="provideroperation",
            index=models.Index(
                condition=models.Q(("finished_at", None)), fields=["address", "id"], name="operation_order"
            ),
        ),
        migrations.AddConstraint(
            model_name="provideroperation",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("finished_at", None), ("state__in", ["WAITING", "RUNNING"])),
                    models.Q(
                        models.Q(("state__in", ["WAITING", "RUNNING"]), _negated=True),
                        ("finished_at__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="open_operations_have_no_end",
            ),
        ),
    ]
