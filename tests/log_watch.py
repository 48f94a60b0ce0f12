"""Looks through log lines for people: a whole codice fiscale, an e-mail, the secret of a link."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from types import TracebackType
from typing import Self

import structlog

_TAX_CODE = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{6}\d{2}[A-Za-z]\d{2}[A-Za-z]\d{3}[A-Za-z](?![A-Za-z0-9])")
_EMAIL = re.compile(r"[\w.+-]+(?:@|%40)[\w-]+(?:\.[\w-]+)*\.[a-z]{2,}", re.IGNORECASE)
_SECRET = re.compile(r"/(?:invito|conferma-email|non-sono-stato-io)/[\w-]{20,}")
# What nobody's is: of the portal itself, and of the processes.
_NOBODYS = re.compile(r"(?:noreply|celery|worker|post|files)@", re.IGNORECASE)


def people_in(text: str) -> list[str]:
    """Whoever can be read there."""
    found = [*_TAX_CODE.findall(text), *_SECRET.findall(text)]
    return found + [email for email in _EMAIL.findall(text) if not _NOBODYS.match(email)]


def people_in_files(folder: Path) -> list[str]:
    """The same for the logs of a demo; the provider's sandbox is not the portal."""
    return [
        f"{path.name}: {who}"
        for path in sorted(folder.rglob("*.log"))
        if path.stem not in ("sandbox", "postgres", "postgresql", "valkey")
        for who in people_in(path.read_text(encoding="utf-8", errors="replace"))
    ]


class Watcher(logging.Handler):
    """Hears all that reaches the root, as the portal's own handler writes it; requests too, which it tells by level."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def __enter__(self) -> Self:
        root = logging.getLogger()
        own = (h for h in root.handlers if isinstance(h.formatter, structlog.stdlib.ProcessorFormatter))
        self._stderr = next(own)
        self.setFormatter(self._stderr.formatter)
        self._stderr.setLevel(root.level)
        self._levels = {name: logging.getLogger(name).level for name in ("django_structlog", "members", "pec_requests")}
        for name in self._levels:
            logging.getLogger(name).setLevel(logging.INFO)
        root.addHandler(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        logging.getLogger().removeHandler(self)
        self._stderr.setLevel(logging.NOTSET)
        for name, level in self._levels.items():
            logging.getLogger(name).setLevel(level)

    def emit(self, record: logging.LogRecord) -> None:
        line = self.format(record)
        self.found.update(f"{who}: {line[:300]}" for who in people_in(line))
