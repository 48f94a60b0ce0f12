"""The national albi."""

from typing import Any

from django.db import migrations

from members import albi


def install(apps: Any, schema_editor: Any) -> None:
    albi.install(apps.get_model("members", "Albo"))


class Migration(migrations.Migration):
    dependencies = [("members", "0001_initial")]

    operations = [migrations.RunPython(install, migrations.RunPython.noop)]
