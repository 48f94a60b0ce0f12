import django.contrib.postgres.fields
import members.models
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('members', '0004_import_runs'),
    ]

    operations = [
        migrations.AddField(
            model_name='member',
            name='wants_reminders',
            field=models.BooleanField(db_default=True, default=True, editable=False, verbose_name='vuole i promemoria'),
        ),
        migrations.AddField(
            model_name='ordine',
            name='daily_digest',
            field=models.BooleanField(default=True, help_text="Ogni mattina, se c'è qualcosa da dire, un'e-mail alla segreteria.", verbose_name='riepilogo quotidiano'),
        ),
        migrations.AddField(
            model_name='ordine',
            name='reminder_days',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.IntegerField(), blank=True, default=members.models.default_reminder_days, help_text="Dopo quanti giorni ricordare all'iscritto che la casella aspetta di essere accettata: numeri separati da virgole, per esempio 7, 15, 25. Vuoto: nessun promemoria.", size=None, validators=[members.models.validate_reminder_days], verbose_name='promemoria dopo giorni'),
        ),
    ]
