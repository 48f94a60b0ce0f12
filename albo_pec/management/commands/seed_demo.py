"""Invented data for the demo: two Ordini, their albi and staff, a member in each state. Can be run again."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db.models.functions import Now
from django.utils.translation import gettext as _
from django_scopes import scope

from audit import log
from audit.actors import Actor
from audit.models import LogEntry
from members.current import roles_of
from members.importing import import_albo
from members.models import Member, Ordine, StaffRole, User
from pec_requests import batches, eligibility, engine, lifecycle
from pec_requests.models import PecDomain, PecRequest, ProviderOperation
from pec_requests.states import IllegalMove, Status

PASSWORD = "Prova-Albo-2026"  # noqa: S105  (invented, shown on screen, and only where DEBUG is on)
DATA = Path(settings.BASE_DIR) / "tests" / "data"
DEMO = Actor.process("demo")

_FULL_NAME = (
    "Ordine dei Tecnici sanitari di radiologia medica e delle professioni sanitarie tecniche, "
    "della riabilitazione e della prevenzione"
)
ORDINI = {
    "marche": {
        "name": f"{_FULL_NAME} di Ancona, Ascoli Piceno, Fermo e Macerata",
        "short_name": "Ordine TSRM e PSTRP delle Marche",
        "provinces": ["AN", "AP", "FM", "MC"],
        "address": "Via dell'Esempio 1, 60121 Ancona",
        "email": "segreteria@marche.example",
        "phone": "071 0000000",
    },
    "umbria": {
        "name": f"{_FULL_NAME} di Perugia e Terni",
        "short_name": "Ordine TSRM e PSTRP dell'Umbria",
        "provinces": ["PG", "TR"],
        "address": "Via dell'Esempio 2, 06121 Perugia",
        "email": "segreteria@umbria.example",
        "phone": "075 0000000",
    },
}

# What is decided for the member shown in each state, one act after the other.
WAY_TO: dict[str, list[str]] = {
    Status.NON_ATTIVO: [],
    Status.ATTIVO: ["accept"],
    Status.SOSPESO: ["accept", "suspend"],
    Status.RIFIUTATO: ["refuse"],
    Status.ANNULLATO: ["cancel"],
    Status.CESSATO: ["accept", "close"],
}
WITHOUT = "SENZA RICHIESTA"
SEEDED = "demo.seeded"


class Command(BaseCommand):
    help = "Prepara i dati inventati della prova (solo con DEBUG) e li elenca in JSON."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEBUG:
            raise CommandError(_("I dati di prova hanno password note a tutti: si preparano solo con DEBUG."))
        ordini = {code: make_ordine(code) for code in ORDINI}
        staff = [
            make_user("admin", "Amministrazione della federazione", superuser=True),
            *(make_staff(f"ordine.{code}", ordine) for code, ordine in ordini.items()),
        ]
        with scope(ordine=ordini["marche"].pk):
            shown = list(show_states())
        with scope(ordine=ordini["umbria"].pk):
            shown += list(show_newcomer())
        accounts = [staff_account(user) for user in staff] + [member_account(*row) for row in shown]
        self.stdout.write(json.dumps({"accounts": accounts}, ensure_ascii=False))


def make_ordine(code: str) -> Ordine:
    """The Ordine with its albo imported and both domains of the convention."""
    ordine, _new = Ordine.objects.get_or_create(code=code, defaults=ORDINI[code])
    for domain in PecDomain.objects.all():
        domain.ordini.add(ordine)
    with scope(ordine=ordine.pk):
        empty = not Member.objects.exists()
    if empty:
        import_albo(DATA / f"albo_{code}.csv", ordine=ordine, actor=DEMO)
    return ordine


def make_user(username: str, name: str, *, superuser: bool = False) -> User:
    user, new = User.objects.get_or_create(
        username=username,
        defaults={"first_name": name, "is_staff": True, "is_superuser": superuser, "email": f"{username}@example.com"},
    )
    if new:
        user.set_password(PASSWORD)
        user.save()
    return user


def make_staff(username: str, ordine: Ordine) -> User:
    user = make_user(username, f"Segreteria {ordine.code.title()}")
    with scope(ordine=ordine.pk):
        StaffRole.objects.get_or_create(user=user, ordine=ordine, defaults={"role": StaffRole.Role.RESPONSABILE})
    return user


def first_candidates(count: int) -> list[Member]:
    """The first members, by codice fiscale, for whom a mailbox can be requested without more ado."""
    return list(
        eligibility.without_pec().filter(email_problem="", tax_code_mismatch=False).order_by("tax_code")[:count]
    )


def show_states() -> Iterator[tuple[Member, str]]:
    """One member for each state, with an account, brought there as in real life; once: a demo keeps its data."""
    if not LogEntry.objects.filter(action=SEEDED).exists():
        # Nobody else works yet: what a run that was interrupted holds is free at once.
        ProviderOperation.objects.filter(state=ProviderOperation.State.RUNNING).update(not_before=Now())
        arrange()
        log.record(SEEDED, DEMO)
    for member in Member.objects.filter(user__username__startswith="demo-").order_by("user__username"):
        yield member, _state(member)


def show_newcomer() -> Iterator[tuple[Member, str]]:
    """A member with an account, who had no request when the demo was first prepared."""
    known = Member.objects.filter(user__username="demo-umbria").first()
    member = known or give_account(first_candidates(1)[0])
    yield member, _state(member)


def _state(member: Member) -> str:
    pec = PecRequest.objects.filter(member=member).order_by("-id").first()
    return pec.status if pec else WITHOUT


def arrange() -> None:
    """Make requests, let the worker's engine carry them out, and decide what leads to each state.

    Whoever was interrupted here goes on from where it was: what is there already is not done again.
    """
    poor = Member.objects.filter(eligibility.enrolled(), email_problem="email_missing", tax_code_mismatch=False)
    usable = Member.objects.filter(eligibility.enrolled(), email_problem="", own_pec="", tax_code_mismatch=False)
    waiting, *people = [*poor.order_by("tax_code")[:1], *usable.order_by("tax_code")[: len(WAY_TO) + 1]]
    idle, *chosen = people
    for number, member in enumerate([idle, waiting, *chosen]):
        give_account(member, f"demo-{number}")
    requested = [waiting, *chosen]
    newly = [m.pk for m in requested if not m.pec_requests.exists()]
    if newly:
        domain, asked = PecDomain.objects.get(name="tsrm.org"), _("iscritti scelti uno per uno")
        (batch,) = batches.order({idle.ordine_id: newly}, domain, DEMO, asked=asked, key=uuid.uuid4())
        batches.carry_out(batch.pk)
    engine.run()
    for step in range(max(map(len, WAY_TO.values()))):
        for member, acts in zip(chosen, WAY_TO.values(), strict=True):
            if step < len(acts):
                with suppress(IllegalMove):  # a step already behind
                    lifecycle.decide([member.pec_requests.get().pk], acts[step], DEMO, reason=_("dati di prova"))
        engine.run()


def give_account(member: Member, username: str = "demo-umbria") -> Member:
    """An account with the demo's password; people sign in by codice fiscale."""
    user, new = User.objects.get_or_create(
        username=username, defaults={"first_name": member.name, "last_name": member.surname}
    )
    if new:
        user.set_password(PASSWORD)
        user.save()
        Member.objects.filter(pk=member.pk).update(user=user)
    owner: Member = Member.objects.get(user=user)
    return owner


def staff_account(user: User) -> dict[str, str]:
    role = next(iter(roles_of(user)), None)
    return _account(
        "staff" if role else "admin", role.ordine.code if role else "", user.username, user.get_full_name(), ""
    )


def member_account(member: Member, state: str) -> dict[str, str]:
    return _account("member", member.ordine.code, member.tax_code, member.full_name, state)


def _account(role: str, ordine: str, username: str, name: str, state: str) -> dict[str, str]:
    return {"role": role, "ordine": ordine, "username": username, "password": PASSWORD, "name": name, "state": state}
