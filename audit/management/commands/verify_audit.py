"""``manage.py verify_audit``: does the chain of the log still hold?"""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from audit import sealing


class Command(BaseCommand):
    help = "Verifica la catena del registro delle attività: esce con 1 e la prima voce che non torna."

    def handle(self, *args: Any, **options: Any) -> None:
        broken = sealing.verify()
        if broken:
            raise CommandError(
                _("Il registro è stato alterato nel sigillo %(id)s (%(at)s): %(reason)s.")
                % {"id": broken.seal.pk, "at": broken.seal.sealed_at.isoformat(), "reason": broken.reason},
                returncode=1,
            )
        self.stdout.write(_("Il registro è integro."))
