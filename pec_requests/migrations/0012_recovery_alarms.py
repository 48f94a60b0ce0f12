"""Who was told of a change of the recovery e-mail, and the alarm that they may raise: it too needs staff.

Its row is written under the lock of the request, as all that a request's ``needs_staff`` follows from.
"""

from django.db import migrations, models

BODY = """
    SELECT (r.status = 'RICHIESTA' AND r.recovery_email = '')
        OR (r.status IN ('RICHIESTA', 'NON_ATTIVO', 'ATTIVO', 'SOSPESO') AND NOT EXISTS (
               SELECT FROM members_enrolment e WHERE e.member_id = r.member_id AND e.status IN ('ISCRITTO', 'SOSPESO')))
        OR EXISTS (SELECT FROM pec_requests_provideroperation o WHERE o.request_id = r.id AND o.state = 'ATTENTION')
"""
FUNCTION = """
CREATE OR REPLACE FUNCTION pec_requests_needs_staff(r pec_requests_pecrequest) RETURNS boolean
    LANGUAGE sql STABLE SET enable_seqscan = off AS $$%s$$;
"""
ALARMS = FUNCTION % (
    BODY
    + """
        OR EXISTS (SELECT FROM pec_requests_recoveryemailchange c
                    WHERE c.request_id = r.id AND c.alarm_at IS NOT NULL AND c.verdict = '')
"""
) + """
CREATE FUNCTION pec_requests_list_alarm() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pec_requests_look_again(ARRAY[NEW.request_id]);
    RETURN NULL;
END $$;
CREATE TRIGGER pec_requests_list_alarm AFTER INSERT OR UPDATE OF alarm_at, verdict ON pec_requests_recoveryemailchange
    FOR EACH ROW WHEN (NEW.alarm_at IS NOT NULL) EXECUTE FUNCTION pec_requests_list_alarm();
"""
NO_ALARMS = """
DROP TRIGGER pec_requests_list_alarm ON pec_requests_recoveryemailchange;
DROP FUNCTION pec_requests_list_alarm();
""" + FUNCTION % BODY


class Migration(migrations.Migration):

    dependencies = [
        ('pec_requests', '0011_request_batches'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='pecrequest',
            options={'ordering': ['-id'], 'permissions': [('request_pec', 'Può richiedere una PEC'), ('cancel_request', 'Può annullare una richiesta'), ('retry_operation', "Può riprovare un'operazione"), ('suspend_pec', 'Può sospendere e riattivare una casella'), ('close_pec', 'Può cessare una casella'), ('cancel_enrolment', "Può cancellare dall'albo"), ('correct_tax_code', 'Può correggere un codice fiscale'), ('merge_members', 'Può unire due schede'), ('transfer_member', 'Può trasferire a un altro Ordine'), ('settle_alarm', "Può chiudere un allarme sull'email di recupero")], 'verbose_name': 'richiesta PEC', 'verbose_name_plural': 'richieste PEC'},
        ),
        migrations.AddField(
            model_name='recoveryemailchange',
            name='alarm_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='recoveryemailchange',
            name='applied_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='recoveryemailchange',
            name='dropped',
            field=models.CharField(blank=True, choices=[('REPLACED', 'un altro ha preso il suo posto'), ('WITHDRAWN', "ritirato dall'iscritto"), ('STOPPED', 'fermato da un allarme')], db_default='', max_length=10),
        ),
        migrations.AddField(
            model_name='recoveryemailchange',
            name='old_email',
            field=models.CharField(blank=True, db_default='', max_length=254),
        ),
        migrations.AddField(
            model_name='recoveryemailchange',
            name='told_email',
            field=models.CharField(blank=True, db_default='', max_length=254),
        ),
        migrations.AddField(
            model_name='recoveryemailchange',
            name='verdict',
            field=models.CharField(blank=True, choices=[('MEMBER', "È stato l'iscritto"), ('STRANGER', "Non è stato l'iscritto")], db_default='', max_length=10),
        ),
        migrations.RunSQL(ALARMS, NO_ALARMS),
    ]
