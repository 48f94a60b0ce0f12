"""How the actions in the log read: each app registers the words of its own."""

from __future__ import annotations

from typing import Any

from django.utils.functional import Promise

_SENTENCES: dict[str, str | Promise] = {}


def register(sentences: dict[str, str | Promise]) -> None:
    """Each app says, when it is ready, how its actions read: ``{"pec.accepted": _("Casella {address} accettata")}``."""
    _SENTENCES.update(sentences)


def sentence(action: str, detail: dict[str, Any]) -> str:
    """The words of an action with its details filled in; the bare action where nobody registered words."""
    return str(_SENTENCES.get(action, action)).format_map(_Blank(detail))


class _Blank(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "…"
