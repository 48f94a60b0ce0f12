"""What the lists of the office are read by: one index for each order and filter, and ``Term`` for what is no column.

Triggers write the terms, a statement at a time: whoever writes members, by whatever means, has not to think of them.
"""

from typing import Any

import django.db.models.deletion
import django.db.models.functions.comparison
from django.db import migrations, models

from members.names import search_key

# Rows made by this very transaction need no lock: nobody else can see them. That is nearly all of an import.
LISTS = """
CREATE FUNCTION members_words(key text) RETURNS SETOF text LANGUAGE sql IMMUTABLE AS $$
    SELECT DISTINCT word FROM unnest((string_to_array(key, ' '))[3:]) AS word WHERE word <> ''
$$;

-- Who is enrolled plainly in an albo is most of the albo; of the others each albo has a term.
CREATE FUNCTION members_facets(albo bigint, status text) RETURNS text[] LANGUAGE sql IMMUTABLE AS $$
    SELECT ARRAY['=albo ' || albo, '=stato ' || status]
        || CASE status WHEN 'ISCRITTO' THEN '{}'::text[] ELSE ARRAY['=albo ' || albo || ' ' || status] END
$$;

CREATE FUNCTION members_list_members() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        DELETE FROM members_term;
        RETURN NULL;
    END IF;
    IF TG_OP = 'UPDATE' THEN
        IF NOT EXISTS (SELECT FROM old_rows o JOIN new_rows n USING (id)
                       WHERE (o.ordine_id, o.search_key) IS DISTINCT FROM (n.ordine_id, n.search_key)) THEN
            RETURN NULL;
        END IF;
        UPDATE members_term t SET ordine_id = n.ordine_id, sort = n.search_key
          FROM old_rows o JOIN new_rows n USING (id)
         WHERE (o.ordine_id, o.search_key) IS DISTINCT FROM (n.ordine_id, n.search_key)
           AND (t.ordine_id, t.sort, t.member_id) = (o.ordine_id, o.search_key, o.id)
           AND t.term IN (SELECT unnest(members_facets(e.albo_id, e.status))
                            FROM members_enrolment e WHERE e.member_id = o.id);
    END IF;
    IF TG_OP <> 'INSERT' THEN
        DELETE FROM members_term t USING old_rows o, members_words(o.search_key) AS word
         WHERE (t.ordine_id, t.term, t.sort, t.member_id) = (o.ordine_id, word, o.search_key, o.id);
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO members_term (ordine_id, term, sort, member_id)
        SELECT n.ordine_id, word, n.search_key, n.id FROM new_rows n, members_words(n.search_key) AS word
         ORDER BY 1, 2, 3, 4 ON CONFLICT DO NOTHING;
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION members_list_enrolments() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF NOT EXISTS (SELECT FROM old_rows o JOIN new_rows n USING (id)
                       WHERE (o.member_id, o.albo_id, o.status) IS DISTINCT FROM (n.member_id, n.albo_id, n.status)) THEN
            RETURN NULL;
        END IF;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        PERFORM FROM members_member m
          WHERE m.id IN (SELECT member_id FROM new_rows) AND m.xmin <> pg_current_xact_id()::xid
          ORDER BY m.id FOR NO KEY UPDATE;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        PERFORM FROM members_member m
          WHERE m.id IN (SELECT member_id FROM old_rows) AND m.xmin <> pg_current_xact_id()::xid
          ORDER BY m.id FOR NO KEY UPDATE;
        DELETE FROM members_term t
         USING old_rows o JOIN members_member m ON m.id = o.member_id,
               unnest(members_facets(o.albo_id, o.status)) AS facet
         WHERE (t.ordine_id, t.term, t.sort, t.member_id) = (m.ordine_id, facet, m.search_key, m.id)
           AND NOT EXISTS (SELECT FROM members_enrolment e
                            WHERE e.member_id = m.id AND facet = ANY (members_facets(e.albo_id, e.status)));
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO members_term (ordine_id, term, sort, member_id)
        SELECT m.ordine_id, facet, m.search_key, m.id
          FROM new_rows n JOIN members_member m ON m.id = n.member_id,
               unnest(members_facets(n.albo_id, n.status)) AS facet
         ORDER BY 1, 2, 3, 4 ON CONFLICT DO NOTHING;
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER members_list_insert AFTER INSERT ON members_member
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION members_list_members();
CREATE TRIGGER members_list_update AFTER UPDATE ON members_member
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION members_list_members();
CREATE TRIGGER members_list_delete AFTER DELETE ON members_member
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION members_list_members();
CREATE TRIGGER members_list_truncate AFTER TRUNCATE ON members_member
    FOR EACH STATEMENT EXECUTE FUNCTION members_list_members();
CREATE TRIGGER members_list_insert AFTER INSERT ON members_enrolment
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION members_list_enrolments();
CREATE TRIGGER members_list_update AFTER UPDATE ON members_enrolment
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION members_list_enrolments();
CREATE TRIGGER members_list_delete AFTER DELETE ON members_enrolment
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION members_list_enrolments();

INSERT INTO members_term (ordine_id, term, sort, member_id)
SELECT m.ordine_id, word, m.search_key, m.id FROM members_member m, members_words(m.search_key) AS word
 ORDER BY 1, 2, 3, 4;
INSERT INTO members_term (ordine_id, term, sort, member_id)
SELECT m.ordine_id, facet, m.search_key, m.id
  FROM members_enrolment e JOIN members_member m ON m.id = e.member_id,
       unnest(members_facets(e.albo_id, e.status)) AS facet
 ORDER BY 1, 2, 3, 4 ON CONFLICT DO NOTHING;
"""

UNLIST = """
DROP TRIGGER members_list_insert ON members_member;
DROP TRIGGER members_list_update ON members_member;
DROP TRIGGER members_list_delete ON members_member;
DROP TRIGGER members_list_truncate ON members_member;
DROP TRIGGER members_list_insert ON members_enrolment;
DROP TRIGGER members_list_update ON members_enrolment;
DROP TRIGGER members_list_delete ON members_enrolment;
DROP FUNCTION members_list_members();
DROP FUNCTION members_list_enrolments();
DROP FUNCTION members_facets(bigint, text);
DROP FUNCTION members_words(text);
"""

# Django gives an indexed CharField a second index for LIKE; nobody asks for these with LIKE any more.
NO_TWINS = """
DO $$
DECLARE twin text;
BEGIN
    FOR twin IN SELECT indexname FROM pg_indexes WHERE schemaname = current_schema()
                AND (indexname LIKE 'members\\_member\\_tax\\_code\\_%\\_like'
                     OR indexname LIKE 'members\\_enrolment\\_number\\_%\\_like') LOOP
        EXECUTE format('DROP INDEX %I', twin);
    END LOOP;
END $$
"""
TWINS = """
CREATE INDEX members_member_tax_code_again_like ON members_member (tax_code varchar_pattern_ops);
CREATE INDEX members_enrolment_number_again_like ON members_enrolment (number varchar_pattern_ops);
"""
_BATCH = 5000


def sort_again(apps: Any, schema_editor: Any) -> None:
    """Search keys tell surnames and names apart now."""
    members = apps.get_model("members", "Member")._base_manager
    last = 0
    while batch := list(members.filter(pk__gt=last).order_by("pk").only("surname", "name", "search_key")[:_BATCH]):
        for member in batch:
            member.search_key = search_key(member.surname, member.name)
        members.bulk_update(batch, ["search_key"])
        last = batch[-1].pk


class Migration(migrations.Migration):

    dependencies = [
        ('members', '0002_albi'),
    ]

    operations = [
        migrations.CreateModel(
            name='Term',
            fields=[
                ('pk', models.CompositePrimaryKey('ordine_id', 'term', 'sort', 'member_id', blank=True, editable=False, primary_key=True, serialize=False)),
                ('ordine', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='members.ordine')),
                ('term', models.CharField(db_collation='C', max_length=170)),
                ('sort', models.CharField(db_collation='C', max_length=170)),
                ('member', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='members.member')),
            ],
            options={
                'verbose_name': 'voce di ricerca',
                'verbose_name_plural': 'voci di ricerca',
            },
        ),
        migrations.AlterModelOptions(
            name='member',
            options={'ordering': ['search_key', 'id'], 'verbose_name': 'iscritto', 'verbose_name_plural': 'iscritti'},
        ),
        migrations.RunPython(sort_again, migrations.RunPython.noop),
        migrations.RemoveIndex(
            model_name='member',
            name='member_list',
        ),
        migrations.AlterField(
            model_name='enrolment',
            name='albo',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='enrolments', to='members.albo', verbose_name='albo'),
        ),
        migrations.AlterField(
            model_name='enrolment',
            name='member',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='enrolments', to='members.member', verbose_name='iscritto'),
        ),
        migrations.AlterField(
            model_name='member',
            name='ordine',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='members', to='members.ordine', verbose_name='Ordine'),
        ),
        migrations.AlterField(
            model_name='member',
            name='search_key',
            field=models.CharField(db_collation='C', editable=False, max_length=170),
        ),
        migrations.AddIndex(
            model_name='member',
            index=models.Index(fields=['ordine', 'search_key', 'id'], name='member_list'),
        ),
        migrations.AddIndex(
            model_name='member',
            index=models.Index(fields=['ordine', 'province', 'search_key', 'id'], name='member_province'),
        ),
        migrations.AddIndex(
            model_name='member',
            index=models.Index(condition=models.Q(('tax_code_mismatch', True)), fields=['ordine', 'search_key', 'id'], name='member_mismatch'),
        ),
        migrations.AddIndex(
            model_name='member',
            index=models.Index(condition=models.Q(('email_problem', ''), _negated=True), fields=['ordine', 'email_problem', 'search_key', 'id'], name='member_email_problem'),
        ),
        migrations.AddIndex(
            model_name='member',
            index=models.Index(models.F('ordine'), django.db.models.functions.comparison.Collate('tax_code', 'C'), models.F('id'), name='member_tax_code'),
        ),
        migrations.RunSQL(NO_TWINS, TWINS),
        migrations.RunSQL(LISTS, UNLIST),
    ]
