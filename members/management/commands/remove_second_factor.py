"""``manage.py remove_second_factor``: for who has lost it, with the recovery codes, and has been recognised."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from audit.actors import Actor
from members import lost_factor
from members.identification import identify


class Command(BaseCommand):
    help = "Toglie il secondo fattore a chi lo ha perso, dopo averlo riconosciuto di persona."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("who", metavar="CHI", help=_("codice fiscale, e-mail o nome utente"))
        parser.add_argument("--reason", required=True, metavar="TEXT", help=_("chi lo ha riconosciuto, e come"))

    def handle(self, *args: Any, **options: Any) -> None:
        user = identify(options["who"]).user
        if user is None:
            raise CommandError(_("Nessun account, o più d'uno, per «%s».") % options["who"], returncode=2)
        if not lost_factor.remove(user, Actor.process("remove_second_factor"), reason=options["reason"]):
            raise CommandError(_("Questo account non ha un secondo fattore."))
        self.stderr.write(_("Tolto: al prossimo accesso basta la password, e ciò che era aperto è chiuso."))
