"""Seals that say what each Ordine has in a batch, so that retention can take one Ordine's entries and leave the chain.

The seals of before are made anew by the next sealing: they were over batches that could not be told apart.
"""

import django.contrib.postgres.indexes
from django.db import migrations, models

BEGIN_ANEW = """
ALTER TABLE audit_seal DISABLE TRIGGER audit_seal_append_only;
DELETE FROM audit_seal;
ALTER TABLE audit_seal ENABLE TRIGGER audit_seal_append_only;
"""

# An entry may go once it is six months old (what the Garante asks for at least) and the log itself says that its
# Ordine's log was retired up to there. Nothing else may, and nothing is ever changed.
GUARD = """
CREATE OR REPLACE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_TABLE_NAME = 'audit_logentry' AND TG_OP = 'DELETE' THEN
        IF OLD.at < now() - interval '6 months' AND OLD.transaction < (
            SELECT (detail->>'before')::bigint FROM audit_logentry
             WHERE ordine = OLD.ordine AND action = 'audit.retired' ORDER BY id DESC LIMIT 1
        ) THEN
            RETURN OLD;
        END IF;
    END IF;
    RAISE EXCEPTION 'audit: il registro delle attività non si modifica' USING ERRCODE = 'check_violation';
END $$;

CREATE FUNCTION audit_of_now() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit: una voce del registro porta il momento in cui è scritta' USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER audit_logentry_of_now BEFORE INSERT ON audit_logentry FOR EACH ROW
    WHEN (NEW.at IS DISTINCT FROM statement_timestamp() OR NEW.transaction IS DISTINCT FROM pg_current_xact_id()::text::bigint)
    EXECUTE FUNCTION audit_of_now();
"""
UNGUARD = """
DROP TRIGGER audit_logentry_of_now ON audit_logentry;
DROP FUNCTION audit_of_now();
CREATE OR REPLACE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit: il registro delle attività non si modifica' USING ERRCODE = 'check_violation';
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("audit", "0002_append_only")]

    operations = [
        migrations.RunSQL(BEGIN_ANEW, BEGIN_ANEW),
        migrations.AddField("seal", "parts", models.JSONField(default=dict)),
        migrations.AlterField("seal", "sealed_at", models.DateTimeField()),
        migrations.AddIndex(
            "logentry", models.Index(fields=["ordine", "id"], name="audit_entry_ordine")
        ),
        migrations.AddIndex(
            "logentry", models.Index(fields=["ordine", "action", "id"], name="audit_entry_action")
        ),
        migrations.AddIndex(
            "logentry",
            models.Index(
                condition=models.Q(("actor__isnull", False)), fields=["ordine", "actor", "id"], name="audit_entry_actor"
            ),
        ),
        migrations.AddIndex(
            "logentry",
            django.contrib.postgres.indexes.BrinIndex(autosummarize=True, fields=["at"], name="audit_entry_at"),
        ),
        migrations.AlterModelOptions(
            "logentry",
            options={
                "ordering": ["-id"],
                "verbose_name": "voce del registro",
                "verbose_name_plural": "voci del registro",
            },
        ),
        migrations.RunSQL(GUARD, UNGUARD),
    ]
