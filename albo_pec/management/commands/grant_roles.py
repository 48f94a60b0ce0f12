"""``manage.py grant_roles``: the rights of the web role, given by the owner after ``migrate``."""

from argparse import ArgumentParser
from typing import Any
from urllib.parse import unquote, urlsplit

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError
from django.utils.translation import gettext as _

from albo_pec import database_rights


class Command(BaseCommand):
    help = "Dà al ruolo di web e worker ciò che gli serve nella banca dati, e nient'altro."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--web",
            metavar="RUOLO",
            help="un ruolo che c'è già; altrimenti quello di WEB_DATABASE_URL, creato se manca",
        )

    def handle(self, *args: Any, web: str | None, **options: Any) -> None:
        try:
            role = web or self._make_role()
            database_rights.grant(role)
        except (database_rights.UnfitRole, DatabaseError) as error:
            raise CommandError(str(error).strip(), returncode=1) from error
        self.stdout.write(_("Il ruolo «%s» ha i permessi di web e worker.") % role)

    def _make_role(self) -> str:
        address = urlsplit(settings.WEB_DATABASE_URL)
        if not (address.username and address.password):
            raise CommandError(_("Indicare --web RUOLO, oppure WEB_DATABASE_URL con ruolo e password."), returncode=2)
        role = unquote(address.username)
        database_rights.make_role(role, unquote(address.password))
        return role
