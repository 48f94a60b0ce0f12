"""Corrections of the record: what the provider is told of them, when a casella is to be closed, and who may."""

from django.db import migrations, models


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
    ]
