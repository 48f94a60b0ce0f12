"""How the actions of this app read in the log."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

SENTENCES: dict[str, str | Promise] = {
    "access.invited": _("Invito al portale spedito a {email}"),
    "access.code_printed": _("Codice di primo accesso stampato"),
    "access.link_sent": _("Link per una nuova password del portale spedito a {email}"),
    "access.password_set": _("Nuova password del portale impostata"),
    "access.password_voided": _("Password del portale annullata: ne serve una nuova"),
    "access.login": _("Accesso al portale"),
    "access.login_failed": _("Tentativo di accesso non riuscito"),
    "access.logout": _("Uscita dal portale"),
    "identity.login": _("Accesso al portale con {gateway} (livello {level}, da {issuer})"),
    "identity.confirmed": _("Identità confermata con {gateway} (livello {level}, da {issuer})"),
    "identity.unknown": _("Accesso con {gateway} di chi non è iscritto: {tax_code} (livello {level}, da {issuer})"),
    "identity.level_too_low": _("Accesso con {gateway} rifiutato: livello troppo basso ({level})"),
    "albo.imported": _("Albo importato dal file {file}: {created} create, {updated} aggiornate, {rejected} respinte"),
    "import.uploaded": _("File {file} caricato ({size} byte, SHA-256 {sha256})"),
    "import.columns_chosen": _("Indicate le colonne del file {file}"),
    "import.confirmed": _("Importazione del file {file} confermata"),
    "import.cancelled": _("Importazione del file {file} annullata"),
    "import.failed": _("Importazione del file {file} non riuscita: {problem}"),
    "import.rejects_taken": _("Righe respinte del file {file} scaricate"),
    "pecs.imported": _("PEC esistenti importate dal file {file}: {updated} aggiornate, {rejected} respinte"),
    "federation.added": _("Inserito {kind}: {name}"),
    "federation.changed": _("Modificato {kind}: {name}"),
    "list.exported": _("Esportazione {kind} iniziata: {list} {asked}"),
    "list.export_ended": _("Esportazione {kind} conclusa: {list}, righe {rows}"),
    "list.export_broken": _("Esportazione {kind} interrotta: {list}, righe {rows}"),
    "member.created": _("Iscritto inserito"),
    "member.updated": _("Scheda modificata: {fields}"),
    "member.reminders_on": _("Promemoria per e-mail riattivati"),
    "member.reminders_off": _("Promemoria per e-mail disattivati"),
    "member.language": _("Lingua scelta per pagine e messaggi: {language}"),
    "member.email_confirmed": _("E-mail personale confermata"),
}
