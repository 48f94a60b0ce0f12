"""Examples of the mails about a mailbox: see ``members.letter_examples``."""

from __future__ import annotations

import dataclasses
from datetime import date, timedelta

from django.conf import settings
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from members import letter_examples
from members.letter_examples import EMAIL, NEW_EMAIL, Example
from members.mail import Letter
from members.models import Albo, Enrolment, Ordine
from pec_requests import digests, notices
from pec_requests.mending import Mend
from pec_requests.models import PecRequest, ProviderHealth

_ADDRESS = "giulia.esempio@tsrm.org"


def _request(ordine: Ordine) -> PecRequest:
    member = letter_examples.member(ordine)
    return PecRequest(
        member=member,
        ordine=ordine,
        address=_ADDRESS,
        recovery_email=EMAIL,
        status_at=timezone.now() - timedelta(days=7),
        closes_on=timezone.localdate() + timedelta(days=ordine.closing_days),
    )


def _of_act(act: str, when: str | Promise) -> Example:
    return Example(when, lambda ordine: notices.letter(act, EMAIL, _request(ordine)))


def _about(template: str, when: str | Promise, **context: object) -> Example:
    return Example(when, lambda ordine: notices.about(template, EMAIL, _request(ordine), **context))


def _reminder(ordine: Ordine) -> Letter:
    stop = letter_examples.link("members:unsubscribe")
    return dataclasses.replace(notices.letter("reminder", EMAIL, _request(ordine)), unsubscribe=stop)


def _recovery(template: str, when: str | Promise, *, to_office: bool = False, **context: object) -> dict[str, Example]:
    """About a change of the recovery e-mail, with all that such a mail may show."""

    def letter(ordine: Ordine) -> Letter:
        shown = {
            "new_email": notices.masked(NEW_EMAIL),
            "old_email": notices.masked(EMAIL),
            "told_email": notices.masked(EMAIL),
            "link": letter_examples.link("pec_requests:confirm-recovery"),
            "stop_link": letter_examples.link("pec_requests:stop-recovery"),
            "password_link": settings.PORTAL_URL + reverse("members:password_forgotten"),
            "page": settings.PORTAL_URL + reverse("admin:pec_requests_pecrequest_changelist"),
            "hours": settings.RECOVERY_LINK_HOURS,
        }
        about = notices.about(template, EMAIL, _request(ordine), **shown | context)
        return dataclasses.replace(about, to_office=to_office)

    return {template: Example(when, letter)}


def _enrolment_cancelled(ordine: Ordine) -> Letter:
    enrolment = Enrolment(albo=Albo(name="Logopedista"), number="123", enrolled_on=date(2020, 1, 1))
    context = {"member": letter_examples.member(ordine), "enrolments": [enrolment], "on": timezone.localdate()}
    return Letter("enrolment_cancelled", EMAIL, ordine, context)


def _transferred(ordine: Ordine) -> Letter:
    before = Ordine(name=str(_("Ordine di prima")), short_name=str(_("Ordine di prima")))
    context = {"member": letter_examples.member(ordine), "before": before, "request": _request(ordine)}
    return Letter("transferred", EMAIL, ordine, context)


def _digest(ordine: Ordine) -> Letter:
    trouble = ProviderHealth(state=ProviderHealth.State.OPEN, since=timezone.now())
    found = digests.News(
        accepted=12, refused=1, activated=11, attention=2, waiting=34, differences=1, trouble=trouble, waiting_days=25
    )
    return digests.letter(ordine, timezone.localdate(), found)


def _provider_stopped(ordine: Ordine) -> Letter:
    return Letter("provider_stopped", "amministrazione@example.com", None, {"reason": _("Il gestore risponde 401.")})


EXAMPLES = {
    "pec_ready": _of_act("create", _("Quando il gestore ha creato la casella")),
    "pec_reminder": Example(_("Quando la casella aspetta da tempo di essere accettata"), _reminder),
    "pec_refused_email": _of_act(Mend.EMAIL, _("Quando il gestore non accetta l'email di recupero")),
    "pec_refused_identity": _of_act(Mend.IDENTITY, _("Quando il gestore non accetta i dati anagrafici")),
    "pec_active": _of_act("accept", _("Quando il gestore ha attivato la casella accettata")),
    "pec_suspended": _of_act("suspend", _("Quando la casella è sospesa")),
    "pec_resumed": _of_act("resume", _("Quando la casella è riattivata")),
    "pec_leaving": _of_act("leaving", _("Quando l'iscritto non è più in alcun albo")),
    "pec_returned": _of_act("returned", _("Quando l'iscritto è di nuovo in un albo")),
    "pec_closed": _of_act("close", _("Quando la casella è chiusa")),
    "enrolment_cancelled": Example(_("Quando la segreteria cancella un iscritto dall'albo"), _enrolment_cancelled),
    "transferred": Example(_("Quando l'iscritto passa a un altro Ordine"), _transferred),
    **_recovery("recovery_confirm", _("Al nuovo indirizzo di recupero, perché lo confermi")),
    **_recovery("recovery_asked", _("All'indirizzo di prima, quando qualcuno chiede di cambiarlo")),
    **_recovery("recovery_changed", _("Ai due indirizzi, quando l'email di recupero è cambiata")),
    **_recovery("recovery_refused", _("Ai due indirizzi, quando il gestore non accetta quello nuovo")),
    **_recovery("recovery_stopped", _("All'iscritto, quando qualcuno dice che non è stato lui"), made=False),
    **_recovery(
        "recovery_alarm", _("Alla segreteria, quando qualcuno dice che non è stato l'iscritto"), to_office=True
    ),
    **_recovery("recovery_untold", _("Alla segreteria, quando del cambio non si può avvisare nessuno"), to_office=True),
    "reset_sent": _about(
        "reset_sent", _("All'iscritto, quando parte il link per la password"), email=notices.masked(EMAIL)
    ),
    "office_digest": Example(_("Ogni mattina alla segreteria, se c'è qualcosa da dire"), _digest),
    "provider_stopped": Example(_("All'amministrazione, se il gestore rifiuta le credenziali"), _provider_stopped),
}
