"""How a day is written out in the reader's language."""

from __future__ import annotations

from datetime import date

from django import template
from django.utils.formats import date_format
from django.utils.translation import get_language, gettext

register = template.Library()


@register.filter(expects_localtime=True)
def long_date(value: date | None) -> str:
    """``{{ at|long_date }}``: 5 ottobre 2026, 5. Oktober 2026. Django's Italian months begin with a capital."""
    if not value:
        return ""
    text = date_format(value, gettext("j F Y"))
    return text.lower() if get_language() == "it" else text
