"""Django's rules for passwords, in words that its Italian catalogue lacks."""

from django.contrib.auth import password_validation
from django.utils.translation import gettext as _


class MinimumLengthValidator(password_validation.MinimumLengthValidator):
    """So many characters at least."""

    def get_error_message(self) -> str:
        return _("Questa password è troppo corta: servono almeno %(length)d caratteri.") % {"length": self.min_length}
