"""The log and its seals are append-only: the database refuses UPDATE and DELETE."""

from django.db import migrations

TABLES = ("audit_logentry", "audit_seal")

GUARD = """
CREATE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit: il registro delle attività non si modifica' USING ERRCODE = 'check_violation';
END $$;
""" + "".join(
    f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} "
    "FOR EACH ROW EXECUTE FUNCTION audit_append_only();\n"
    for table in TABLES
)

UNGUARD = "".join(f"DROP TRIGGER {table}_append_only ON {table};\n" for table in TABLES) + "DROP FUNCTION audit_append_only();"


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_initial")]

    operations = [migrations.RunSQL(GUARD, UNGUARD)]
