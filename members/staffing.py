"""Who works in an office: roles given, changed and taken away. Nobody else writes ``StaffRole``.

An account is a person's, whatever offices it opens: whoever gives a role never sets the e-mail or the password of an
account that is there already. Somebody already known is recognised only where all that was typed agrees with what we
know, and one sentence answers all that does not, so that nobody is found out by trying.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from django.db import connection, transaction
from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from audit import log
from audit.actors import Actor
from members import access, emails, mail, sessions
from members.identification import every_member, every_role
from members.models import Member, Ordine, StaffRole, User
from members.names import search_key

Role = StaffRole.Role
# Any fixed number. Roles change rarely: one at a time in the whole installation, so that of two clicks the second finds
# what the first did, and two who dismiss each other do not both go.
_LOCK = 7_316_005
DISMISSED = "staff.dismissed"
OWN_ROLE = gettext_lazy("Il proprio incarico lo cambia, o lo toglie, un altro responsabile.")


class StaffRefused(Exception):
    """What was asked for cannot be done; the text says why."""


@dataclass(frozen=True)
class Person:
    """Somebody as typed in; ``tax_code`` only of who is a member of an albo."""

    name: str
    surname: str
    email: str
    tax_code: str = ""


@transaction.atomic
def appoint(ordine: Ordine, person: Person, role: str, actor: Actor) -> tuple[StaffRole, bool]:
    """Give somebody a role, with an account where there is none yet. False beside it where they have it already."""
    _one_at_a_time()
    if problem := emails.problem(person.email):
        raise StaffRefused(_("L'e-mail %(problem)s.") % {"problem": problem.label})
    known = _member_account(person) if person.tax_code else _colleague(person)
    account = known or _new_account(person)
    held = every_role().select_related("user", "ordine").filter(user=account, ordine=ordine).first()
    if held is not None and held.role == role:
        return held, False
    if held is not None:
        raise StaffRefused(_("Lavora già in questa segreteria: il ruolo si cambia nella sua pagina."))
    if known:
        _make_safe(account, person.email)
    given = StaffRole.objects.create(user=account, ordine=ordine, role=role)
    _record("staff.appointed", actor, given, role=_label(role))
    if has_come_in(account):
        _tell("office_staff_role", given)
    else:
        _invite(given)
    return given, True


@transaction.atomic
def change_role(pk: int, role: str, actor: Actor) -> bool:
    """Another role in the same office. False where they have it already, or have none any more."""
    _one_at_a_time()
    held = _held(pk)
    if held is None or held.role == role:
        return False
    _check(held, actor)
    old, held.role = held.role, role
    held.save(update_fields=["role"])
    _record("staff.role_changed", actor, held, old=_label(old), role=_label(role))
    _tell("office_staff_role", held)
    return True


@transaction.atomic
def dismiss(pk: int, actor: Actor) -> bool:
    """Take the role away: every session ends at once, and the account with it where nothing else hangs on it.

    False where somebody has done it already.
    """
    _one_at_a_time()
    held = _held(pk)
    if held is None:
        return False
    _check(held, actor)
    user = held.user
    _record(DISMISSED, actor, held, role=_label(held.role))
    _tell("office_staff_dismissed", held)
    held.delete()
    sessions.end_all(user)
    access.void_links(user)
    if user.record is None:
        access.retire(user)
    return True


@transaction.atomic
def invite_again(pk: int, actor: Actor) -> None:
    """Another link for somebody who has never come in, to the address the account has."""
    _one_at_a_time()
    held = _held(pk)
    if held is None or has_come_in(held.user) or not held.user.is_active:
        raise StaffRefused(_("Ha già scelto la password: se l'ha dimenticata, chiede da sé un nuovo link."))
    _invite(held)
    _record("staff.invited", actor, held, email=emails.mask(held.user.email))


def has_come_in(user: User) -> bool:
    """Whether somebody has a way in already: a password, or SPID or CIE once used."""
    return user.has_usable_password() or user.last_login is not None


# --- Who it is --------------------------------------------------------------------------------------------------------
def _member_account(person: Person) -> User:
    """The account of a member, of whatever Ordine, made on the first occasion."""
    member = every_member().filter(tax_code=person.tax_code).first()
    address = (member.user.email if member.user else "") or member.usable_email if member else ""
    if member is None or not _is(member.surname, member.name, person) or not emails.same(address, person.email):
        raise StaffRefused(
            _(
                "Non risulta un iscritto con questo codice fiscale, questo nome e questa e-mail personale. Per chi non "
                "è iscritto lasciare vuoto il codice fiscale."
            )
        )
    account = access.account_of(member)
    if not account.is_active:
        raise StaffRefused(_("L'accesso di questa persona al portale è disattivato: rivolgersi alla federazione."))
    if account.is_superuser:
        raise StaffRefused(_("Questo account è della federazione."))
    return account


def _colleague(person: Person) -> User | None:
    """Whoever works in an office with this e-mail already; ``StaffRefused`` where the e-mail is somebody else's."""
    working = Q(pk__in=every_role().values("user")) | Q(is_superuser=True)
    others = list(User.objects.filter(working, email__iexact=person.email, is_active=True)[:2])
    members = every_member().filter(personal_email__iexact=person.email).exclude(user__in=others)
    if not others and not members.exists():
        return None
    first = others[0] if others else None
    if first is None or len(others) > 1 or members.exists() or first.is_superuser or not _is_called(first, person):
        raise StaffRefused(
            _(
                "Questa e-mail è già di un'altra persona: indicarne una che legge solo chi riceve l'incarico. Di chi è "
                "iscritto a un albo va indicato anche il codice fiscale."
            )
        )
    return first


def _is_called(user: User, person: Person) -> bool:
    record = user.record
    surname, name = (record.surname, record.name) if record else (user.last_name, user.first_name)
    return _is(surname, name, person)


def _is(surname: str, name: str, person: Person) -> bool:
    return search_key(surname, name) == search_key(person.surname, person.name)


def _new_account(person: Person) -> User:
    account = User(
        username=f"s-{secrets.token_hex(8)}", first_name=person.name, last_name=person.surname, email=person.email
    )
    account.set_unusable_password()
    account.save()
    return account


def _make_safe(account: User, email: str) -> None:
    """Links and printed codes that others gave out, or saw, would open an office from now on: they end. Mail about the
    account goes to its own address henceforth, which the office that keeps the record cannot write over.
    """
    access.void_links(account)
    if not account.email:
        account.email = email
        account.save(update_fields=["email"])


# --- The pieces -------------------------------------------------------------------------------------------------------
def _one_at_a_time() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])


def _held(pk: int) -> StaffRole | None:
    """A role of the scope."""
    return StaffRole.objects.select_related("user", "ordine").filter(pk=pk).first()


def _check(held: StaffRole, actor: Actor) -> None:
    """Nobody leaves an Ordine without anybody who answers for it, and nobody decides about themselves."""
    if held.role == Role.RESPONSABILE and not _others_answer(held):
        raise StaffRefused(
            _(
                "È l'unico responsabile dell'Ordine che può entrare: prima va nominato un altro responsabile, e deve "
                "aver scelto la password."
            )
        )
    if held.user_id == actor.user_id:
        raise StaffRefused(OWN_ROLE)


def _others_answer(held: StaffRole) -> bool:
    """Whether another responsabile can come in."""
    others = StaffRole.objects.filter(ordine=held.ordine, role=Role.RESPONSABILE, user__is_active=True)
    return any(has_come_in(other.user) for other in others.exclude(pk=held.pk).select_related("user"))


def _label(role: str) -> str:
    return str(Role(role).label)


def _invite(held: StaffRole) -> None:
    link, days = access.staff_link(held.user)
    _tell("office_staff_invited", held, link=link, days=days)


def _tell(template: str, held: StaffRole, **context: object) -> None:
    """To the person concerned. Whoever has no address is told by those who took the decision."""
    user = held.user
    if emails.is_valid(user.email):
        shown = {"name": person_name(user), "role": _label(held.role), **context}
        mail.send_all([mail.Letter(template, user.email, held.ordine, shown, to_office=True)])


def person_name(user: User) -> str:
    """Whose account it is, as people say it."""
    return user.get_full_name() or user.username


def _record(action: str, actor: Actor, held: StaffRole, **detail: str) -> None:
    record: Member | None = held.user.record
    person = record.pk if record else None
    log.record(action, actor, held, person=person, ordine=held.ordine.code, name=person_name(held.user), **detail)
