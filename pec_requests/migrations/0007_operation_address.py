"""Operations know the account they are of: the claim orders by it, and must not join for it."""

from django.db import migrations, models

FILL = """
UPDATE pec_requests_provideroperation o SET address = r.address
  FROM pec_requests_pecrequest r WHERE r.id = o.request_id
"""


class Migration(migrations.Migration):
    dependencies = [("pec_requests", "0006_notice")]

    operations = [
        migrations.RemoveIndex(model_name="provideroperation", name="operation_order"),
        migrations.AddField(
            model_name="provideroperation",
            name="address",
            field=models.CharField(default="", max_length=164, verbose_name="casella"),
            preserve_default=False,
        ),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
    ]
