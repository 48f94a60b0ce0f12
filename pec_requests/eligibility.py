"""Who can be given a PEC, and in which words we say why not."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from members import tax_codes
from members.models import Enrolment, Member
from pec_requests.addresses import local_part
from pec_requests.models import PecDomain, PecRequest
from pec_requests.states import LIVE

CURRENT = (Enrolment.Status.ISCRITTO, Enrolment.Status.SOSPESO)


def enrolled() -> Q:
    """Members with at least one enrolment that is not cancelled."""
    return Q(Exists(Enrolment.objects.filter(member=OuterRef("pk"), status__in=CURRENT)))


def with_live_request() -> Q:
    """Members with a request or a mailbox that stands."""
    return Q(Exists(PecRequest.objects.filter(member=OuterRef("pk"), status__in=LIVE)))


def lacking_pec() -> Q:
    """Enrolled members who have neither a live request nor a PEC of their own."""
    return enrolled() & ~with_live_request() & Q(own_pec="")


def without_pec() -> QuerySet[Member]:
    """Enrolled members of the scope who have neither a live request nor a PEC of their own."""
    return Member.objects.filter(lacking_pec())


def domains_for(ordine_id: int) -> QuerySet[PecDomain]:
    """The domains in which an Ordine may assign addresses."""
    return PecDomain.objects.filter(ordini=ordine_id)


def refusals(members: Sequence[Member], domain: PecDomain) -> dict[int, str]:
    """For each member who cannot be given a PEC of this domain: a sentence that says why."""
    ids = [m.pk for m in members]
    current = _member_ids(
        Enrolment.objects.filter(member__in=ids, status__in=CURRENT).values_list("member_id", flat=True)
    )
    live = _member_ids(PecRequest.objects.filter(member__in=ids, status__in=LIVE).values_list("member_id", flat=True))
    ordini = set(domain.ordini.values_list("pk", flat=True))
    today = timezone.localdate()
    found = {}
    for member in members:
        sentence = _refusal(member, current, live, ordini, today, domain)
        if sentence:
            found[member.pk] = sentence
    return found


def _member_ids(rows: Iterable[int]) -> set[int]:
    return set(rows)


def _refusal(
    member: Member, current: set[int], live: set[int], ordini: set[int], today: datetime.date, domain: PecDomain
) -> str:
    if member.ordine_id not in ordini:
        return _("L'Ordine non aderisce alla convenzione per il dominio %(domain)s.") % {"domain": domain.name}
    if member.pk in live:
        return _("Ha già una richiesta o una casella PEC.")
    if member.pk not in current:
        return _("Non è iscritto ad alcun albo.")
    if member.tax_code_mismatch:
        return _("Il codice fiscale non corrisponde ai dati anagrafici: il gestore rifiuterebbe. Correggere la scheda.")
    if not tax_codes.is_adult(member.birth_date or member.tax_code, today):
        return _("Ha meno di 18 anni: il gestore assegna caselle solo ai maggiorenni.")
    if not local_part(member.name, member.surname):
        return _("Con questo nome e cognome non si può comporre un indirizzo. Correggere la scheda.")
    return ""
