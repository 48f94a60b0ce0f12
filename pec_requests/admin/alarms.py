"""What staff read, and answer, of an alarm about the recovery e-mail."""

from __future__ import annotations

from datetime import datetime

from django import forms
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from pec_requests import recovery_alarms
from pec_requests.models import PecRequest, RecoveryEmailChange

SETTLE_ALARM = "pec_requests.settle_alarm"


class VerdictForm(forms.Form):
    """Who it was, as the member says on the telephone."""

    verdict = forms.ChoiceField(
        label=gettext_lazy("Chi ha chiesto il cambio"),
        choices=RecoveryEmailChange.Verdict.choices,
        widget=forms.RadioSelect,
        error_messages={"required": gettext_lazy("Indicare chi ha chiesto il cambio.")},
    )


def alarm_text(pec: PecRequest, alarms: list[RecoveryEmailChange]) -> str:
    """What to do, and what each answer leads to."""
    if not alarms:
        return _("Non c'è nessuna segnalazione da verificare.")
    if old := recovery_alarms.to_put_back(pec, alarms[0]):
        return _(
            "Chiamare l'iscritto a un numero che l'Ordine conosce già. Se non è stato lui, presso il gestore torna "
            "l'email di recupero di prima, %(old)s: poi reimposti la password della casella, che altri potrebbero aver "
            "scelto. Se è stato lui, resta %(now)s, e l'indirizzo che ha segnalato non sarà più avvisato dei cambi."
        ) % {"old": old, "now": pec.recovery_email}
    return _(
        "Chiamare l'iscritto a un numero che l'Ordine conosce già. L'email di recupero è %(now)s e non cambia. Se è "
        "stato lui, può chiedere di nuovo il cambio, e l'indirizzo che ha segnalato non ne sarà più avvisato."
    ) % {"now": pec.recovery_email or _("ancora da indicare")}


def alarm_words(alarm: RecoveryEmailChange) -> str:
    """One change: from where to where, when it was asked for, and who said it was not the member."""
    return _("Cambio in %(new)s chiesto il %(asked)s; l'ha segnalato chi legge %(told)s, il %(at)s") % {
        "new": alarm.new_email,
        "asked": _moment(alarm.created_at),
        "told": alarm.told_email,
        "at": _moment(alarm.alarm_at) if alarm.alarm_at else "–",
    }


def _moment(at: datetime) -> str:
    return date_format(timezone.localtime(at), "d/m/Y H:i")
