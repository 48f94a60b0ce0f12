"""``manage.py update_catalogue``: bring the translations in step with the code."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from albo_pec import catalogue


class Command(BaseCommand):
    help = "Aggiorna i testi da tradurre, e compila le traduzioni."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        missing = 0
        for language, name in settings.LANGUAGES:
            if language != settings.LANGUAGE_CODE:
                for message in catalogue.update(language):
                    missing += 1
                    self.stdout.write(f"{name}: {message.files[0]}: {message.singular}")
        if missing:
            raise CommandError(f"Da tradurre: {missing}. I testi sono in locale/, nei file .po.")
