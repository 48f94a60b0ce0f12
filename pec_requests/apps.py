from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class PecRequestsConfig(AppConfig):
    name = "pec_requests"
    verbose_name = _("Caselle PEC")

    def ready(self) -> None:
        from audit import words
        from pec_requests.log_sentences import SENTENCES

        words.register(SENTENCES)
