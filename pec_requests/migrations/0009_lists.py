"""What the lists of the office are read by: copied from the member, whether a request waits for staff, and who has no PEC.

All of it follows from other rows, and triggers write it, whoever writes those. A member has the term ``=pec SENZA`` as
``eligibility.lacking_pec`` says; a request ``needs_staff`` where ``attention.sentences`` has something to
say: a test compares them in all cases.

Locks are taken in one order: members, requests, operations. What a member's rows decide is looked at under the lock of
the member, what a request's decide under that of the request, and by a statement that began after it was taken.
"""

import django.db.models.deletion
from django.db import migrations, models

NEEDS = """
CREATE FUNCTION pec_requests_needs_staff(r pec_requests_pecrequest) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT (r.status = 'RICHIESTA' AND r.recovery_email = '')
        OR (r.status IN ('RICHIESTA', 'NON_ATTIVO', 'ATTIVO', 'SOSPESO') AND NOT EXISTS (
               SELECT FROM members_enrolment e WHERE e.member_id = r.member_id AND e.status IN ('ISCRITTO', 'SOSPESO')))
        OR EXISTS (SELECT FROM pec_requests_provideroperation o WHERE o.request_id = r.id AND o.state = 'ATTENTION')
$$;
UPDATE pec_requests_pecrequest r
   SET ordine_id = m.ordine_id, sort = m.search_key, needs_staff = pec_requests_needs_staff(r)
  FROM members_member m WHERE m.id = r.member_id;
UPDATE pec_requests_provideroperation o SET ordine_id = r.ordine_id
  FROM pec_requests_pecrequest r WHERE r.id = o.request_id;
"""
NO_NEEDS = "DROP FUNCTION pec_requests_needs_staff(pec_requests_pecrequest)"

LISTS = """
CREATE FUNCTION pec_requests_lacks_pec(m members_member) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT m.own_pec = ''
       AND EXISTS (SELECT FROM members_enrolment e WHERE e.member_id = m.id AND e.status IN ('ISCRITTO', 'SOSPESO'))
       AND NOT EXISTS (SELECT FROM pec_requests_pecrequest r WHERE r.member_id = m.id
                        AND r.status IN ('RICHIESTA', 'NON_ATTIVO', 'ATTIVO', 'SOSPESO'))
$$;

-- These members' rows are locked.
CREATE FUNCTION pec_requests_list_lacking(members bigint[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM members_term t USING members_member m
     WHERE m.id = ANY (members) AND NOT pec_requests_lacks_pec(m)
       AND (t.ordine_id, t.term, t.sort, t.member_id) = (m.ordine_id, '=pec SENZA', m.search_key, m.id);
    INSERT INTO members_term (ordine_id, term, sort, member_id)
    SELECT m.ordine_id, '=pec SENZA', m.search_key, m.id FROM members_member m
     WHERE m.id = ANY (members) AND pec_requests_lacks_pec(m) ORDER BY 1, 2, 3, 4 ON CONFLICT DO NOTHING;
END $$;

CREATE FUNCTION pec_requests_look_again(requests bigint[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM pec_requests_pecrequest WHERE id = ANY (requests) ORDER BY id FOR NO KEY UPDATE;
    UPDATE pec_requests_pecrequest r SET needs_staff = NOT r.needs_staff
     WHERE r.id = ANY (requests) AND r.needs_staff <> pec_requests_needs_staff(r);
END $$;

CREATE FUNCTION pec_requests_list_members() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE touched bigint[];
BEGIN
    SELECT array_agg(n.id) INTO touched FROM old_rows o JOIN new_rows n USING (id)
     WHERE (o.ordine_id, o.search_key) IS DISTINCT FROM (n.ordine_id, n.search_key);
    IF touched IS NOT NULL THEN
        UPDATE members_term t SET ordine_id = n.ordine_id, sort = n.search_key
          FROM old_rows o JOIN new_rows n USING (id)
         WHERE n.id = ANY (touched)
           AND (t.ordine_id, t.term, t.sort, t.member_id) = (o.ordine_id, '=pec SENZA', o.search_key, o.id);
        PERFORM FROM pec_requests_pecrequest WHERE member_id = ANY (touched) ORDER BY id FOR NO KEY UPDATE;
        UPDATE pec_requests_pecrequest r SET ordine_id = n.ordine_id, sort = n.search_key
          FROM new_rows n WHERE n.id = ANY (touched) AND r.member_id = n.id;
        UPDATE pec_requests_provideroperation p SET ordine_id = r.ordine_id
          FROM pec_requests_pecrequest r
         WHERE r.member_id = ANY (touched) AND p.request_id = r.id AND p.ordine_id <> r.ordine_id;
    END IF;
    SELECT array_agg(n.id) INTO touched FROM old_rows o JOIN new_rows n USING (id)
     WHERE (o.own_pec = '') <> (n.own_pec = '');
    IF touched IS NOT NULL THEN
        PERFORM pec_requests_list_lacking(touched);
    END IF;
    RETURN NULL;
END $$;

-- The members are locked: the trigger for their terms runs first, its name being ``members_…``.
CREATE FUNCTION pec_requests_list_enrolments() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE touched bigint[];
BEGIN
    IF TG_OP = 'INSERT' THEN
        -- An import's millions: without looking at what nobody can have yet.
        INSERT INTO members_term (ordine_id, term, sort, member_id)
        SELECT m.ordine_id, '=pec SENZA', m.search_key, m.id FROM new_rows n JOIN members_member m ON m.id = n.member_id
         WHERE n.status IN ('ISCRITTO', 'SOSPESO') AND m.own_pec = ''
           AND NOT EXISTS (SELECT FROM pec_requests_pecrequest r WHERE r.member_id = m.id
                            AND r.status IN ('RICHIESTA', 'NON_ATTIVO', 'ATTIVO', 'SOSPESO'))
         ORDER BY 1, 2, 3, 4 ON CONFLICT DO NOTHING;
        SELECT array_agg(r.id) INTO touched FROM pec_requests_pecrequest r
         WHERE r.needs_staff AND r.member_id IN (SELECT member_id FROM new_rows);
    ELSE
        IF TG_OP = 'UPDATE' THEN
            SELECT array_agg(DISTINCT id) INTO touched FROM (
                SELECT unnest(ARRAY[o.member_id, n.member_id]) AS id FROM old_rows o JOIN new_rows n USING (id)
                 WHERE (o.member_id, o.status) IS DISTINCT FROM (n.member_id, n.status)) AS changed;
        ELSE
            SELECT array_agg(DISTINCT member_id) INTO touched FROM old_rows;
        END IF;
        IF touched IS NOT NULL THEN
            PERFORM pec_requests_list_lacking(touched);
            SELECT array_agg(r.id) INTO touched FROM pec_requests_pecrequest r WHERE r.member_id = ANY (touched);
        END IF;
    END IF;
    IF touched IS NOT NULL THEN
        PERFORM pec_requests_look_again(touched);
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION pec_requests_list_request() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- A request may come to belong to another record, when two are merged.
    IF TG_OP = 'INSERT' OR NEW.member_id IS DISTINCT FROM OLD.member_id THEN
        SELECT ordine_id, search_key INTO NEW.ordine_id, NEW.sort FROM members_member WHERE id = NEW.member_id;
        IF NOT FOUND THEN
            -- The foreign key will say so.
            NEW.ordine_id = 0;
            NEW.sort = '';
        END IF;
    END IF;
    NEW.needs_staff = pec_requests_needs_staff(NEW);
    RETURN NEW;
END $$;

CREATE FUNCTION pec_requests_list_requests() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE touched bigint[];
BEGIN
    IF TG_OP = 'INSERT' THEN
        DELETE FROM members_term t USING new_rows n JOIN members_member m ON m.id = n.member_id
         WHERE n.status IN ('RICHIESTA', 'NON_ATTIVO', 'ATTIVO', 'SOSPESO')
           AND (t.ordine_id, t.term, t.sort, t.member_id) = (m.ordine_id, '=pec SENZA', m.search_key, m.id);
        RETURN NULL;
    END IF;
    SELECT array_agg(DISTINCT member_id) INTO touched FROM (
        SELECT n.member_id FROM old_rows o JOIN new_rows n USING (id)
         WHERE o.status <> n.status AND n.status IN ('ANNULLATO', 'RIFIUTATO', 'CESSATO')
         UNION ALL
        SELECT unnest(ARRAY[o.member_id, n.member_id]) FROM old_rows o JOIN new_rows n USING (id)
         WHERE o.member_id <> n.member_id) AS changed;
    IF touched IS NOT NULL THEN
        -- ``lifecycle`` has them locked already, before the requests; nobody else should come this way.
        PERFORM FROM members_member WHERE id = ANY (touched) ORDER BY id FOR NO KEY UPDATE;
        PERFORM pec_requests_list_lacking(touched);
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION pec_requests_list_operation() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.ordine_id = coalesce((SELECT ordine_id FROM pec_requests_pecrequest WHERE id = NEW.request_id), 0);
    RETURN NEW;
END $$;

CREATE FUNCTION pec_requests_list_operations() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE touched bigint[];
BEGIN
    IF TG_OP = 'UPDATE' THEN
        SELECT array_agg(DISTINCT n.request_id) INTO touched FROM old_rows o JOIN new_rows n USING (id)
         WHERE (o.state = 'ATTENTION') <> (n.state = 'ATTENTION');
    ELSE
        SELECT array_agg(DISTINCT n.request_id) INTO touched FROM new_rows n WHERE n.state = 'ATTENTION';
    END IF;
    IF touched IS NOT NULL THEN
        PERFORM pec_requests_look_again(touched);
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER pec_requests_list_update AFTER UPDATE ON members_member
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION pec_requests_list_members();
CREATE TRIGGER pec_requests_list_insert AFTER INSERT ON members_enrolment
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION pec_requests_list_enrolments();
CREATE TRIGGER pec_requests_list_update AFTER UPDATE ON members_enrolment
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION pec_requests_list_enrolments();
CREATE TRIGGER pec_requests_list_delete AFTER DELETE ON members_enrolment
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION pec_requests_list_enrolments();
CREATE TRIGGER pec_requests_list_row BEFORE INSERT OR UPDATE OF member_id, status, recovery_email
    ON pec_requests_pecrequest FOR EACH ROW EXECUTE FUNCTION pec_requests_list_request();
CREATE TRIGGER pec_requests_list_insert AFTER INSERT ON pec_requests_pecrequest
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION pec_requests_list_requests();
CREATE TRIGGER pec_requests_list_update AFTER UPDATE ON pec_requests_pecrequest
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION pec_requests_list_requests();
CREATE TRIGGER pec_requests_list_row BEFORE INSERT ON pec_requests_provideroperation
    FOR EACH ROW EXECUTE FUNCTION pec_requests_list_operation();
CREATE TRIGGER pec_requests_list_insert AFTER INSERT ON pec_requests_provideroperation
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION pec_requests_list_operations();
CREATE TRIGGER pec_requests_list_update AFTER UPDATE ON pec_requests_provideroperation
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION pec_requests_list_operations();

INSERT INTO members_term (ordine_id, term, sort, member_id)
SELECT m.ordine_id, '=pec SENZA', m.search_key, m.id FROM members_member m WHERE pec_requests_lacks_pec(m)
 ORDER BY 1, 2, 3, 4;
"""

UNLIST = """
DROP TRIGGER pec_requests_list_update ON members_member;
DROP TRIGGER pec_requests_list_insert ON members_enrolment;
DROP TRIGGER pec_requests_list_update ON members_enrolment;
DROP TRIGGER pec_requests_list_delete ON members_enrolment;
DROP TRIGGER pec_requests_list_row ON pec_requests_pecrequest;
DROP TRIGGER pec_requests_list_insert ON pec_requests_pecrequest;
DROP TRIGGER pec_requests_list_update ON pec_requests_pecrequest;
DROP TRIGGER pec_requests_list_row ON pec_requests_provideroperation;
DROP TRIGGER pec_requests_list_insert ON pec_requests_provideroperation;
DROP TRIGGER pec_requests_list_update ON pec_requests_provideroperation;
DROP FUNCTION pec_requests_list_members();
DROP FUNCTION pec_requests_list_enrolments();
DROP FUNCTION pec_requests_list_request();
DROP FUNCTION pec_requests_list_requests();
DROP FUNCTION pec_requests_list_operation();
DROP FUNCTION pec_requests_list_operations();
DROP FUNCTION pec_requests_list_lacking(bigint[]);
DROP FUNCTION pec_requests_look_again(bigint[]);
DROP FUNCTION pec_requests_lacks_pec(members_member);
DELETE FROM members_term WHERE term = '=pec SENZA';
"""

# As in ``members``: Django's second index for LIKE, beside one that is by bytes already.
NO_TWIN = """
DO $$
DECLARE twin text;
BEGIN
    FOR twin IN SELECT indexname FROM pg_indexes WHERE schemaname = current_schema()
                AND indexname LIKE 'pec\\_requests\\_pecrequest\\_address\\_%\\_like' LOOP
        EXECUTE format('DROP INDEX %I', twin);
    END LOOP;
END $$
"""
TWIN = "CREATE INDEX pec_requests_pecrequest_address_again_like ON pec_requests_pecrequest (address varchar_pattern_ops)"


class Migration(migrations.Migration):

    dependencies = [
        ('members', '0003_lists'),
        ('pec_requests', '0008_operation_order'),
    ]

    operations = [
        migrations.AddField(
            model_name='pecrequest',
            name='needs_staff',
            field=models.BooleanField(db_default=False, editable=False),
        ),
        migrations.AddField(
            model_name='pecrequest',
            name='ordine',
            field=models.ForeignKey(db_constraint=False, db_index=False, default=0, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='members.ordine'),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name='pecrequest',
            name='sort',
            field=models.CharField(db_collation='C', default='', editable=False, max_length=170),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name='provideroperation',
            name='ordine',
            field=models.ForeignKey(db_constraint=False, db_index=False, default=0, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='members.ordine'),
            preserve_default=False,
        ),
        migrations.AlterField(
            model_name='pecrequest',
            name='address',
            field=models.CharField(db_collation='C', db_index=True, max_length=164, verbose_name='indirizzo'),
        ),
        migrations.AlterField(
            model_name='pecrequest',
            name='domain',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='requests', to='pec_requests.pecdomain', verbose_name='dominio'),
        ),
        migrations.RunSQL(NO_TWIN, TWIN),
        migrations.RunSQL(NEEDS, NO_NEEDS),
        migrations.AddIndex(
            model_name='pecrequest',
            index=models.Index(fields=['ordine', 'id'], name='request_list'),
        ),
        migrations.AddIndex(
            model_name='pecrequest',
            index=models.Index(fields=['ordine', 'status', 'id'], name='request_status'),
        ),
        migrations.AddIndex(
            model_name='pecrequest',
            index=models.Index(fields=['ordine', 'status', 'sort', 'member'], name='request_by_name'),
        ),
        migrations.AddIndex(
            model_name='pecrequest',
            index=models.Index(fields=['ordine', 'domain', 'id'], name='request_domain'),
        ),
        migrations.AddIndex(
            model_name='pecrequest',
            index=models.Index(fields=['ordine', 'address', 'member'], name='request_address'),
        ),
        migrations.AddIndex(
            model_name='pecrequest',
            index=models.Index(condition=models.Q(('needs_staff', True)), fields=['ordine', 'id'], name='request_needs_staff'),
        ),
        migrations.AddIndex(
            model_name='provideroperation',
            index=models.Index(fields=['ordine', 'id'], name='operation_list'),
        ),
        migrations.AddIndex(
            model_name='provideroperation',
            index=models.Index(fields=['ordine', 'state', 'id'], name='operation_state'),
        ),
        migrations.AddIndex(
            model_name='provideroperation',
            index=models.Index(fields=['ordine', 'kind', 'id'], name='operation_kind'),
        ),
        migrations.RunSQL(LISTS, UNLIST),
    ]
