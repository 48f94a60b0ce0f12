"""Who can be given a PEC, and in which words we say why not."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from django.db import models
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy

from members import tax_codes
from members.keyset import rows_of
from members.models import Enrolment, Member
from members.sets import among
from pec_requests.addresses import local_part
from pec_requests.models import PecDomain, PecRequest
from pec_requests.states import LIVE

CURRENT = (Enrolment.Status.ISCRITTO, Enrolment.Status.SOSPESO)
# What the rules look at, and what is written of a member who can: all that need be read of many.
_LOOKED_AT = (
    *("ordine_id", "surname", "name", "tax_code", "tax_code_mismatch", "birth_date", "own_pec"),
    *("personal_email", "email_problem"),
)


class Reason(models.TextChoices):
    """Why somebody cannot be given a PEC of a domain; of several, the first."""

    NO_CONVENTION = "NO_CONVENTION", gettext_lazy("L'Ordine non aderisce alla convenzione per il dominio %(domain)s.")
    HAS_ONE = "HAS_ONE", gettext_lazy("Ha già una richiesta o una casella PEC.")
    NOT_ENROLLED = "NOT_ENROLLED", gettext_lazy("Non è iscritto ad alcun albo.")
    MISMATCH = (
        "MISMATCH",
        gettext_lazy(
            "Il codice fiscale non corrisponde ai dati anagrafici: il gestore rifiuterebbe. Correggere la scheda."
        ),
    )
    MINOR = "MINOR", gettext_lazy("Ha meno di 18 anni: il gestore assegna caselle solo ai maggiorenni.")
    NO_ADDRESS = (
        "NO_ADDRESS",
        gettext_lazy("Con questo nome e cognome non si può comporre un indirizzo. Correggere la scheda."),
    )

    def sentence(self, domain: PecDomain) -> str:
        return str(self.label) % {"domain": domain.name}


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


def domains_for(ordine_ids: Iterable[int]) -> QuerySet[PecDomain]:
    """The domains in which any of these Ordini may assign addresses."""
    return PecDomain.objects.filter(ordini__in=list(ordine_ids)).distinct()


def look_at(member_ids: Collection[int]) -> list[Member]:
    """Some members of the scope, with what matters here, in the order of primary keys."""
    return list(Member.objects.filter(among('"members_member"."id"', member_ids)).only(*_LOOKED_AT).order_by("pk"))


class Rules:
    """The rules for one domain as they are today, for as many members as come."""

    def __init__(self, domain: PecDomain) -> None:
        self.domain = domain
        # By primary key, the code: what the log calls an Ordine.
        self.ordini: dict[int, str] = dict(domain.ordini.values_list("pk", "code"))
        self._today = timezone.localdate()

    def refusals(self, members: Sequence[Member]) -> dict[int, Reason]:
        """By primary key, those of the members who cannot be given a PEC of this domain, and why."""
        ids = [m.pk for m in members]
        enrolments = rows_of(Enrolment).filter(among('"members_enrolment"."member_id"', ids), status__in=CURRENT)
        requests = rows_of(PecRequest).filter(among('"pec_requests_pecrequest"."member_id"', ids), status__in=LIVE)
        current = set(enrolments.order_by().values_list("member_id", flat=True))
        live = set(requests.order_by().values_list("member_id", flat=True))
        return {m.pk: reason for m in members if (reason := self._refusal(m, m.pk in current, m.pk in live))}

    def _refusal(self, member: Member, is_enrolled: bool, has_one: bool) -> Reason | None:
        if member.ordine_id not in self.ordini:
            return Reason.NO_CONVENTION
        if has_one:
            return Reason.HAS_ONE
        if not is_enrolled:
            return Reason.NOT_ENROLLED
        if member.tax_code_mismatch:
            return Reason.MISMATCH
        if not tax_codes.is_adult(member.birth_date or member.tax_code, self._today):
            return Reason.MINOR
        return None if local_part(member.name, member.surname) else Reason.NO_ADDRESS
