"""Reports of errors, for whoever has them mailed: where it happened, and nothing of whom it happened to."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.safestring import SafeString, mark_safe
from django.views.debug import ExceptionReporter, SafeExceptionReporterFilter

from albo_pec.log_masks import masked


class MaskingFilter(SafeExceptionReporterFilter):
    """Outside development neither what a form sent nor what variables held: both are full of people."""

    def get_post_parameters(self, request: HttpRequest | None) -> dict[str, Any]:
        if request is None:
            return {}
        if settings.DEBUG:
            return dict(super().get_post_parameters(request))
        return dict.fromkeys(request.POST, self.cleansed_substitute)

    def get_traceback_frame_variables(self, request: HttpRequest, tb_frame: Any) -> Any:
        if settings.DEBUG:
            return super().get_traceback_frame_variables(request, tb_frame)
        return [(name, self.cleansed_substitute) for name in tb_frame.f_locals]


class MaskingReporter(ExceptionReporter):
    """The words of errors hold what they were about: a row that is there already, an address that is none."""

    def get_traceback_html(self) -> SafeString:
        return mark_safe(masked(super().get_traceback_html()))  # noqa: S308  (it was escaped before, and stays so)

    def get_traceback_text(self) -> SafeString:
        return mark_safe(masked(super().get_traceback_text()))  # noqa: S308  (plain text, in a plain mail)
