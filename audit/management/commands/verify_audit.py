"""``manage.py verify_audit``: does the chain of the log still hold? Or that in an exported file?"""

import re
from argparse import ArgumentTypeError
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _

from audit import offline, verifying


class Command(BaseCommand):
    help = "Verifica la catena del registro delle attività: esce con 1 e la prima voce che non torna."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--file", type=Path, help="verifica un file di export_audit, senza guardare la banca dati")
        parser.add_argument(
            "--anchor",
            action="append",
            type=_digest,
            default=[],
            metavar="DIGEST",
            help="un sigillo annotato (e-mail agli amministratori, log del processo): la catena deve contenerlo",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        anchors = options["anchor"]
        if options["file"]:
            self._check(options["file"], anchors)
            return
        report = verifying.verify(anchors)
        if report.broken:
            raise CommandError(_told(report.broken), returncode=1)
        counts = {"seals": report.seals, "entries": report.entries, "retired": report.retired}
        self.stdout.write(
            _("Il registro è integro: %(seals)s sigilli, %(entries)s voci, %(retired)s scadute.") % counts
        )

    def _check(self, path: Path, anchors: list[str]) -> None:
        try:
            with path.open(encoding="utf-8", newline="\n") as file:
                taken = offline.check(file, anchors)
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(_("Il file non si può leggere: %(why)s.") % {"why": error}, returncode=2) from error
        except offline.NotIntact as broken:
            raise CommandError(_("Il file è stato alterato: %(why)s.") % {"why": broken}, returncode=1) from broken
        counts = {"seals": taken.seals, "entries": taken.entries}
        self.stdout.write(_("Il file è integro: %(seals)s sigilli, %(entries)s voci.") % counts)


def _digest(text: str) -> str:
    """A digest as typed, or a sentence: a slip of the finger is no rewritten chain."""
    digest = text.strip().lower()
    if not re.fullmatch(r"[0-9a-f]{64}", digest):
        raise ArgumentTypeError(_("«%(text)s» non è un sigillo: sono 64 cifre esadecimali.") % {"text": text})
    return digest


def _told(broken: verifying.Broken) -> str:
    if broken.seal is None:
        return _("Il registro è stato alterato: %(reason)s.") % {"reason": broken.reason}
    return _("Il registro è stato alterato nel sigillo %(id)s (%(at)s): %(reason)s.") % {
        "id": broken.seal.pk,
        "at": broken.seal.sealed_at.isoformat(),
        "reason": broken.reason,
    }
