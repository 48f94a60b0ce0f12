"""The two domains of the convention, and the row of the provider's health."""

from django.db import migrations


def fill(apps, schema_editor):
    for name in ("tsrm.org", "tsrm-pstrp.org"):
        apps.get_model("pec_requests", "PecDomain").objects.get_or_create(name=name)
    apps.get_model("pec_requests", "ProviderHealth").objects.get_or_create(pk=1)


class Migration(migrations.Migration):
    dependencies = [("pec_requests", "0002_guard_status")]

    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
