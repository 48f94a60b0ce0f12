"""Requests for many at once, and what keeps the filling of an empty queue from becoming slower with every row."""

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
import uuid
from django.db import migrations, models


# The plan of a function is kept for as long as a session: one that was made while there were no operations yet would
# read all of them for every row, once there are many.
BY_INDEX = "ALTER FUNCTION pec_requests_needs_staff(pec_requests_pecrequest) SET enable_seqscan = off"
AS_IT_COMES = "ALTER FUNCTION pec_requests_needs_staff(pec_requests_pecrequest) RESET enable_seqscan"


class Migration(migrations.Migration):

    dependencies = [
        ('members', '0004_import_runs'),
        ('pec_requests', '0010_corrections'),
    ]

    operations = [
        migrations.CreateModel(
            name='RequestBatch',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.UUIDField(default=uuid.uuid4, editable=False)),
                ('actor', models.JSONField(verbose_name='chi')),
                ('asked_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='quando')),
                ('asked', models.CharField(max_length=500, verbose_name='per chi')),
                ('member_ids', django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), default=list, editable=False, size=None)),
                ('members', models.PositiveIntegerField(default=0, verbose_name='iscritti')),
                ('state', models.CharField(choices=[('WAITING', 'in corso'), ('DONE', 'fatta'), ('FAILED', 'non riuscita'), ('CANCELLED', 'annullata prima di cominciare')], default='WAITING', max_length=10, verbose_name='stato')),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('made', models.PositiveIntegerField(default=0, verbose_name='richieste')),
                ('refused', models.PositiveIntegerField(default=0, verbose_name='non possibili')),
                ('refusals', models.JSONField(default=dict)),
                ('done_at', models.DateTimeField(blank=True, null=True, verbose_name='fatta il')),
                ('cancel_actor', models.JSONField(blank=True, null=True)),
                ('cancel_reason', models.CharField(blank=True, max_length=300, verbose_name="motivo dell'annullamento")),
                ('cancel_asked_at', models.DateTimeField(blank=True, null=True, verbose_name='annullamento chiesto il')),
                ('cancel_done_at', models.DateTimeField(blank=True, null=True, verbose_name='annullamento concluso il')),
                ('cancelled', models.PositiveIntegerField(default=0, verbose_name='annullate')),
                ('domain', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='pec_requests.pecdomain', verbose_name='dominio')),
                ('ordine', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='members.ordine', verbose_name='Ordine')),
            ],
            options={
                'verbose_name': 'richiesta in blocco',
                'verbose_name_plural': 'richieste in blocco',
                'ordering': ['-id'],
            },
        ),
        migrations.AddField(
            model_name='pecrequest',
            name='batch',
            field=models.ForeignKey(db_index=False, editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='requests', to='pec_requests.requestbatch'),
        ),
        migrations.AddIndex(
            model_name='pecrequest',
            index=models.Index(condition=models.Q(('batch__isnull', False)), fields=['batch', 'status', 'id'], include=('needs_staff',), name='request_batch'),
        ),
        migrations.AddIndex(
            model_name='requestbatch',
            index=models.Index(fields=['ordine', '-id'], name='batch_list'),
        ),
        migrations.AddIndex(
            model_name='requestbatch',
            index=models.Index(condition=models.Q(('state', 'WAITING')), fields=['id'], name='batch_waiting'),
        ),
        migrations.AddIndex(
            model_name='requestbatch',
            index=models.Index(condition=models.Q(('cancel_asked_at__isnull', False), ('cancel_done_at', None)), fields=['id'], name='batch_being_cancelled'),
        ),
        migrations.AddConstraint(
            model_name='requestbatch',
            constraint=models.UniqueConstraint(fields=('ordine', 'key'), name='one_batch_per_click'),
        ),
        migrations.RunSQL(BY_INDEX, AS_IT_COMES),
    ]
