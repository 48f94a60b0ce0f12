"""The albo in the office: members and their enrolments. What concerns PEC is added by ``pec_requests.admin``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from http import HTTPStatus
from typing import Any, ClassVar

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import SEARCH_VAR
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.db.models import ForeignKey, Model, Prefetch, QuerySet
from django.forms import ModelChoiceField
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from audit import log
from audit.actors import Actor
from audit.models import LogEntry
from members import access, contacts, exporting, history, letter_admin, reading, sessions, support_admin, throttle
from members.current import may, require_permission, roles_of
from members.entry_models import Tally
from members.exports import PAGE
from members.filters import AlboFilter, ProvinceFilter, StatusFilter, WarningFilter
from members.forms import MemberAdminForm
from members.import_admin import ImportRunAdmin
from members.keyset import Condition, Source, rows_of
from members.lists import ListAdmin, member_word
from members.lock_admin import LockAdmin
from members.log_admin import LogEntryAdmin
from members.models import Albo, Enrolment, ImportRun, Member, Ordine, User
from members.office_admin import ByOrdine
from members.roles import INVITE_MEMBER, PRINT_CODE, SEE_AS_MEMBER, ordini_where
from members.staff_admin import StaffRoleAdmin as StaffRoleAdmin  # registers itself
from members.table_files import Row

LOG_SHOWN = 50


class EnrolmentInline(ByOrdine, admin.TabularInline[Enrolment, Member]):
    model = Enrolment
    extra = 0
    can_delete = False


@admin.register(Member)
class MemberAdmin(ListAdmin):
    form = MemberAdminForm
    inlines = [EnrolmentInline]
    list_display: Any = ("surname", "name", "tax_code", "enrolment_numbers", "email_state")
    list_display_links = ("surname", "name")
    list_filter: ClassVar[Any] = (AlboFilter, StatusFilter, ProvinceFilter, WarningFilter)
    search_fields = ("search_key",)  # shows the box; what it finds is said in ``word_conditions``
    search_help_text = gettext_lazy("Cognome, nome, codice fiscale o numero di iscrizione")
    ordering = ("search_key", "id")
    change_form_template = "admin/members/member/change_form.html"
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "ordine",
                    "tax_code",
                    ("surname", "name"),
                    "sex",
                    "birth_date",
                    "birth_place",
                    "birth_province",
                )
            },
        ),
        (
            gettext_lazy("Contatti"),
            {"fields": ("personal_email", "mobile", "own_pec", "address", "postcode", "town", "province")},
        ),
        (gettext_lazy("Fascicolo"), {"fields": ("file_number",)}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Member]:
        enrolments = Prefetch("enrolments", queryset=rows_of(Enrolment).select_related("albo"))
        rows: QuerySet[Member] = super().get_queryset(request).select_related("ordine")
        return rows.prefetch_related(enrolments)

    def everything(self) -> Source:
        return Source(Member.objects.all(), ("search_key",))

    def word_conditions(self, word: str) -> list[Condition]:
        return list(member_word(word))

    def export_headers(self, request: HttpRequest) -> list[str]:
        return list(exporting.COLUMNS)

    def export_rows(self, request: HttpRequest, changelist: Any) -> Iterator[Row]:
        for positions in changelist.listing.walk(PAGE):
            yield from self.export_lines([position.pk for position in positions])

    def export_lines(self, members: Sequence[int]) -> Iterator[Row]:
        """The lines of these members, by primary key."""
        return (cells for _member, cells in exporting.lines(members))

    @admin.display(description=gettext_lazy("Iscrizioni"))
    def enrolment_numbers(self, member: Member) -> str:
        return ", ".join(str(enrolment) for enrolment in member.enrolments.all())

    @admin.display(description=gettext_lazy("E-mail"))
    def email_state(self, member: Member) -> str:
        return member.personal_email if not member.email_problem else str(member.get_email_problem_display())

    def formfield_for_foreignkey(
        self, db_field: ForeignKey[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> ModelChoiceField[Any] | None:
        if db_field.name == "ordine" and not _is_federation(request):
            mine = ordini_where(roles_of(request.user), "members.add_member")
            kwargs["queryset"] = Ordine.objects.filter(pk__in=mine)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    @admin.display(description=gettext_lazy("Ordine"))
    def ordine_name(self, member: Member) -> str:
        return member.ordine.short_name

    def get_fieldsets(self, request: HttpRequest, obj: Member | None = None) -> Any:
        """A member changes Ordine by a transfer, not by an edit: here it is a name."""
        if obj is None:
            return self.fieldsets
        identity = {"fields": ("ordine_name", *self.fieldsets[0][1]["fields"][1:])}
        return ((None, identity), *self.fieldsets[1:])

    def get_readonly_fields(self, request: HttpRequest, obj: Member | None = None) -> tuple[str, ...]:
        return ("ordine_name",)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Member, form: Any, change: bool) -> None:
        """What the office writes is no longer the member's own word, which no import may change."""
        for field, mark in contacts.OWN_WORD.items():
            if field in form.changed_data:
                setattr(obj, mark, None)
        super().save_model(request, obj, form, change)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """After the member and the enrolments: one entry in the log for what changed."""
        super().save_related(request, form, formsets, change)
        member: Member = form.instance
        if change and "personal_email" in form.changed_data:
            access.tell_email_replaced(member, form.initial["personal_email"])
        fields = [str(form.fields[name].label) for name in form.changed_data]
        fields += [str(f.model._meta.verbose_name) for f in formsets if f.has_changed()]
        if fields:
            action = "member.updated" if change else "member.created"
            actor = Actor.of(request)
            log.record(action, actor, member, person=member.pk, ordine=member.ordine.code, fields=", ".join(fields))

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if not throttle.may_look_for(request, request.GET.get(SEARCH_VAR, "")):
            return throttle.refusal(request, throttle.OFFICE_SEARCH.per_person.seconds)
        return super().changelist_view(request, extra_context)

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not throttle.may_look_for(request, request.POST.get("tax_code", "")):
            return throttle.refusal(request, throttle.OFFICE_SEARCH.per_person.seconds)
        return super().add_view(request, form_url, extra_context)

    def get_urls(self) -> list[URLPattern]:
        own = [
            path("<int:member_id>/invito/", self.admin_site.admin_view(self.invite_view), name="members_member_invite"),
            path("<int:member_id>/codice/", self.admin_site.admin_view(self.code_view), name="members_member_code"),
        ]
        own.append(
            path(
                "<int:member_id>/vedi-come/", self.admin_site.admin_view(self.see_as_view), name="members_member_see_as"
            )
        )
        return own + super().get_urls()

    def see_as_view(self, request: HttpRequest, member_id: int) -> HttpResponse:
        """**Vedi come questo iscritto**."""
        member = self.own_member(request, member_id)
        require_permission(request, SEE_AS_MEMBER, member)
        return support_admin.see_as(self, request, member)

    def own_member(self, request: HttpRequest, member_id: int) -> Member:
        """A member of the scope; anybody else's is 404."""
        return get_object_or_404(self.get_queryset(request), pk=member_id)

    def invite_view(self, request: HttpRequest, member_id: int) -> HttpResponse:
        """Confirm, then mail the invitation to the portal."""
        member = self.own_member(request, member_id)
        require_permission(request, INVITE_MEMBER, member)
        if request.method == "POST":
            try:
                access.invite(member, Actor.of(request))
                messages.success(request, _("Invito spedito a %(email)s.") % {"email": member.personal_email})
            except access.AccessRefused as why:
                messages.error(request, str(why))
            return redirect("admin:members_member_change", member.pk)
        return self.confirm_page(
            request,
            member,
            _("Invita al portale"),
            _("%(name)s riceverà a %(email)s un link con cui scegliere la password del portale.")
            % {"name": member.full_name, "email": member.personal_email or "…"},
        )

    def code_view(self, request: HttpRequest, member_id: int) -> HttpResponse:
        """Confirm, then show once, ready to print, the code for who has no e-mail."""
        member = self.own_member(request, member_id)
        require_permission(request, PRINT_CODE, member)
        if request.method == "POST":
            try:
                code = access.print_code(member, Actor.of(request))
            except access.AccessRefused as why:
                messages.error(request, str(why))
                return redirect("admin:members_member_change", member.pk)
            context = {
                **self.admin_site.each_context(request),
                "member": member,
                "code": code,
                "title": _("Codice di primo accesso"),
                "first_access_url": settings.PORTAL_URL + reverse("members:first_access"),
            }
            response = TemplateResponse(request, "admin/members/member/printed_code.html", context)
            response["Cache-Control"] = "no-store"
            return response
        return self.confirm_page(
            request,
            member,
            _("Stampa il codice di primo accesso"),
            _("Verrà creato un codice da consegnare a mano a %(name)s. I codici precedenti non varranno più.")
            % {"name": member.full_name},
        )

    def confirm_page(
        self,
        request: HttpRequest,
        member: Member,
        title: str,
        text: str,
        *,
        template: str = "admin/confirm_act.html",
        **extra: Any,
    ) -> HttpResponse:
        """The page that asks before an act on a member."""
        back = reverse("admin:members_member_change", args=[member.pk])
        context = {
            **self.admin_site.each_context(request),
            "title": title,
            "text": text,
            "back": back,
            "opts": self.opts,
            "member": member,
            "objects": [str(member)],
            **extra,
        }
        return TemplateResponse(request, template, context)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        obj: Member | None = kwargs.get("obj")
        if obj:
            if request.method != "POST":  # whose answer shows again what was read before
                reading.note(request, obj, _("scheda"))
            context["log"] = history.entries(obj.pk).exclude(action=reading.READ)[:LOG_SHOWN]
            context["may_invite"] = may(request.user, INVITE_MEMBER, obj)
            context["may_see_as"] = may(request.user, SEE_AS_MEMBER, obj)
            context["may_print_code"] = may(request.user, PRINT_CODE, obj)
        return super().render_change_form(request, context, *args, **kwargs)

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        response = super().history_view(request, object_id, extra_context)
        if response.status_code == HTTPStatus.OK and (member := self.get_object(request, unquote(object_id))):
            reading.note(request, member, _("cronologia"))
        return response


def _is_federation(request: HttpRequest) -> bool:
    return bool(request.user.is_superuser)


class FederationAdmin(admin.ModelAdmin[Any]):
    """For what belongs to the federation, not to one Ordine: only its administrators see it, and all is logged."""

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        self._record("federation.added", request, obj, message)
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        self._record("federation.changed", request, obj, message)
        return super().log_change(request, obj, message)

    def _record(self, action: str, request: HttpRequest, obj: Any, message: Any) -> None:
        kind = str(obj._meta.verbose_name)
        log.record(action, Actor.of(request), obj, kind=kind, name=str(obj), changes=message)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return _is_federation(request)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return _is_federation(request)

    has_add_permission = has_module_permission

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return _is_federation(request)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


admin.site.register(ImportRun, ImportRunAdmin)
admin.site.register(Tally, LockAdmin)
admin.site.register(LogEntry, LogEntryAdmin)


@admin.register(Ordine)
class OrdineAdmin(FederationAdmin):
    list_display = ("short_name", "code", "name")

    def get_readonly_fields(self, request: HttpRequest, obj: Ordine | None = None) -> tuple[str, ...]:
        """The log knows an Ordine by its code."""
        return ("code",) if obj else ()

    def get_urls(self) -> list[URLPattern]:
        return [*letter_admin.urls(self.admin_site), *super().get_urls()]


@admin.register(Albo)
class AlboAdmin(FederationAdmin):
    list_display = ("name", "valid_from", "valid_to")


@admin.register(User)
class UserAdmin(FederationAdmin, DjangoUserAdmin[User]):
    list_display = ("username", "first_name", "last_name", "is_active", "is_superuser")
    list_filter = ("is_superuser", "is_active")
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        (gettext_lazy("Persona"), {"fields": ("first_name", "last_name", "email")}),
        (gettext_lazy("Accesso"), {"fields": ("is_active", "is_superuser")}),
    )

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """Whoever is shut out, or is the federation's no longer, is out at once."""
        super().save_model(request, obj, form, change)
        if change and {"is_active", "is_superuser"} & set(form.changed_data):
            sessions.end_all(obj)
