"""How the actions of this app read in the log."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

SENTENCES: dict[str, str | Promise] = {
    "access.invited": _("Invito al portale spedito a {email}"),
    "access.code_printed": _("Codice di primo accesso stampato"),
    "access.link_sent": _("Link per una nuova password del portale spedito a {email}"),
    "access.password_set": _("Nuova password del portale impostata"),
    "access.login": _("Accesso al portale"),
    "access.login_failed": _("Tentativo di accesso non riuscito"),
    "access.logout": _("Uscita dal portale"),
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
    "member.email_asked": _("Chiesto il cambio dell'e-mail personale in {email}"),
    "member.email_dropped": _("Ritirato il cambio dell'e-mail personale in {email}"),
    "member.email_confirmed": _("Nuova e-mail personale confermata: {email}"),
    "member.mobile_set": _("Cellulare indicato dall'iscritto"),
}
