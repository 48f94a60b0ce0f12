"""``manage.py forget``: contacts and accounts of who left the albo long ago. The portal does it every night as well."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils.translation import gettext as _
from django_scopes import scopes_disabled

from audit.actors import Actor
from members.models import Ordine
from pec_requests import forgetting


class Command(BaseCommand):
    """Exit code 0 when nobody is left whose time has come, but for who is being worked on: they come the next time."""

    help = "Cancella recapiti e accesso di chi ha lasciato l'albo da più anni di quanti il suo Ordine ha deciso."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help=_("dice di quanti, senza cancellare"))
        parser.add_argument("--json", action="store_true", help=_("un oggetto JSON, da solo, sull'uscita standard"))

    def handle(self, *args: Any, **options: Any) -> None:
        with scopes_disabled():
            due = {ordine.code: forgetting.due(ordine).count() for ordine in Ordine.objects.order_by("code")}
        forgotten = 0 if options["dry_run"] else forgetting.forget_all(Actor.process("forget"))
        if options["json"]:
            self.stdout.write(json.dumps({"due": due, "forgotten": forgotten}))
            return
        for code, count in due.items():
            if count:
                self.stdout.write(f"{code}: {count}")
        self.stdout.write(_("Persone: %(count)s.") % {"count": sum(due.values()) if options["dry_run"] else forgotten})
