"""Any list of the office as a file: what it shows, filtered as it is, streamed while it is read."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import AbstractContextManager, closing
from datetime import date, datetime
from typing import Any

from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.utils import get_fields_from_path, label_for_field, lookup_field
from django.contrib.admin.views.main import PAGE_VAR, ChangeList
from django.core.exceptions import BadRequest, PermissionDenied
from django.db import connection, transaction
from django.db.models.constants import LOOKUP_SEP
from django.http import Http404, HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.html import strip_tags
from django.utils.http import content_disposition_header
from django.utils.text import capfirst
from django_scopes import get_scope, scope, scopes_disabled

from audit import log
from audit.actors import Actor
from members.current import may, only_where, require_permission, roles_of
from members.office_admin import OfficeAdmin
from members.roles import EXPORT_LISTS, ordini_where
from members.table_files import Cell, Row, csv_file, xlsx_file

_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
# Rows of the list that are read together.
PAGE = 1000
_SHEET_NAME = 25
# Longer words with digits may be codici fiscali.
_PLAIN = 6
# All of a file is of one moment. Who has stopped taking it does not keep that moment from passing for ever.
_SNAPSHOT = """
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY;
SET LOCAL idle_in_transaction_session_timeout = '60s'
"""


class ExportAdmin(OfficeAdmin):
    """Adds ``esporta/csv/`` and ``esporta/xlsx/``, which take the query string of the list."""

    # As in ``list_display``, which is taken where this is empty.
    export_columns: tuple[str, ...] = ()

    def export_headers(self, request: HttpRequest) -> list[str]:
        """The headings of the file."""
        return [self._heading(name) for name in self._columns(request)]

    def export_rows(self, request: HttpRequest, changelist: Any) -> Iterator[Row]:
        """What the file says of all rows of the list: of one there, maybe in more than one here."""
        return self.export_objects(request, changelist.queryset.iterator(chunk_size=PAGE))

    def export_objects(self, request: HttpRequest, rows: Iterable[Any]) -> Iterator[Row]:
        """The columns of rows of the list."""
        columns = self._columns(request)
        for row in rows:
            yield [_cell(*lookup_field(name, row, self)) for name in columns]

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        """The list, which knows whether it may be taken away."""
        changelist = super().get_changelist_instance(request)
        changelist.can_export = may(request.user, EXPORT_LISTS)  # type: ignore[attr-defined]  # for our template
        return changelist

    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_export"
        return [
            path("esporta/<str:kind>/", self.admin_site.admin_view(self.export_view), name=name),
            *super().get_urls(),
        ]

    def export_view(self, request: HttpRequest, kind: str) -> HttpResponseBase:
        """The file. The log says who took which list, when it begins, and how many rows, when it ends."""
        require_permission(request, EXPORT_LISTS)
        if not self.has_view_permission(request):
            raise PermissionDenied
        if kind not in _TYPES:
            raise Http404
        with only_where(request.user, EXPORT_LISTS):
            return self._file(request, kind)

    def _file(self, request: HttpRequest, kind: str) -> HttpResponseBase:
        try:
            changelist: Any = self.get_changelist_instance(request)
        except IncorrectLookupParameters as error:
            raise BadRequest from error
        name = str(self.opts.verbose_name_plural)
        headers, rows = self.export_headers(request), self._told(request, kind, self._read(request, changelist))
        content = csv_file(headers, rows) if kind == "csv" else xlsx_file(capfirst(name)[:_SHEET_NAME], headers, rows)
        response = StreamingHttpResponse(_within(_present_scope(), content), content_type=_TYPES[kind])
        file = f"{name.replace(' ', '-')}-{timezone.localdate():%Y-%m-%d}.{kind}"
        response["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=file)
        return response

    def _heading(self, name: str) -> str:
        if LOOKUP_SEP in name:
            heading = str(get_fields_from_path(self.model, name)[-1].verbose_name)
        else:
            heading = str(label_for_field(name, self.model, self))
        return capfirst(heading)

    def _columns(self, request: HttpRequest) -> list[str]:
        return [*map(str, self.export_columns or self.get_list_display(request))]

    def _read(self, request: HttpRequest, changelist: Any) -> Generator[Row, None, None]:
        """As of one moment."""
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(_SNAPSHOT)
            yield from self.export_rows(request, changelist)

    def _told(self, request: HttpRequest, kind: str, rows: Generator[Row, None, None]) -> Iterator[Row]:
        """The rows; the log is told of the file before the first and after the last, be it the last there is or not."""
        act = _Export(request, str(self.opts.verbose_name_plural), kind)
        act.record("list.exported", asked=_asked(request))
        count, whole = 0, False
        try:
            with closing(rows):
                for row in rows:
                    count += 1
                    yield row
            whole = True
        finally:
            act.record("list.export_ended" if whole else "list.export_broken", rows=count)


class _Export:
    """One export, for the log of each Ordine whose rows are in it."""

    def __init__(self, request: HttpRequest, name: str, kind: str) -> None:
        self._actor = Actor.of(request)
        self._detail: dict[str, Any] = {"list": name, "kind": kind.upper()}
        taken = ordini_where(roles_of(request.user), EXPORT_LISTS)
        codes = [role.ordine.code for role in roles_of(request.user) if role.ordine_id in taken]
        self._ordini = [] if request.user.is_superuser else codes

    def record(self, action: str, **detail: Any) -> None:
        log.record_many(
            log.entry(action, self._actor, ordine=code, **self._detail, **detail) for code in self._ordini or [""]
        )


def _asked(request: HttpRequest) -> str:
    """The filters and the search, without whole codici fiscali."""
    asked = {
        name: " ".join(map(_masked, str(value).split())) for name, value in request.GET.items() if name != PAGE_VAR
    }
    return "&".join(f"{name}={value}" for name, value in asked.items() if value)


def _masked(word: str) -> str:
    return f"{word[:3]}•••" if len(word) > _PLAIN and any(map(str.isdigit, word)) and "@" not in word else word


def _cell(field: Any, _attribute: Any, value: Any) -> Cell:
    """What a column of a list shows, as plain text or a date."""
    if value is not None and getattr(field, "flatchoices", None):
        value = dict(field.flatchoices).get(value, value)
    if isinstance(value, datetime):
        return f"{timezone.localtime(value):%d/%m/%Y %H:%M}"
    return value if isinstance(value, date) or value is None else strip_tags(str(value))


def _present_scope() -> AbstractContextManager[Any]:
    """A file is sent after the request's own scope has ended: this is the same again."""
    present = dict(get_scope())
    context: AbstractContextManager[Any] = scope(**present) if present.pop("_enabled", True) else scopes_disabled()
    return context


def _within(context: AbstractContextManager[Any], content: Iterator[bytes]) -> Iterator[bytes]:
    with context:
        yield from content
