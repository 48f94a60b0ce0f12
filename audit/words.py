"""How the actions in the log read: each app registers the words of its own."""

from __future__ import annotations

from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext

_SENTENCES: dict[str, str | Promise] = {}
# Details that are words of ours, as a rule, kept in Italian; who reads them has a language of their own.
_WORDS = ("kind", "reason", "repair", "verdict")


def register(sentences: dict[str, str | Promise]) -> None:
    """Each app says, when it is ready, how its actions read: ``{"pec.accepted": _("Casella {address} accettata")}``."""
    _SENTENCES.update(sentences)


def actions() -> list[str]:
    """Every action that reads somehow."""
    return sorted(_SENTENCES)


def sentence(action: str, detail: dict[str, Any]) -> str:
    """The words of an action with its details filled in; the bare action where nobody registered words."""
    words = {name: gettext(detail[name]) for name in _WORDS if detail.get(name)}
    return str(_SENTENCES.get(action, action)).format_map(_Blank({**detail, **words}))


class _Blank(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "…"
