"""Checking an exported log (``audit.exporting``) by itself, without the database it came from."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from django.utils.translation import gettext as _

from audit import lines
from audit.exporting import FORMAT, Taken


class NotIntact(Exception):
    """The file is not what was exported. ``str()`` says where, and what does not fit."""


def check(file: Iterable[str], anchors: Iterable[str] = ()) -> Taken:
    """Make every hash in a file again; raise ``NotIntact`` at the first that does not fit.

    Each of the ``anchors`` (digests that were written down elsewhere) must be that of a seal in the file.
    """
    reader = _Reader()
    digests: set[str] = set()
    for reader.number, text in enumerate(file, 1):
        digests.add(reader.read(text.rstrip("\n")))
    reader.end_batch()
    if not reader.taken.seals and not reader.begun:
        raise NotIntact(_("il file è vuoto"))
    if missing := set(anchors) - digests:
        raise NotIntact(_("nel file non c'è il sigillo annotato %(digest)s") % {"digest": min(missing)})
    return reader.taken


class _Reader:
    """One pass over the lines; in memory is one batch's counts and hashes."""

    def __init__(self) -> None:
        self.taken, self.begun, self.number = Taken(), False, 0
        self._ordine: str | None = None
        self._retired: dict[str, int] = {}
        self._seal: dict[str, Any] | None = None
        self._digest = ""
        self._parts: dict[str, lines.PartHash] = {}

    def read(self, text: str) -> str:
        """One line; the digest, where it is a seal's."""
        try:
            said = json.loads(text)
            if not self.begun:
                self._begin(said)
            elif "seal" in said:
                return self._next(said["seal"], said["digest"])
            else:
                self._entry(said["entry"])
        except (ValueError, KeyError, TypeError, AttributeError):
            raise self._wrong(_("non è una riga del registro")) from None
        return ""

    def _begin(self, said: dict[str, Any]) -> None:
        if said["format"] != FORMAT:
            raise self._wrong(_("non è un file di questo registro"))
        self.begun, self._ordine, self._retired = True, said["ordine"], said["retired"]

    def _next(self, seal: dict[str, Any], digest: str) -> str:
        self.end_batch()
        if self._seal and (seal["since"] != self._seal["until"] or seal["previous"] != self._digest):
            raise self._wrong(_("manca il sigillo che lo precede"))
        if lines.digest(lines.line(seal)) != digest:
            raise self._wrong(_("il sigillo è stato modificato"))
        self._seal, self._digest, self._parts = seal, digest, {}
        self.taken.seals += 1
        return digest

    def _entry(self, entry: dict[str, Any]) -> None:
        ordine: str = entry["ordine"]
        self._parts.setdefault(ordine, lines.PartHash()).add(lines.line(entry))
        self.taken.entries += 1

    def end_batch(self) -> None:
        """All entries of the batch have been read: are they those that were sealed?"""
        sealed: lines.Parts = self._seal["parts"] if self._seal else {}
        if self._parts.keys() - sealed.keys():
            raise self._wrong(_("ci sono voci che nessun sigillo copre"))
        for ordine, part in sealed.items():
            if self._ordine not in (None, ordine):
                continue
            found = self._parts.get(ordine)
            gone = found is None and self._seal is not None and self._retired.get(ordine, 0) >= self._seal["until"]
            if not gone and (found or lines.PartHash()).told() != part:
                raise self._wrong(_("le voci del sigillo precedente non sono quelle sigillate"))

    def _wrong(self, reason: str) -> NotIntact:
        return NotIntact(_("riga %(number)s: %(reason)s") % {"number": self.number, "reason": reason})
