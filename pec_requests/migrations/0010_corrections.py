"""Corrections of the record: what the provider is told of them, when a casella is to be closed, and who may.

A request may come to belong to another record now, when two are merged: what lists are read by follows it.
"""

from django.db import migrations, models

FOLLOW = """
CREATE OR REPLACE FUNCTION pec_requests_list_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' OR NEW.member_id IS DISTINCT FROM OLD.member_id THEN
        SELECT ordine_id INTO NEW.ordine_id FROM members_member WHERE id = NEW.member_id;
        -- There is no such member: the foreign key will say so.
        NEW.ordine_id = coalesce(NEW.ordine_id, 0);
    END IF;
    NEW.needs_staff = pec_requests_needs_staff(NEW);
    RETURN NEW;
END $$;
DROP TRIGGER pec_requests_list_row ON pec_requests_pecrequest;
CREATE TRIGGER pec_requests_list_row BEFORE INSERT OR UPDATE OF member_id, status, recovery_email
    ON pec_requests_pecrequest FOR EACH ROW EXECUTE FUNCTION pec_requests_list_row();

CREATE OR REPLACE FUNCTION pec_requests_list_requests() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE touched bigint[];
BEGIN
    IF TG_OP = 'INSERT' THEN
        DELETE FROM members_term t USING new_rows n JOIN members_member m ON m.id = n.member_id
         WHERE (t.ordine_id, t.term, t.sort, t.member_id) = (m.ordine_id, '=pec SENZA', m.search_key, m.id);
        INSERT INTO members_term (ordine_id, term, sort, member_id)
        SELECT m.ordine_id, '=pec ' || n.status, m.search_key, m.id
          FROM new_rows n JOIN members_member m ON m.id = n.member_id
         ORDER BY 1, 2, 3, 4 ON CONFLICT DO NOTHING;
        RETURN NULL;
    END IF;
    DELETE FROM members_term t
     USING old_rows o JOIN new_rows n USING (id) JOIN members_member m ON m.id = o.member_id
     WHERE (o.status, o.member_id) IS DISTINCT FROM (n.status, n.member_id)
       AND (t.ordine_id, t.term, t.sort, t.member_id) = (m.ordine_id, '=pec ' || o.status, m.search_key, m.id);
    INSERT INTO members_term (ordine_id, term, sort, member_id)
    SELECT m.ordine_id, '=pec ' || n.status, m.search_key, m.id
      FROM old_rows o JOIN new_rows n USING (id) JOIN members_member m ON m.id = n.member_id
     WHERE (o.status, o.member_id) IS DISTINCT FROM (n.status, n.member_id)
       AND n.status IN ('RICHIESTA', 'NON_ATTIVO', 'ATTIVO', 'SOSPESO')
     ON CONFLICT DO NOTHING;
    SELECT array_agg(DISTINCT id) INTO touched FROM (
        SELECT n.member_id AS id FROM old_rows o JOIN new_rows n USING (id)
         WHERE o.status <> n.status AND n.status IN ('ANNULLATO', 'RIFIUTATO', 'CESSATO')
         UNION ALL
        SELECT unnest(ARRAY[o.member_id, n.member_id]) FROM old_rows o JOIN new_rows n USING (id)
         WHERE o.member_id <> n.member_id) AS changed;
    IF touched IS NOT NULL THEN
        PERFORM FROM members_member WHERE id = ANY (touched) ORDER BY id FOR NO KEY UPDATE;
        PERFORM pec_requests_list_without(touched);
    END IF;
    RETURN NULL;
END $$;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('members', '0003_lists'),
        ('pec_requests', '0009_lists'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='pecrequest',
            options={'ordering': ['-id'], 'permissions': [('request_pec', 'Può richiedere una PEC'), ('cancel_request', 'Può annullare una richiesta'), ('retry_operation', "Può riprovare un'operazione"), ('suspend_pec', 'Può sospendere e riattivare una casella'), ('close_pec', 'Può cessare una casella'), ('cancel_enrolment', "Può cancellare dall'albo"), ('correct_tax_code', 'Può correggere un codice fiscale'), ('merge_members', 'Può unire due schede'), ('transfer_member', 'Può trasferire a un altro Ordine')], 'verbose_name': 'richiesta PEC', 'verbose_name_plural': 'richieste PEC'},
        ),
        migrations.AddField(
            model_name='pecrequest',
            name='closes_on',
            field=models.DateField(blank=True, editable=False, null=True, verbose_name='da chiudere il'),
        ),
        migrations.AddField(
            model_name='provideroperation',
            name='former_tax_code',
            field=models.CharField(blank=True, db_default='', max_length=16, verbose_name='codice fiscale di prima'),
        ),
        migrations.AlterField(
            model_name='provideroperation',
            name='kind',
            field=models.CharField(choices=[('CREATE', 'Creazione della casella'), ('ACTIVATE', 'Attivazione della casella'), ('RESET', 'Invio del link per la password'), ('TAX_CODE', 'Correzione del codice fiscale'), ('RECOVERY_EMAIL', "Cambio dell'email di recupero"), ('SUSPEND', 'Sospensione della casella'), ('RESUME', 'Riattivazione della casella'), ('CLOSE', 'Chiusura della casella')], max_length=20, verbose_name='operazione'),
        ),
        migrations.AddIndex(
            model_name='pecrequest',
            index=models.Index(condition=models.Q(('closes_on__isnull', False), ('status__in', ('RICHIESTA', 'NON_ATTIVO', 'ATTIVO', 'SOSPESO'))), fields=['closes_on'], name='request_closes_on'),
        ),
        # Back to 0009 nothing hands a request over, and these do what those did.
        migrations.RunSQL(FOLLOW, migrations.RunSQL.noop),
    ]
