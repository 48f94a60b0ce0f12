"""The words of an import: how a line ends, why it is rejected, what it is warned of, and the sentence for each."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Outcome(models.TextChoices):
    """How a line ends."""

    CREATED = "created", _("creata")
    UPDATED = "updated", _("aggiornata")
    UNCHANGED = "unchanged", _("invariata")
    REJECTED = "rejected", _("respinta")


class Rejection(models.TextChoices):
    """Why a line is rejected. The first that applies, in this order, is the one that is told.

    ``CELLS_MISPLACED`` and ``VALUE_TOO_LONG`` are for lines that do not fit the register as they are: rather than cut a
    value, or guess where one belongs, the line goes back to the office. The three after them are of INI-PEC's files.
    """

    CF_MISSING = "cf_missing", _("Manca il codice fiscale.")
    CF_INVALID = "cf_invalid", _("Il codice fiscale è sbagliato: lunghezza, caratteri o carattere di controllo.")
    NAME_MISSING = "name_missing", _("Manca il cognome o il nome.")
    DATE_INVALID = "date_invalid", _("Una data non esiste o non si può leggere: va scritta come 31/12/2024.")
    ALBO_UNKNOWN = "albo_unknown", _("L'albo non è tra quelli dell'Ordine: controllare come è scritto.")
    ALBO_CLOSED = "albo_closed", _("L'albo non è più, o non è ancora, valido.")
    STATUS_UNKNOWN = "status_unknown", _("Lo stato non è ISCRITTO, SOSPESO o CANCELLATO.")
    CELLS_MISPLACED = (
        "cells_misplaced",
        _("La riga ha più celle delle intestazioni: controllare i separatori."),
    )
    VALUE_TOO_LONG = "value_too_long", _("Un valore è troppo lungo per la scheda.")
    PEC_STATE_UNKNOWN = "pec_state_unknown", _("Lo stato non è 1, 2 o 3, come nei file per INI-PEC.")
    PEC_INVALID = "pec_invalid", _("La PEC manca o non è un indirizzo valido.")
    PERSON_UNKNOWN = "person_unknown", _("La persona non è tra gli iscritti: va prima importata con l'albo.")
    OTHER_ORDINE = "other_ordine", _("La persona appartiene a un altro Ordine: va chiesto il trasferimento.")
    DUPLICATE_CONFLICT = (
        "duplicate_conflict",
        _("La stessa persona è già più sopra, nello stesso albo, con altri dati."),
    )


class Warn(models.TextChoices):
    """What a line that was accepted is warned of, in the order in which warnings are listed."""

    CF_MISMATCH = "cf_mismatch", _("Codice fiscale non coerente con i dati: nessuna PEC finché non si corregge")
    EMAIL_MISSING = "email_missing", _("Manca l'e-mail personale: la richiesta di PEC attende")
    EMAIL_INVALID = "email_invalid", _("L'e-mail personale non è valida: la richiesta di PEC attende")
    EMAIL_IS_PEC = "email_is_pec", _("L'e-mail personale è una PEC: la richiesta di PEC attende")
    EMAIL_KEPT = "email_kept", _("L'iscritto ha confermato un'altra e-mail: resta quella")
    MOBILE_KEPT = "mobile_kept", _("L'iscritto ha indicato un altro cellulare: resta quello")
    CONTACT_CONFLICT = "contact_conflict", _("Due righe della stessa persona hanno recapiti diversi: vale la prima")
    PEC_OF_CONVENTION = "pec_of_convention", _("È una casella della convenzione, che il portale gestisce da sé")
    PEC_KEPT = "pec_kept", _("In scheda c'è un'altra PEC: resta quella")
