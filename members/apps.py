from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _
from django_scopes.manager import DisabledQuerySet


class MembersConfig(AppConfig):
    name = "members"
    verbose_name = _("Albo")

    def ready(self) -> None:
        from audit import words
        from members import letter_examples
        from members.log_sentences import SENTENCES

        # Outside a scope every query is an error, but for this one, which django-scopes has left out.
        DisabledQuerySet.exists = DisabledQuerySet.error
        words.register(SENTENCES)
        letter_examples.register(letter_examples.EXAMPLES)
