"""Importing in the office: bring a file, see what it would do, confirm, look on, take what was rejected; or cancel."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.db.models import Model, QuerySet
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.csrf import csrf_exempt, csrf_protect

from audit import log
from audit.actors import Actor
from audit.models import LogEntry
from members import import_runs, progress, uploads
from members.current import may, require_permission, roles_of
from members.import_columns import HEADERS
from members.import_forms import ColumnsForm, UploadForm
from members.import_preview import PER_PAGE, Tab, read_page
from members.import_rules import Rejection, Warn
from members.import_runs import REJECTS, RUNNING, RunRefused, State
from members.import_working import progress_of
from members.models import ImportRun, Ordine
from members.office_admin import ByOrdine
from members.progress import Progress
from members.roles import IMPORT_ALBO, ordini_where
from members.table_errors import UnreadableFile

VIEW = "members.view_importrun"
UNDER_WAY = (State.UPLOADED, State.CONFIRMED, *RUNNING)
_BADGES = {State.DONE: "success", State.FAILED: "danger", State.CANCELLED: "neutral"}


class ImportRunAdmin(ByOrdine, admin.ModelAdmin[ImportRun]):
    list_display = ("file_name", "ordine", "kind", "badge", "lines", "uploaded_by", "uploaded_at")
    list_filter = ("state", "kind")
    list_select_related = ("ordine",)
    list_per_page = 50
    show_full_result_count = False
    change_list_template = "admin/members/importrun/change_list.html"

    @admin.display(description=gettext_lazy("Stato"), ordering="state")
    def badge(self, run: ImportRun) -> str:
        name = _BADGES.get(State(run.state), "wait")
        return format_html('<span class="badge-state badge-{}">{}</span>', name, run.get_state_display())

    @admin.display(description=gettext_lazy("Righe"))
    def lines(self, run: ImportRun) -> str:
        return str(run.counts.get("rows", "–"))

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return may(request.user, IMPORT_ALBO, obj)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Named after what it lists: there is nothing to select and change."""
        return super().changelist_view(request, {"title": _("Importazioni"), **(extra_context or {})})

    def get_urls(self) -> list[URLPattern]:
        own = [
            path("<int:pk>/avanzamento/", self.progress_view, name="members_importrun_progress"),
            path("<int:pk>/respinte/", self.admin_site.admin_view(self.rejects_view), name="members_importrun_rejects"),
        ]
        return own + super().get_urls()

    # --- Bringing a file ----------------------------------------------------------------------------------------------

    # Exempt, because to look for the token is to read the whole body: first it must be known where the file goes.
    @csrf_exempt
    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """**Importa l'albo**: which file. While it comes in it goes where it stays, and never into memory."""
        require_permission(request, IMPORT_ALBO)
        ordini = _ordini(request)
        if request.method != "POST":
            return self._upload_page(request, UploadForm(ordini=ordini))
        with uploads.FolderHandler(request) as handler:
            if handler.too_big:
                form = UploadForm({}, ordini=ordini)
                form.add_too_big()
                return self._upload_page(request, form, status=413)
            request.upload_handlers = [handler]
            answer: HttpResponse = csrf_protect(self._bring)(request, handler, ordini)
            return answer

    def _bring(self, request: HttpRequest, handler: uploads.FolderHandler, ordini: QuerySet[Ordine]) -> HttpResponse:
        form = UploadForm(request.POST, request.FILES, ordini=ordini)
        if form.is_valid():
            try:
                run = import_runs.begin(form.chosen, form.cleaned_data["file"], Actor.of(request))
                handler.keep()
                return _to(run)
            except RunRefused as why:
                form.add_error(None, str(why))
        if handler.too_big:
            form.add_too_big()
        return self._upload_page(request, form, status=413 if handler.too_big else 200)

    def _upload_page(self, request: HttpRequest, form: UploadForm, status: int = 200) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": _("Importa l'albo"),
            "opts": self.opts,
            "form": form,
            "waiting": ImportRun.objects.filter(ended_at=None).select_related("ordine"),
        }
        return TemplateResponse(request, "admin/members/importrun/upload.html", context, status=status)

    # --- One import ---------------------------------------------------------------------------------------------------

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """How an import stands, and what can be done: each of its buttons is a POST to this page."""
        run = self.get_object(request, unquote(object_id))
        if run is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[attr-defined,no-any-return]  # Django's own, for its own pages
        require_permission(request, VIEW, run)
        if request.method != "POST":
            return self._page(request, run)
        require_permission(request, IMPORT_ALBO, run)
        try:
            return self._act(request, run)
        except RunRefused as why:
            messages.warning(request, str(why))
            return _to(run)

    def _act(self, request: HttpRequest, run: ImportRun) -> HttpResponse:
        match request.POST.get("act"):
            case "confirm":
                import_runs.confirm(run.pk, Actor.of(request))
            case "cancel":
                if import_runs.cancel(run.pk, Actor.of(request)):
                    messages.success(request, _("Importazione annullata: nulla è stato modificato."))
            case "ask_columns":
                import_runs.ask_columns(run.pk, Actor.of(request))
            case "columns":
                return self._choose(request, run)
        return _to(run)

    def _choose(self, request: HttpRequest, run: ImportRun) -> HttpResponse:
        form = ColumnsForm(run, request.POST)
        if form.is_valid():
            try:
                import_runs.choose_columns(run.pk, form.mapping, Actor.of(request))
                return _to(run)
            except UnreadableFile as why:
                form.add_error(None, str(why))
        return self._page(request, run, form)

    def _page(self, request: HttpRequest, run: ImportRun, form: ColumnsForm | None = None) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": _("Importazione di «%(file)s»") % {"file": run.file_name},
            "opts": self.opts,
            "run": run,
            "original": run,
            "may_import": may(request.user, IMPORT_ALBO, run),
            "has_rejects": uploads.beside(run.folder, REJECTS).is_file() and run.counts.get("rejected"),
            "reasons": _reasons(run),
            "log": LogEntry.objects.filter(object_type=run._meta.label_lower, object_id=run.pk),
            **self._of_state(request, run, form),
        }
        return TemplateResponse(request, "admin/members/importrun/run.html", context)

    def _of_state(self, request: HttpRequest, run: ImportRun, form: ColumnsForm | None) -> dict[str, Any]:
        if run.state in UNDER_WAY:
            return _progress(run)
        if run.state == State.COLUMNS:
            return {"form": form or ColumnsForm(run)}
        return _preview(request, run) if run.state == State.READY else {}

    def progress_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The part of the page that moves. Whoever is not signed in any more, or when it has ended: load the page."""
        if not self.admin_site.has_permission(request):
            return HttpResponse(status=204, headers={"HX-Refresh": "true"})
        answer: HttpResponse = self.admin_site.admin_view(self._progress_part)(request, pk)
        return answer

    def _progress_part(self, request: HttpRequest, pk: int) -> HttpResponse:
        run = self._own(request, pk, VIEW)
        if run.state not in UNDER_WAY:
            return HttpResponse(status=204, headers={"HX-Refresh": "true"})
        return TemplateResponse(request, "admin/_progress.html", _progress(run))

    def rejects_view(self, request: HttpRequest, pk: int) -> HttpResponse | FileResponse:
        """The rejected lines, to correct and bring again."""
        run = self._own(request, pk, IMPORT_ALBO)
        try:
            file = uploads.beside(run.folder, REJECTS).open("rb")
        except FileNotFoundError as gone:
            raise Http404 from gone
        log.record("import.rejects_taken", Actor.of(request), run, ordine=run.ordine.code, file=run.file_name)
        stem = run.file_name.rpartition(".")[0] or run.file_name
        name = f"{_('respinte')}-{stem.removeprefix(_('respinte') + '-')}.csv"
        return FileResponse(file, as_attachment=True, filename=name, content_type="text/csv; charset=utf-8")

    def _own(self, request: HttpRequest, pk: int, permission: str) -> ImportRun:
        run: ImportRun = get_object_or_404(self.get_queryset(request).select_related("ordine"), pk=pk)
        require_permission(request, permission, run)
        return run


def _to(run: ImportRun) -> HttpResponse:
    return redirect("admin:members_importrun_change", run.pk)


def _ordini(request: HttpRequest) -> QuerySet[Ordine]:
    """Where whoever asks may import: a role counts in its own Ordine only."""
    if request.user.is_superuser:
        return Ordine.objects.all()
    return Ordine.objects.filter(pk__in=ordini_where(roles_of(request.user), IMPORT_ALBO))


def _progress(run: ImportRun) -> dict[str, Any]:
    told = progress.told(progress_of(run)) if run.state in RUNNING else None
    return {
        "progress": told or Progress(str(run.get_state_display())),
        "url": reverse("admin:members_importrun_progress", args=[run.pk]),
        "page": reverse("admin:members_importrun_change", args=[run.pk]),
    }


def _reasons(run: ImportRun) -> list[tuple[str, int, str]]:
    words = dict([*Rejection.choices, *Warn.choices])
    return [(str(words.get(code, code)), count, lines) for code, count, lines in run.counts.get("reasons", [])]


def _preview(request: HttpRequest, run: ImportRun) -> dict[str, Any]:
    """One page of one tab: of those that have lines, the first in the order of ``Tab`` where none is asked for."""
    counts = {Tab(tab): count for tab, count in run.counts["tabs"].items()}
    asked = request.GET.get("esito")
    tab = Tab(asked) if asked in Tab.values else next((tab for tab in Tab if counts[tab]), Tab.UNCHANGED)
    pages = max(1, -(-counts[tab] // PER_PAGE))
    number = request.GET.get("pagina", "")
    page = min(int(number), pages) if number.isascii() and number.isdecimal() and len(number) < 9 else 1
    page = max(page, 1)
    names = {name: header or name for name, header, _example in run.columns}
    used = set(run.mapping.values())
    return {
        "tab": tab,
        "tabs": [(one, counts[one]) for one in Tab],
        "lines": read_page(uploads.beside(run.folder, ""), tab, page),
        "page": page,
        "previous": page - 1,
        "next": page + 1,
        "pages": pages,
        "columns": [(HEADERS[field][0], names.get(name, name)) for field, name in run.mapping.items()],
        "ignored": [header or name for name, header, _example in run.columns if name not in used],
    }
