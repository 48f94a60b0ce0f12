"""Gunicorn's own two logs, of errors and of what was asked for, without secrets in addresses and without people."""

from __future__ import annotations

from typing import Any

from gunicorn.glogging import Logger

from albo_pec.log_masks import MaskingFormatter


class MaskingLogger(Logger):  # type: ignore[misc]  # gunicorn is not typed
    """``gunicorn --logger-class albo_pec.gunicorn_log.MaskingLogger``."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        for handler in (*self.error_log.handlers, *self.access_log.handlers):
            handler.setFormatter(MaskingFormatter(handler.formatter))
