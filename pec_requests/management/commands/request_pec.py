"""``manage.py request_pec``: request mailboxes, for some members or for all without one."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterable
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _
from django_scopes import scope

from audit.actors import Actor
from members import tax_codes
from members.models import Member, Ordine
from pec_requests import eligibility, lifecycle
from pec_requests.models import PecDomain


class Command(BaseCommand):
    help = "Richiede la casella PEC per gli iscritti indicati, o per tutti quelli che non ne hanno una."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--ordine", required=True, metavar="CODE", help=_("codice dell'Ordine"))
        parser.add_argument("--domain", required=True, metavar="D", help=_("dominio della convenzione"))
        who = parser.add_mutually_exclusive_group(required=True)
        who.add_argument("--cf", nargs="+", metavar="CF", help=_("codici fiscali"))
        who.add_argument("--all-without-pec", action="store_true", help=_("tutti gli iscritti senza PEC"))

    def handle(self, *args: Any, **options: Any) -> None:
        ordine = Ordine.objects.filter(code=options["ordine"]).first()
        domain = PecDomain.objects.filter(name=options["domain"]).first()
        if ordine is None or domain is None:
            raise CommandError(_("Ordine o dominio sconosciuto."), returncode=2)
        with scope(ordine=ordine.pk):
            ids = self._members(options["cf"])
            outcome = lifecycle.request_pec(ids, domain, Actor.process("request_pec"))
            for pec in outcome.created.iterator():
                self.stdout.write(f"{pec.address}\t{pec.member}")
            refused = outcome.refused
        for member, why in refused:
            self.stderr.write(f"{member}: {why}")
        self.stderr.write(
            _("Richieste: %(made)s. Non possibili: %(refused)s.") % {"made": len(outcome.made), "refused": len(refused)}
        )

    def _members(self, codes: list[str] | None) -> Iterable[int]:
        """The ids asked for; a codice fiscale that is not of this Ordine stops everything before anything is done."""
        if codes is None:
            return eligibility.without_pec().order_by().values_list("pk", flat=True)
        wanted = {tax_codes.normalise(code) for code in codes}
        found = dict(Member.objects.filter(tax_code__in=wanted).values_list("tax_code", "pk"))
        if missing := wanted - found.keys():
            raise CommandError(
                _("Nessun iscritto dell'Ordine con codice fiscale %s.") % ", ".join(sorted(missing)), returncode=2
            )
        return list(found.values())
