import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('members', '0005_notice_choices'),
        ('pec_requests', '0012_recovery_alarms'),
    ]

    operations = [
        migrations.CreateModel(
            name='Digest',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('day', models.DateField()),
            ],
            options={
                'verbose_name': 'riepilogo spedito',
                'verbose_name_plural': 'riepiloghi spediti',
            },
        ),
        migrations.CreateModel(
            name='Told',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('what', models.CharField(max_length=60)),
                ('at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                'verbose_name': 'avviso dato',
                'verbose_name_plural': 'avvisi dati',
            },
        ),
        migrations.AddField(
            model_name='pecrequest',
            name='reminded',
            field=models.PositiveSmallIntegerField(db_default=0, default=0, editable=False),
        ),
        migrations.AddField(
            model_name='provideroperation',
            name='refused_field',
            field=models.CharField(blank=True, db_default='', default='', editable=False, max_length=40),
        ),
        migrations.AddIndex(
            model_name='pecrequest',
            index=models.Index(condition=models.Q(('accepted_at', None), ('status', 'NON_ATTIVO')), fields=['ordine', 'reminded', 'status_at'], name='request_to_accept'),
        ),
        migrations.AddField(
            model_name='digest',
            name='ordine',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='members.ordine'),
        ),
        migrations.AddField(
            model_name='told',
            name='request',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='pec_requests.pecrequest'),
        ),
        migrations.AddConstraint(
            model_name='digest',
            constraint=models.UniqueConstraint(fields=('ordine', 'day'), name='one_digest_a_day'),
        ),
        migrations.AddConstraint(
            model_name='told',
            constraint=models.UniqueConstraint(fields=('request', 'what'), name='told_once'),
        ),
    ]
