from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class PecRequestsConfig(AppConfig):
    name = "pec_requests"
    verbose_name = _("Caselle PEC")

    def ready(self) -> None:
        from audit import words
        from members import convention, letter_examples
        from pec_requests.letter_examples import EXAMPLES
        from pec_requests.log_sentences import SENTENCES
        from pec_requests.models import PecDomain

        words.register(SENTENCES)
        letter_examples.register(EXAMPLES)
        convention.register(lambda: PecDomain.objects.values_list("name", flat=True))
