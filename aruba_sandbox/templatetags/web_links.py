"""Plain text with its web addresses clickable, and nothing else: not the e-mail addresses in it."""

import re

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

register = template.Library()

_LINK = re.compile(r"(https?://[^\s<>\"']*[^\s<>\"'.,;:!?)])")


@register.filter
def web_links(text: str) -> SafeString:
    """The text, escaped, with a link for every ``http`` address."""
    # split() with one group: plain text at even positions, addresses at odd ones.
    pieces = enumerate(_LINK.split(text))
    return format_html_join(
        "",
        "{}",
        ((format_html('<a href="{0}">{0}</a>', piece) if position % 2 else piece,) for position, piece in pieces),
    )
