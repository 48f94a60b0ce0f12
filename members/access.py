"""Ways into an account: invitation, forgotten password, and the code an Ordine prints for who has no e-mail.

Each is an ``AccessLink``: usable once, until it expires or a newer one takes its place. Only a digest is kept.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

from audit import log
from audit.actors import Actor
from members import emails, mail, sessions, throttle
from members.identification import every_member, identify
from members.links import LinkState, address, digest, new_secret
from members.models import AccessLink, Member, Ordine, User

Purpose = AccessLink.Purpose

# Crockford's alphabet: no letter that can be read as another letter or as a digit. 12 of 32 are 60 bits.
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_MISREAD = str.maketrans("OIL", "011")
_CODE_LENGTH, _GROUP = 12, 4
# Links for a new password in a day. ``throttle`` counts who asks, and forgets when its cache does; this does not.
_LINKS_PER_DAY = 10


@dataclass(frozen=True)
class Inspection:
    """A link as found; ``link`` is None when it is unknown."""

    state: LinkState
    link: AccessLink | None = None

    @property
    def ordine(self) -> Ordine | None:
        """Whom to ask when it no longer works."""
        record = self.link.user.record if self.link else None
        return record.ordine if record else None


class AccessRefused(Exception):
    """The office asked for something that cannot be done; the text says why."""


class DeadLink(Exception):
    """The link no longer works; ``state`` says why."""

    def __init__(self, state: LinkState) -> None:
        super().__init__(state)
        self.state = state


# --- Giving access ----------------------------------------------------------------------------------------------------
@transaction.atomic
def invite(member: Member, actor: Actor) -> None:
    """Mail the member a link to choose a password; earlier invitations stop working."""
    if not member.usable_email:
        reason = member.get_email_problem_display()
        raise AccessRefused(
            _("Invito non spedito: l'e-mail personale %(reason)s. Correggila nella scheda, oppure stampa un codice.")
            % {"reason": reason}
        )
    token = new_secret()
    _issue(_active_account(member), Purpose.INVITATION, digest(token), timedelta(days=settings.INVITATION_DAYS))
    context = {"member": member, "link": address("members:invitation", token), "days": settings.INVITATION_DAYS}
    mail.send("invitation", to=member.usable_email, ordine=member.ordine, context=context)
    _record("access.invited", actor, member, email=emails.mask(member.usable_email))


@transaction.atomic
def print_code(member: Member, actor: Actor) -> str:
    """A code to hand over on paper, entered with the codice fiscale; shown this once, earlier codes stop working."""
    account = _active_account(member)
    code = "".join(secrets.choice(_ALPHABET) for _position in range(_CODE_LENGTH))
    _issue(account, Purpose.PRINTED, _code_digest(account.pk, code), timedelta(days=settings.INVITATION_DAYS))
    _record("access.code_printed", actor, member)
    return "-".join(code[start : start + _GROUP] for start in range(0, _CODE_LENGTH, _GROUP))


@transaction.atomic
def send_password_link(identifier: str, actor: Actor) -> None:
    """Mail a link for a new password to whom this identifies, at the address we know; otherwise do nothing.

    Runs in a worker, so that the page takes the same time whoever exists. A member who was never invited gets the
    link as well: the address is the one of the fascicolo, as in an invitation.
    """
    found = identify(identifier)
    if found.shared:
        mail.send("password_link_shared", to=identifier.strip(), ordine=None, context={})
        return
    member, user = found.member, found.user
    to = _mail_address(user, member)
    if not to or (user is not None and not user.is_active):
        return
    account = account_of(member) if member else user
    if account is None or _had_enough_links(account):
        return
    token = new_secret()
    _issue(account, Purpose.PASSWORD, digest(token), timedelta(hours=settings.PASSWORD_LINK_HOURS))
    context = {
        "member": member,
        "name": _name(account, member),
        "link": address("members:password_link", token),
        "hours": settings.PASSWORD_LINK_HOURS,
    }
    mail.send("password_link", to=to, ordine=member.ordine if member else None, context=context)
    _record("access.link_sent", actor, member, email=emails.mask(to))


# --- Using it ---------------------------------------------------------------------------------------------------------
def inspect(token: str) -> Inspection:
    """What became of the link with this token."""
    return _inspect(digest(token))


def inspect_code(tax_code: str, code: str) -> Inspection:
    """What became of a printed code, entered by the person with this codice fiscale."""
    user = identify(tax_code).user
    plain = "".join(character for character in code.upper() if character.isalnum()).translate(_MISREAD)
    return _inspect(_code_digest(user.pk if user else 0, plain))


def note_wrong_code(tax_code: str, actor: Actor) -> None:
    """Somebody has entered a printed code that there is not."""
    _record("access.code_failed", actor, identify(tax_code).member)


def inspect_link(link_id: int | None) -> Inspection:
    """What became of a link that was found before."""
    link = AccessLink.objects.select_related("user").filter(pk=link_id).first() if link_id else None
    return Inspection(_state(link), link) if link else Inspection(LinkState.UNKNOWN)


@transaction.atomic
def set_password(link_id: int, password: str, actor: Actor) -> User:
    """Use the link up: set the password, which ends every open session, and all other links of the account.

    Of two at once one succeeds; ``DeadLink`` for the other.
    """
    user = User.objects.select_for_update(of=("self",)).filter(access_links=link_id).first()
    found = inspect_link(link_id)
    if user is None or found.link is None or found.state is not LinkState.VALID or not user.is_active:
        raise DeadLink(found.state if found.state is not LinkState.VALID else LinkState.UNKNOWN)
    had_password = user.has_usable_password()
    user.set_password(password)
    user.save(update_fields=["password"])
    now = timezone.now()
    AccessLink.objects.filter(pk=link_id).update(used_at=now)
    _live_links(user).exclude(pk=link_id).update(replaced_at=now)
    sessions.end_all(user)
    throttle.lift_at_the_door(
        user
    )  # the link has proved who they are: what strangers have tried stands in nobody's way
    _record("access.password_set", actor, user.record)
    if had_password:
        tell_password_changed(user)
    return user


@transaction.atomic
def admit(tax_code: str) -> User | None:
    """The account of the member with this codice fiscale, who has proved who they are; None for nobody's.

    Made on the first occasion, as an invitation would. What the Ordine gave out for a first password has done its work:
    nobody else should come in by it.
    """
    member = every_member().select_for_update(of=("self",)).filter(tax_code=tax_code).first()
    if member is None:
        return None
    account = account_of(member)
    if account.is_active:
        _live_links(account).exclude(purpose=Purpose.PASSWORD).update(used_at=timezone.now())
    return account


def tell_password_changed(user: User) -> None:
    """Tell the owner of the account, so that a change by somebody else does not go unseen."""
    _tell(user, "password_changed")


def tell_second_factor_changed(user: User) -> None:
    """The same for a second factor activated, removed, or given new recovery codes."""
    _tell(user, "second_factor_changed")


def tell_new_device(user: User, device: str, ip: str | None) -> None:
    """The same for a sign-in by a browser that had never been seen with this account."""
    _tell(user, "new_device", device=device, ip=ip or "")


def _tell(user: User, template: str, **more: str) -> None:
    member = user.record
    to = _mail_address(user, member)
    if to:
        context = {"member": member, "name": _name(user, member), "at": timezone.now(), **more}
        mail.send(template, to=to, ordine=member.ordine if member else None, context=context)


def tell_email_replaced(member: Member, old: str) -> None:
    """Tell the old address that the office put another in its place: links for a new password go there now."""
    account = member.user
    in_use = account and (account.has_usable_password() or account.last_login)  # who came by SPID has no password
    if in_use and emails.is_valid(old):
        context = {"member": member, "name": member.full_name, "new_email": emails.mask(member.personal_email)}
        mail.send("email_replaced", to=old, ordine=member.ordine, context=context)


def sign_in_name(user: User) -> str:
    """What somebody who is no member signs in with."""
    return user.email if user.works_in_office and emails.is_valid(user.email) else user.username


def staff_link(user: User) -> tuple[str, int]:
    """A link to choose the password, for whoever begins to work in an office, and for how many days it holds."""
    token = new_secret()
    _issue(user, Purpose.INVITATION, digest(token), timedelta(days=settings.INVITATION_DAYS))
    return address("members:invitation", token), settings.INVITATION_DAYS


def void_password(user: User, actor: Actor) -> None:
    """Somebody else may know it: every session and every link ends, and the way in is a new link or code."""
    account = User.objects.select_for_update(of=("self",)).get(pk=user.pk)
    account.set_unusable_password()
    account.save(update_fields=["password"])
    _live_links(account).update(replaced_at=timezone.now())
    sessions.end_all(account)
    _record("access.password_voided", actor, account.record)


def retire(user: User) -> bool:
    """Close the account of a record that is no more: its sessions end, its links are void. False for one that also
    works in an office, and goes on without a record.
    """
    if user.works_in_office:
        return False
    user.is_active = False
    user.set_unusable_password()
    user.save(update_fields=["is_active", "password"])
    sessions.end_all(user)
    void_links(user)
    return True


def identity_of_staff() -> str:
    """Why the codice fiscale behind such an account stays: by SPID or CIE one comes in as whom it names."""
    return _(
        "Questa persona lavora anche in segreteria ed entra con il suo codice fiscale: prima di cambiarlo va tolto "
        "l'incarico."
    )


def follow_own_email(user: User, email: str) -> None:
    """Whoever works in an office has confirmed another personal e-mail: mail about the account goes there as well."""
    if user.works_in_office:
        user.email = email
        user.save(update_fields=["email"])


def void_links(user: User) -> None:
    """No link of this account works any more: they went to an address that is no longer its owner's."""
    _live_links(user).update(replaced_at=timezone.now())


def forget(older_than: timedelta) -> int:
    """Delete the links that ended longer ago than this. Return how many."""
    before = timezone.now() - older_than
    ended = AccessLink.objects.filter(expires_at__lt=before) | AccessLink.objects.filter(used_at__lt=before)
    ended |= AccessLink.objects.filter(replaced_at__lt=before)
    return ended.delete()[0]


# --- The pieces -------------------------------------------------------------------------------------------------------
def _active_account(member: Member) -> User:
    account = account_of(member)
    if not account.is_active:
        raise AccessRefused(_("L'accesso di questa persona al portale è disattivato."))
    # Or else whoever may print a code could enter as a colleague, or as the federation.
    if account.works_in_office:
        raise AccessRefused(_("Questa persona lavora anche in segreteria: la password si cambia solo da sé."))
    return account


def account_of(member: Member) -> User:
    """The member's account, made on the first occasion, with a generated name and no password."""
    row = every_member().select_for_update(of=("self",)).get(pk=member.pk)
    if row.user is None:
        account = User(username=f"m-{secrets.token_hex(8)}", first_name=row.name[:150], last_name=row.surname[:150])
        account.set_unusable_password()
        account.save()
        every_member().filter(pk=row.pk).update(user=account)
    else:
        account = row.user
    member.user = account
    return account


def _issue(user: User, purpose: Purpose, of: str, lifetime: timedelta) -> None:
    User.objects.select_for_update(of=("self",)).get(pk=user.pk)
    now = timezone.now()
    _live_links(user).filter(purpose=purpose).update(replaced_at=now)
    AccessLink.objects.create(user=user, purpose=purpose, digest=of, expires_at=now + lifetime)


def _had_enough_links(user: User) -> bool:
    since = timezone.now() - timedelta(days=1)
    links = AccessLink.objects.filter(user=user, purpose=Purpose.PASSWORD, created_at__gt=since)
    return links.count() >= _LINKS_PER_DAY


def _live_links(user: User) -> QuerySet[AccessLink]:
    return AccessLink.objects.filter(user=user, used_at=None, replaced_at=None)


def _inspect(of: str) -> Inspection:
    link = AccessLink.objects.select_related("user").filter(digest=of).first()
    return Inspection(_state(link), link) if link else Inspection(LinkState.UNKNOWN)


def _state(link: AccessLink) -> LinkState:
    if link.used_at:
        return LinkState.USED
    if link.replaced_at:
        return LinkState.REPLACED
    return LinkState.EXPIRED if link.expires_at <= timezone.now() else LinkState.VALID


def _mail_address(user: User | None, member: Member | None) -> str:
    """Where a person's mail goes: the fascicolo's address of a member, the account's of staff.

    Of who is both, the account's, too: the office may write what it likes in the fascicolo, and would come in by it as
    a colleague.
    """
    if member and not (user and user.works_in_office):
        return member.usable_email
    return user.email if user and emails.is_valid(user.email) else ""


def _name(user: User, member: Member | None) -> str:
    return member.full_name if member else user.get_full_name() or user.username


def _code_digest(user_id: int, code: str) -> str:
    """A printed code is short: it counts only together with the person it was printed for, and its digest is slow and
    salted with what is not in the database, or whoever reads that could try all codes until one fits.
    """
    salt = salted_hmac("members.access.printed", str(user_id), algorithm="sha256").digest()
    return hashlib.scrypt(code.encode(), salt=salt, n=2**14, r=8, p=1, dklen=32).hex()


def _record(action: str, actor: Actor, member: Member | None, **detail: str) -> None:
    person, ordine = (member.pk, member.ordine.code) if member else (None, "")
    log.record(action, actor, member, person=person, ordine=ordine, **detail)
