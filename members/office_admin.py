"""What the office's pages about the data of an Ordine have in common: whoever may, may in the Ordine of the object."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth import get_permission_codename
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.utils.text import capfirst

from members.current import may


class ByOrdine:
    """Django asks for a permission as such, wherever it was given: here it counts in the object's Ordine alone."""

    opts: Any

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self._may(request, "add", obj)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self._may(request, "change", obj)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self._may(request, "delete", obj)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self._may(request, "view", obj) or self._may(request, "change", obj)

    def _may(self, request: HttpRequest, act: str, obj: Model | None) -> bool:
        return may(request.user, f"{self.opts.app_label}.{get_permission_codename(act, self.opts)}", obj)


class OfficeAdmin(ByOrdine, admin.ModelAdmin[Any]):
    """Pages about the rows of an Ordine."""

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Where nothing can be changed Django's title would be "Vista iscritto"."""
        if kwargs.get("change") and not self.has_change_permission(request, kwargs.get("obj")):
            context["title"] = capfirst(self.opts.verbose_name)
        return super().render_change_form(request, context, *args, **kwargs)
