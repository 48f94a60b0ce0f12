"""One example of every mail the portal sends, with invented data: for who wants to see how it will look, and for a test
that looks at each.

Each app registers, when it is ready, those of its own templates.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from django.conf import settings
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from audit.models import Seal
from members import devices, emails
from members.mail import Letter
from members.models import Member, Ordine, StaffRole

NAME, SURNAME, EMAIL, NEW_EMAIL = "Giulia", "Esempio", "giulia.esempio@example.com", "giulia.nuova@example.com"
_COLLEAGUE = "Anna Segreteria"


@dataclass(frozen=True)
class Example:
    """``when``: on which occasion the mail goes out. ``letter`` makes one in the name of an Ordine."""

    when: str | Promise
    letter: Callable[[Ordine], Letter]


_EXAMPLES: dict[str, Example] = {}


def register(examples: Mapping[str, Example]) -> None:
    """Add the examples of an app, by the names of their templates."""
    _EXAMPLES.update(examples)


def all_examples() -> dict[str, Example]:
    """By the names of the templates, in the order of the apps."""
    return dict(_EXAMPLES)


def member(ordine: Ordine) -> Member:
    """Somebody who is not there."""
    return Member(ordine=ordine, name=NAME, surname=SURNAME, personal_email=EMAIL, email_problem="")


def link(view: str) -> str:
    """An address like those in the mails, that leads to nothing."""
    return f"{settings.PORTAL_URL}{reverse(view, args=['esempio'])}"


def _to_account(
    template: str, when: str | Promise, *, signed: bool = True, more: Callable[[], dict[str, object]] = dict
) -> dict[str, Example]:
    """About the account of a member; ``signed`` by an Ordine, or by the portal alone."""

    def letter(ordine: Ordine) -> Letter:
        person = member(ordine)
        context = {"member": person, "name": person.full_name, "at": timezone.now(), **more()}
        return Letter(template, EMAIL, ordine if signed else None, context)

    return {template: Example(when, letter)}


def _log_anchor(ordine: Ordine) -> Letter:
    mark = Seal(since=1, until=2, count=120, sealed_at=timezone.now(), digest="0a1b2c3d" * 8)
    context = {"mark": mark, "seals": 34, "broken": ""}
    return Letter("log_anchor", "amministrazione@example.com", None, context, to_office=True)


def _to_colleague(
    template: str, when: str | Promise, more: Callable[[], dict[str, object]] = dict
) -> dict[str, Example]:
    """To somebody who works in the office."""

    def letter(ordine: Ordine) -> Letter:
        context = {"name": _COLLEAGUE, "role": str(StaffRole.Role.OPERATORE.label), **more()}
        return Letter(template, EMAIL, ordine, context, to_office=True)

    return {template: Example(when, letter)}


EXAMPLES = {
    **_to_account(
        "invitation",
        _("Quando la segreteria invita un iscritto al portale"),
        more=lambda: {"link": link("members:invitation"), "days": settings.INVITATION_DAYS},
    ),
    **_to_account(
        "password_link",
        _("Quando qualcuno ha dimenticato la password del portale"),
        more=lambda: {"link": link("members:password_link"), "hours": settings.PASSWORD_LINK_HOURS},
    ),
    **_to_account(
        "password_link_shared", _("Quando lo chiede con un indirizzo che hanno in più persone"), signed=False
    ),
    **_to_account("password_changed", _("Quando la password del portale è cambiata")),
    **_to_account("second_factor_changed", _("Quando il secondo fattore di accesso è cambiato")),
    **_to_account(
        "new_device",
        _("Quando qualcuno entra nel portale da un dispositivo mai usato prima"),
        more=lambda: {"device": devices.in_words("Windows Firefox/"), "ip": "192.0.2.7"},
    ),
    **_to_account(
        "email_confirm",
        _("Al nuovo indirizzo, quando l'iscritto cambia da sé l'e-mail personale"),
        more=lambda: {"link": link("members:confirm_email"), "hours": settings.EMAIL_LINK_HOURS},
    ),
    **_to_account(
        "email_asked",
        _("All'indirizzo di prima, quando l'iscritto chiede di cambiarlo"),
        more=lambda: {"new_email": emails.mask(NEW_EMAIL)},
    ),
    **_to_account(
        "email_changed",
        _("All'indirizzo di prima, quando l'iscritto lo ha cambiato"),
        more=lambda: {"new_email": emails.mask(NEW_EMAIL)},
    ),
    **_to_account(
        "email_replaced",
        _("All'indirizzo di prima, quando la segreteria cambia l'e-mail personale"),
        more=lambda: {"new_email": emails.mask(NEW_EMAIL)},
    ),
    "log_anchor": Example(_("Ogni notte all'amministrazione: il sigillo del registro, da conservare"), _log_anchor),
    **_to_account(
        "support_view",
        _("Quando il responsabile guarda il portale come lo vede l'iscritto"),
        more=lambda: {"who": _COLLEAGUE, "reason": "Ha telefonato: non trova la casella."},
    ),
    **_to_colleague(
        "office_staff_invited",
        _("A chi comincia a lavorare in segreteria, con il link per la password"),
        lambda: {"link": link("members:invitation"), "days": settings.INVITATION_DAYS},
    ),
    **_to_colleague("office_staff_role", _("A chi lavora in segreteria, quando riceve o cambia ruolo")),
    **_to_colleague("office_staff_dismissed", _("A chi non lavora più in segreteria")),
}
