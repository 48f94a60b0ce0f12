"""Forgetting who left the albo: so many years later, as each Ordine has decided, nothing is kept that no law asks for.

What goes: how to reach them (e-mail, telephone, residence, own PEC, recovery e-mails), the account with all that hangs
on it, wishes and links. What stays: who they are and when they were in which albo (the albo is a public register, and
the records of a public body are discarded only with leave of the Soprintendenza archivistica); which PEC was theirs and
when, since notices were served there, and no address may ever go to another person; and the log, by its own retention.

Nobody is forgotten as long as a mailbox is live, something is asked of the provider, or the day they left is not known.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from allauth.mfa.models import Authenticator
from django.db import transaction
from django.db.models import Exists, Max, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone
from django_scopes import scopes_disabled

from audit import log
from audit.actors import Actor
from members import access, devices
from members.models import AccessLink, EmailChange, Enrolment, Member, Ordine, User
from pec_requests import corrections
from pec_requests.eligibility import CURRENT
from pec_requests.models import PecRequest, ProviderOperation, RecoveryEmailChange
from pec_requests.states import LIVE

# As many as one transaction holds.
CHUNK = 100
_CONTACTS = ("personal_email", "mobile", "own_pec", "address", "postcode", "town", "province")


def due(ordine: Ordine) -> QuerySet[Member]:
    """Who of an Ordine is to be forgotten by now. For who serves all Ordini, without a scope."""
    enrolments = Enrolment.objects.filter(member=OuterRef("pk")).order_by()
    left = enrolments.values("member").annotate(last=Max("cancelled_on")).values("last")
    mailboxes = PecRequest.objects.filter(member=OuterRef("pk"), status__in=LIVE)
    asked = ProviderOperation.objects.filter(request__member=OuterRef("pk"), state__in=ProviderOperation.UNSETTLED)
    something = Q(user__isnull=False)
    for field in _CONTACTS:
        something |= ~Q(**{field: ""})
    members = Member.objects.annotate(left=Subquery(left)).filter(something, ordine=ordine)
    return (
        members.filter(left__lt=_years_ago(ordine.forget_years))
        .exclude(Exists(enrolments.filter(Q(status__in=CURRENT) | Q(cancelled_on=None))))
        .exclude(Exists(mailboxes))
        .exclude(Exists(asked))
        .order_by("pk")
    )


def forget_all(actor: Actor) -> int:
    """Forget everybody whose time has come, a few at a time. Return how many."""
    count = 0
    with scopes_disabled():
        for ordine in Ordine.objects.order_by("pk"):
            for ids in _chunks(due(ordine)):
                count += forget(ordine, ids, actor)
    return count


def _chunks(members: QuerySet[Member]) -> Iterator[list[int]]:
    """Each is met once: who works in an office keeps the account, and would be found again for ever."""
    last = 0
    while ids := list(members.filter(pk__gt=last).values_list("pk", flat=True)[:CHUNK]):
        yield ids
        last = ids[-1]


def forget(ordine: Ordine, ids: list[int], actor: Actor) -> int:
    """Forget these, as far as their time has come when their records are locked; none while a worker holds one."""
    try:
        with transaction.atomic():
            locked = corrections.lock(ids).members
            members = due(ordine).filter(pk__in=locked).select_related("ordine", "user")
            return sum(_forget(member, actor) for member in members)
    except corrections.CorrectionRefused:
        return 0  # tomorrow night


def _forget(member: Member, actor: Actor) -> bool:
    fields = [field for field in _CONTACTS if getattr(member, field)]
    gone = _forget_account(member)
    if not fields and not gone:
        return False
    for field in _CONTACTS:
        setattr(member, field, "")
    member.email_confirmed_at = member.mobile_set_at = None
    member.save()
    EmailChange.objects.filter(member=member).delete()
    requests = PecRequest.objects.filter(member=member)
    # Their rows stay, without addresses: the portal's role deletes neither these nor accounts.
    RecoveryEmailChange.objects.filter(request__in=requests).update(new_email="", old_email="", told_email="")
    ProviderOperation.objects.filter(request__in=requests).update(recovery_email="", result="", last_error="")
    requests.update(recovery_email="")
    log.record(
        "member.forgotten",
        actor,
        member,
        person=member.pk,
        ordine=member.ordine.code,
        years=member.ordine.forget_years,
        fields=", ".join(str(Member._meta.get_field(field).verbose_name) for field in fields) or "–",  # type: ignore[union-attr]  # plain fields
        account="chiuso e svuotato" if gone else "–",
    )
    return True


def _forget_account(member: Member) -> bool:
    """Take the account off the record, close it and empty it; not one that also works in an office, and is needed
    there. Whoever comes back gets another.
    """
    account: User | None = member.user
    if account is None or not access.retire(account):
        return False
    Authenticator.objects.filter(user=account).delete()
    AccessLink.objects.filter(user=account).delete()
    devices.forget_all(account)
    account.first_name = account.last_name = account.email = ""
    account.username, account.last_login = f"chiuso-{account.pk}", None
    account.save()
    member.user = None
    return True


def _years_ago(years: int) -> date:
    today = timezone.localdate()
    return date(today.year - years, today.month, min(today.day, 28))
