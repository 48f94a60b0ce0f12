"""``manage.py reconcile``: the register against the provider."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _
from django_scopes import scopes_disabled

from pec_requests import reconcile
from pec_requests.comparing import sentence
from pec_requests.models import Difference
from pec_requests.reconcile import Outcome

_DIFFERENT, _NOT_DONE = 1, 2
_AT_ONCE = 500


class Command(BaseCommand):
    """Exit code 0 without differences or with all of them mended; 1 with some left, or when another run is at it; 2
    when the provider did not let the run come to its end.
    """

    help = "Confronta il registro con le caselle presso il gestore e dice le differenze."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--repair", action="store_true", help=_("ripara le differenze che si possono riparare"))
        parser.add_argument("--json", action="store_true", help=_("un oggetto JSON, da solo, sull'uscita standard"))

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            outcome = reconcile.run(repair=options["repair"])
        except reconcile.Busy as busy:
            raise CommandError(str(busy), returncode=_DIFFERENT) from busy
        except reconcile.NotFinished as problem:
            raise CommandError(str(problem), returncode=_NOT_DONE) from problem
        # The command serves every Ordine.
        with scopes_disabled():
            for piece in _as_json(outcome) if options["json"] else _in_words(outcome):
                self.stdout.write(piece)
        if outcome.remaining or outcome.undecided:
            raise CommandError(
                _("Restano %(remaining)s differenze e %(undecided)s caselle da ricontrollare.") % vars(outcome),
                returncode=_DIFFERENT,
            )


def _as_json(outcome: Outcome) -> Iterator[str]:
    """One object, a difference a line: there may be more of them than fit in memory."""
    figures = {
        "accounts": outcome.accounts,
        "foreign": outcome.foreign,
        "checked": outcome.checked,
        "undecided": outcome.undecided,
        "repaired": outcome.repaired,
        "remaining": outcome.remaining,
    }
    yield json.dumps(figures)[:-1] + ', "differences": ['
    comma = ""
    for difference in outcome.differences.iterator(_AT_ONCE):
        yield comma + json.dumps(_row(difference), ensure_ascii=False)
        comma = ","
    yield "]}"


def _row(difference: Difference) -> dict[str, object]:
    return {
        "kind": difference.kind.lower(),
        "address": difference.address,
        "request": str(difference.request.public_id) if difference.request else None,
        "here": difference.here,
        "there": difference.there,
        "sentence": sentence(difference),
        "repair": difference.repair.lower() or None,
        "repaired": difference.repaired_at is not None,
        "first_seen": difference.first_seen.isoformat(),
    }


def _in_words(outcome: Outcome) -> Iterator[str]:
    for difference in outcome.differences.iterator(_AT_ONCE):
        yield f"{difference.address}: {sentence(difference)}{_what_of_it(difference)}"
    yield (
        _(
            "Caselle presso il gestore: %(accounts)s, di altri domini: %(foreign)s. "
            "Differenze riparate: %(repaired)s, aperte: %(remaining)s."
        )
        % vars(outcome)
    )


def _what_of_it(difference: Difference) -> str:
    if difference.repaired_at:
        return " " + _("Riparata: %(how)s.") % {"how": difference.get_repair_display()}
    if difference.repair:
        return " " + _("Si può riparare con --repair: %(how)s.") % {"how": difference.get_repair_display()}
    return ""
