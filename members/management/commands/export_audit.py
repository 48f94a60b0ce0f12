"""``manage.py export_audit``: the log of some days as a file that can be checked by itself."""

from __future__ import annotations

import getpass
import os
from argparse import ArgumentParser, ArgumentTypeError
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.translation import gettext as _

from audit import exporting, log
from audit.actors import Actor
from members.models import Ordine


class Command(BaseCommand):
    """Exit code 0 when the file is written whole; until then there is none by its name."""

    help = "Esporta il registro delle attività, con i sigilli: si verifica con verify_audit --file."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE", type=Path)
        parser.add_argument("--from", required=True, type=_day, dest="first", metavar="AAAA-MM-GG")
        parser.add_argument("--to", required=True, type=_day, dest="last", metavar="AAAA-MM-GG", help=_("compreso"))
        parser.add_argument("--ordine", metavar="CODE", help=_("solo le voci di un Ordine"))

    def handle(self, *args: Any, **options: Any) -> None:
        code, path = options["ordine"], options["file"]
        if code is not None and not Ordine.objects.filter(code=code).exists():
            raise CommandError(_("Non c'è un Ordine con il codice «%s».") % code)
        taken = exporting.Taken()
        end = options["last"] + timedelta(days=1)
        try:
            _write(path, exporting.export(_midnight(options["first"]), _midnight(end), code, taken))
        except OSError as error:
            raise CommandError(_("Il file non si può scrivere: %(why)s.") % {"why": error}) from error
        log.record(
            "audit.exported",
            Actor.process("export_audit"),
            ordine=code or "",
            account=getpass.getuser(),
            first=options["first"].isoformat(),
            last=options["last"].isoformat(),
            entries=taken.entries,
        )
        self.stdout.write(_("Esportate %(entries)s voci in %(seals)s sigilli.") % vars(taken))
        if taken.left:
            self.stdout.write(
                _("%(left)s voci non sono ancora sigillate e restano fuori: riprovare tra un minuto.") % vars(taken)
            )


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(_("«%s» non è un giorno: scrivere AAAA-MM-GG.") % text) from None


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, datetime.min.time()))


def _write(path: Path, lines: Any) -> None:
    """All of it or nothing, and for nobody else's eyes."""
    part = path.with_name(f"{path.name}.part")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            for line in lines:
                file.write(f"{line}\n")
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
