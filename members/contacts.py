"""What a member may change of the own record: the mobile number, and the personal e-mail once it has confirmed.

An import leaves alone what the member has said here; the office may write something else, and then that counts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import models, transaction
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_scopes import scopes_disabled

from audit import log
from audit.actors import Actor
from members import access, emails, mail
from members.emails import EmailProblem
from members.identification import every_member
from members.links import LinkState, address, digest, new_secret
from members.models import EmailChange, Member, User

# The field that a member may write, and the mark that it is the member's own word.
OWN_WORD = {"personal_email": "email_confirmed_at", "mobile": "mobile_set_at"}

_WHY_NOT = {
    EmailProblem.MISSING: gettext_lazy("Scrivi l'indirizzo."),
    EmailProblem.INVALID: gettext_lazy("Non è un indirizzo e-mail valido: controlla che sia scritto per intero."),
    EmailProblem.IS_PEC: gettext_lazy("È una PEC: qui serve un indirizzo e-mail ordinario."),
}
_BLANKS = re.compile(r"[\s./()-]+")
_NUMBER = re.compile(r"(\+|00)?\d{8,15}", re.ASCII)

# By hand: every look at a record asks, and composed by Django it took a seventh of what that costs.
_PENDING = f"""
SELECT * FROM {EmailChange._meta.db_table}
WHERE member_id = %s AND confirmed_at IS NULL AND dropped_at IS NULL AND expires_at > %s ORDER BY id DESC LIMIT 1
"""  # noqa: S608  (names of our own)


class ContactRefused(Exception):
    """The record cannot be changed like this. ``str()`` says why, to the member."""


@dataclass(frozen=True)
class Link:
    """A confirmation link, looked at: its state, and the wish behind it where there is one."""

    state: LinkState
    change: EmailChange | None = None


# --- The personal e-mail ----------------------------------------------------------------------------------------------
def check_email(member: Member, email: str) -> None:
    """Raise ``ContactRefused`` where this cannot become the member's personal e-mail."""
    problem = EmailProblem(emails.problem(email))
    if problem:
        raise ContactRefused(str(_WHY_NOT[problem]))
    if emails.same(email, member.personal_email):
        raise ContactRefused(_("È già la tua e-mail personale."))


@transaction.atomic
def ask_email(member_id: int, email: str, actor: Actor) -> None:
    """Write down the wish and mail the link to the new address. A newer wish takes the place of an older one."""
    member = _locked(member_id)
    check_email(member, email)
    secret = new_secret()
    _waiting(member).update(dropped_at=Now())
    EmailChange.objects.create(
        member=member,
        new_email=email,
        old_email=member.personal_email,
        digest=digest(secret),
        session_hash=_session_hash(member),
        expires_at=timezone.now() + timedelta(hours=settings.EMAIL_LINK_HOURS),
    )
    _record("member.email_asked", member, actor, email=emails.mask(email))
    link = address("members:confirm_email", secret)
    _tell("email_confirm", email, member, link=link, hours=settings.EMAIL_LINK_HOURS)
    _tell("email_asked", member.personal_email, member, new_email=emails.mask(email))


def pending(member: Member) -> EmailChange | None:
    """The wish that still waits for its confirmation, if any."""
    wish = next(iter(_every_wish().raw(_PENDING, [member.pk, timezone.now()])), None)
    return wish if wish and _still_meant(wish, member) else None


def inspect(secret: str) -> Link:
    """What a link is worth. Its owner need not be signed in: so this looks in every Ordine, by digest alone."""
    change = _every_wish().select_related("member__ordine", "member__user").filter(digest=digest(secret)).first()
    return Link(_state(change), change) if change else Link(LinkState.UNKNOWN)


@transaction.atomic
def confirm(secret: str, actor: Actor) -> Link:
    """The owner of the new address says yes. Return the link as it was found; only a VALID one has had an effect."""
    found = inspect(secret)
    if found.change is None:
        return found
    member = _locked(found.change.member_id)
    link = inspect(secret)  # again, now that nobody else can use it
    if link.state is not LinkState.VALID or link.change is None:
        return link
    _every_wish().filter(pk=link.change.pk).update(confirmed_at=Now())
    member.personal_email, member.email_confirmed_at = link.change.new_email, timezone.now()
    member.save(update_fields=["personal_email", "email_problem", "email_confirmed_at"])
    if member.user:
        access.void_links(member.user)
        access.follow_own_email(member.user, member.personal_email)
    _record("member.email_confirmed", member, actor, email=emails.mask(member.personal_email))
    _tell("email_changed", link.change.old_email, member, new_email=emails.mask(member.personal_email))
    return link


@transaction.atomic
def drop_email(member_id: int, actor: Actor) -> bool:
    """The member takes a wish back before it is confirmed. False when there was none."""
    member = _locked(member_id)
    wish = pending(member)
    if wish is None:
        return False
    _waiting(member).update(dropped_at=Now())
    _record("member.email_dropped", member, actor, email=emails.mask(wish.new_email))
    return True


def forget(older_than: timedelta) -> None:
    """Delete the wishes whose link ended longer ago than this."""
    _every_wish().filter(expires_at__lt=timezone.now() - older_than).delete()


# --- The mobile number ------------------------------------------------------------------------------------------------
def clean_mobile(number: str) -> str:
    """The number without what people write between its digits; ``ContactRefused`` where it is none."""
    plain = _BLANKS.sub("", number)
    if plain and not _NUMBER.fullmatch(plain):
        raise ContactRefused(_("Non è un numero di telefono: scrivi solo le cifre, ad esempio 333 1234567."))
    return plain


@transaction.atomic
def set_mobile(member_id: int, number: str, actor: Actor) -> bool:
    """Write the member's number, or that there is none. False when it was so already."""
    member = _locked(member_id)
    if member.mobile_set_at and member.mobile == number:
        return False
    member.mobile, member.mobile_set_at = number, timezone.now()
    member.save(update_fields=["mobile", "mobile_set_at"])
    _record("member.mobile_set", member, actor)
    return True


# --- The pieces -------------------------------------------------------------------------------------------------------
def _state(change: EmailChange) -> LinkState:
    if change.confirmed_at:
        return LinkState.USED
    if change.dropped_at or not _still_meant(change, change.member):
        return LinkState.REPLACED
    return LinkState.EXPIRED if change.expires_at <= timezone.now() else LinkState.VALID


def _still_meant(change: EmailChange, member: Member) -> bool:
    """A new password ends what others may have wished in its owner's name; another address, what was to replace it."""
    return change.session_hash == _session_hash(member) and change.old_email == member.personal_email


def _session_hash(member: Member) -> str:
    user: User | None = member.user
    return str(user.get_session_auth_hash()) if user and user.is_active else ""


def _waiting(member: Member) -> models.QuerySet[EmailChange]:
    return _every_wish().filter(member=member, confirmed_at=None, dropped_at=None)


def _every_wish() -> models.QuerySet[EmailChange]:
    """Of whatever Ordine: who confirms need not be signed in, and is known by a secret; the rest ask for a member."""
    with scopes_disabled():
        return EmailChange.objects.all()


def _locked(member_id: int) -> Member:
    return every_member().select_for_update(of=("self",)).get(pk=member_id)


def _tell(template: str, to: str, member: Member, **context: object) -> None:
    """To whoever can be reached there: the address of before may have been none."""
    if emails.is_valid(to):
        shown = {"member": member, "name": member.full_name, **context}
        mail.send(template, to=to, ordine=member.ordine, context=shown)


def _record(action: str, member: Member, actor: Actor, **detail: str) -> None:
    log.record(action, actor, member, person=member.pk, ordine=member.ordine.code, **detail)
