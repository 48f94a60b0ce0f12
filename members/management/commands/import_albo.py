"""Import an Ordine's register from a CSV or XLSX file."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from audit.actors import Actor
from members.import_rejects import write_rejects
from members.import_result import Concerned, ImportResult
from members.import_rules import Rejection, Warn
from members.importing import ImportBusy, import_albo
from members.models import Ordine
from members.spreadsheets import UnreadableFile

_UNREAD = 2


class Command(BaseCommand):
    """Exit code 0 when the file was read, whatever its lines are worth; 2 when it could not be, and nothing changed."""

    help = "Importa l'albo di un Ordine da un file CSV o XLSX"

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE")
        parser.add_argument("--ordine", required=True, metavar="CODE", help=_("il codice dell'Ordine"))
        parser.add_argument("--dry-run", action="store_true", help=_("dice che cosa cambierebbe, senza cambiarlo"))
        parser.add_argument("--rejects", metavar="FILE", help=_("dove scrivere le righe respinte, con il motivo"))
        parser.add_argument("--json", action="store_true", help=_("un oggetto JSON, da solo, sull'uscita standard"))

    def handle(self, *args: Any, **options: Any) -> None:
        ordine = Ordine.objects.filter(code=options["ordine"]).first()
        if ordine is None:
            raise CommandError(_("Non c'è un Ordine con il codice «%s».") % options["ordine"], returncode=_UNREAD)
        with _rejects_file(options["rejects"], options["file"]) as hand_back:
            try:
                result = import_albo(
                    options["file"], ordine=ordine, actor=Actor.process("import_albo"), dry_run=options["dry_run"]
                )
            except (UnreadableFile, ImportBusy) as problem:
                raise CommandError(str(problem), returncode=_UNREAD) from problem
            hand_back(result)
        if options["json"]:
            for text in _json(result):
                self.stdout.write(text)
        else:
            self.stdout.write("\n".join(_summary(result)))


@contextlib.contextmanager
def _rejects_file(path: str | None, source: str) -> Iterator[Callable[[ImportResult], None]]:
    """A function that writes the rejects. Opened before anything is imported, the file is put in place when whole."""
    if path is None:
        yield lambda result: None
        return
    target = Path(path)
    try:
        if target.is_dir() or (target.exists() and target.samefile(source)):
            raise OSError
        descriptor, unfinished = tempfile.mkstemp(dir=target.absolute().parent, prefix=f".{target.name}.")
    except (OSError, ValueError) as problem:
        raise CommandError(_("Non si può scrivere in «%s».") % path, returncode=_UNREAD) from problem
    try:
        with open(descriptor, "w", encoding="utf-8-sig", newline="") as file:
            yield lambda result: write_rejects(result, file)
        os.replace(unfinished, target)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(unfinished)


def _summary(result: ImportResult) -> Iterator[str]:
    """The result in words, with each reason and the first lines it concerns."""
    yield _("Prova: nulla è stato modificato.") if result.dry_run else _("Importazione eseguita.")
    yield (
        _(
            "Righe lette: %(rows)d (iscritti: %(members)d). Create: %(created)d, aggiornate: %(updated)d, "
            "invariate: %(unchanged)d, respinte: %(rejected)d. Avvisi: %(warnings)d."
        )
        % result.counts
    )
    concerned = Concerned.by(result.lines)
    for code in Rejection:
        if code in concerned.count:
            values = {"count": concerned.count[code], "why": code.label, "lines": concerned.numbers(code)}
            yield _("Respinte, %(count)d: %(why)s Righe %(lines)s") % values
    for warning in Warn:
        if warning in concerned.count:
            values = {"count": concerned.count[warning], "why": warning.label, "lines": concerned.numbers(warning)}
            yield _("Avvisi, %(count)d: %(why)s. Righe %(lines)s") % values


def _json(result: ImportResult) -> Iterator[str]:
    """What ``as_json`` says, as text and a line at a time: there may be a million."""
    yield json.dumps(result.counts, indent=1).removesuffix("\n}") + ',\n "lines": ['
    for number, line in enumerate(result.lines, 1):
        yield f"  {json.dumps(line.as_json())}{',' if number < len(result.lines) else ''}"
    yield " ]\n}"
