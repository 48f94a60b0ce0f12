"""How the actions of this app read in the log."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

SENTENCES: dict[str, str | Promise] = {
    "pec.request": _("Richiesta la casella {address}"),
    "pec.batch.asked": _("Chieste in blocco le caselle di {count} iscritti ({asked})"),
    "pec.batch.done": _("Richieste {made} caselle; non possibili: {refused}"),
    "pec.batch.cancel": _("Deciso di annullare ciò che non è iniziato: {reason}"),
    "pec.batch.cancelled": _("Annullate {count} richieste che non erano iniziate"),
    "pec.create": _("Casella {address} creata dal gestore"),
    "pec.accept": _("Casella {address} attiva: il gestore ha confermato"),
    "pec.accept.decided": _("Assegnazione della casella {address} accettata"),
    "pec.refuse": _("Assegnazione della casella {address} rifiutata"),
    "pec.cancel": _("Richiesta della casella {address} annullata: {reason}"),
    "pec.suspend": _("Casella {address} sospesa"),
    "pec.suspend.decided": _("Sospensione della casella {address} decisa: {reason}"),
    "pec.resume": _("Casella {address} riattivata"),
    "pec.resume.decided": _("Riattivazione della casella {address} decisa"),
    "pec.close": _("Casella {address} cessata"),
    "pec.close.decided": _("Cessazione della casella {address} decisa: {reason}"),
    "pec.readdressed": _("L'indirizzo {old} risulta già assegnato presso il gestore: proposto {address}"),
    "pec.recovery.set": _("Email di recupero indicata: {email}"),
    "pec.recovery.asked": _("Chiesto il cambio dell'email di recupero in {email}"),
    "pec.recovery.dropped": _("Ritirato il cambio dell'email di recupero in {email}"),
    "pec.recovery.confirmed": _("Nuova email di recupero confermata: {email}"),
    "pec.recovery.changed": _("Email di recupero cambiata presso il gestore: {email}"),
    "pec.reset.asked": _("Chiesto il link per reimpostare la password della casella {address}"),
    "pec.reset.sent": _("Il gestore ha spedito il link per la password a {email}"),
    "pec.reset.unknown": _("Non si sa se il gestore abbia spedito il link per la password"),
    "pec.tax_code.corrected": _("Codice fiscale del titolare della casella {address} corretto presso il gestore"),
    "pec.leaving": _("Non è più in alcun albo: la casella {address} sarà chiusa il {day}"),
    "pec.returned": _("È di nuovo in un albo: la casella {address} non sarà chiusa"),
    "pec.mended": _("Differenza con il gestore riparata: {repair} (registro: {here}; gestore: {there})"),
    "member.merged": _(
        "Unita qui la scheda {record}: dati presi {filled}; iscrizioni portate {moved}, non conservate {dropped}; "
        "caselle {addresses}; accesso al portale {account}; non coincidevano: {unlike}"
    ),
    "member.tax_code_corrected": _("Codice fiscale corretto: prima {old}, ora {new}"),
    "member.tax_code_restored": _("Rimesso il codice fiscale {new}: il gestore non ha accettato {old}"),
    "member.enrolment_cancelled": _("Cancellazione dall'albo dal {day}: {enrolments}. Motivo: {reason}"),
    "member.handed_over": _("Scheda ceduta da {before} a {after}, con le iscrizioni {enrolments}"),
    "member.received": _("Scheda ricevuta da {before}: ora la tiene {after}; iscrizioni {enrolments}"),
    "member.sheet_printed": _("Scheda aperta per la stampa"),
    "operation.attention": _("{kind}: da verificare. {error}"),
    "operation.retry": _("{kind}: la segreteria ha chiesto di riprovare"),
    "operation.dropped": _("{kind}: la segreteria ha rinunciato"),
    "operation.closed_there": _("Casella {address} chiusa presso il gestore"),
    "provider.stopped": _("Il gestore rifiuta le credenziali: invii sospesi"),
    "provider.open": _("Il gestore non è raggiungibile: invii sospesi"),
    "provider.closed": _("Il gestore è di nuovo raggiungibile"),
}
