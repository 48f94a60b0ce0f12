from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class MembersConfig(AppConfig):
    name = "members"
    verbose_name = _("Albo")

    def ready(self) -> None:
        from audit import words
        from members import letter_examples
        from members.log_sentences import SENTENCES

        words.register(SENTENCES)
        letter_examples.register(letter_examples.EXAMPLES)
