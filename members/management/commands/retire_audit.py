"""``manage.py retire_audit``: what the log no longer needs to keep goes. For an account that may delete from it."""

from __future__ import annotations

import getpass
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import ProgrammingError
from django.utils.translation import gettext as _

from audit import retention
from audit.actors import Actor
from members.models import Ordine


class Command(BaseCommand):
    """Exit code 0 when nothing is left that should go; 1 when the clocks do not let anything go, or nobody may."""

    help = "Toglie dal registro le voci che ogni Ordine non conserva più (mai prima di sei mesi); i sigilli restano."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help=_("dice che cosa toglierebbe, senza toglierlo"))

    def handle(self, *args: Any, **options: Any) -> None:
        # The federation's own entries are of no Ordine.
        months = {"": settings.LOG_MONTHS, **dict(Ordine.objects.values_list("code", "log_months"))}
        actor = Actor.process(f"retire_audit ({getpass.getuser()})")
        gone: dict[str, int] = {}
        try:
            retention.check_clocks()
            for step in retention.due(months):
                entries = step.entries if options["dry_run"] else retention.retire(step, actor)
                gone[step.ordine] = gone.get(step.ordine, 0) + entries
        except retention.ClockInDoubt as why:
            raise CommandError(str(why), returncode=1) from why
        except ProgrammingError as why:
            sentence = _("Questo utente della banca dati non può togliere voci dal registro: %(why)s")
            raise CommandError(sentence % {"why": why}, returncode=1) from why
        for ordine, entries in gone.items():
            self.stdout.write(f"{ordine or _('Federazione')}: {entries}")
        words = _("Da togliere: %(count)s voci.") if options["dry_run"] else _("Tolte %(count)s voci.")
        self.stdout.write(words % {"count": sum(gone.values())})
