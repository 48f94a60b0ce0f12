"""Who works in the office, in the office: a list, and for each person what may be done. ``staffing`` decides."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from audit.actors import Actor
from audit.models import LogEntry
from members import emails, staffing, tax_codes
from members.current import may, only_where, require_permission, roles_of
from members.models import Ordine, StaffRole
from members.office_admin import ByOrdine
from members.roles import MANAGE_STAFF, ordini_where
from members.staffing import Person, Role, StaffRefused

VIEW = "members.view_staffrole"
LOG_SHOWN = 50


class RoleForm(forms.Form):
    """A role, and nothing else that a POST may say."""

    role = forms.ChoiceField(
        label=gettext_lazy("Ruolo"),
        choices=Role.choices,
        initial=Role.OPERATORE,
        help_text=gettext_lazy(
            "Il revisore legge tutto e non cambia nulla. L'operatore lavora con iscritti e caselle. Il responsabile "
            "inoltre sospende e cessa caselle, corregge, unisce e trasferisce schede, e dà gli incarichi."
        ),
    )


class AppointForm(RoleForm):
    """Somebody who is to work in the office."""

    ordine = forms.ModelChoiceField(Ordine.objects.none(), label=gettext_lazy("Ordine"), empty_label=None)
    name = forms.CharField(label=gettext_lazy("Nome"), max_length=80)
    surname = forms.CharField(label=gettext_lazy("Cognome"), max_length=80)
    email = forms.CharField(
        label=gettext_lazy("E-mail"),
        max_length=emails.MAX_LENGTH,
        help_text=gettext_lazy("Personale: la legge solo questa persona. Riceve qui il link per la password."),
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
    )
    tax_code = forms.CharField(
        label=gettext_lazy("Codice fiscale"),
        required=False,
        max_length=40,
        help_text=gettext_lazy(
            "Solo se è iscritta a un albo: entra in segreteria con lo stesso account. L'e-mail è quella della scheda."
        ),
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "characters", "spellcheck": "false"}),
    )
    field_order = ("ordine", "name", "surname", "email", "tax_code", "role")

    def __init__(self, *args: Any, ordini: QuerySet[Ordine], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["ordine"]
        assert isinstance(field, forms.ModelChoiceField)  # noqa: S101  (tells the type checker)
        field.queryset = ordini
        if len(ordini) == 1:
            field.initial, field.widget = ordini[0].pk, field.hidden_widget()

    def clean_tax_code(self) -> str:
        code = tax_codes.normalise(self.cleaned_data["tax_code"])
        if code and not tax_codes.is_valid(code):
            raise ValidationError(_("Il codice fiscale non è valido: controlla i 16 caratteri."))
        return code

    def person(self) -> Person:
        data = {name: " ".join(self.cleaned_data[name].split()) for name in ("name", "surname", "email", "tax_code")}
        return Person(**data)


@admin.register(StaffRole)
class StaffRoleAdmin(ByOrdine, admin.ModelAdmin[StaffRole]):
    list_display = ("person", "email", "role", "ordine", "standing")
    list_filter = ("role",)
    list_select_related = ("user", "ordine")
    ordering = ("user__last_name", "user__first_name", "pk")
    list_per_page = 50
    change_list_template = "admin/members/staffrole/change_list.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[StaffRole]:
        """Where one may see them: in another office one may be no more than an operatore."""
        with only_where(request.user, VIEW):
            return super().get_queryset(request)

    @admin.display(description=gettext_lazy("Persona"))
    def person(self, held: StaffRole) -> str:
        return staffing.person_name(held.user)

    @admin.display(description=gettext_lazy("E-mail"))
    def email(self, held: StaffRole) -> str:
        return emails.mask(held.user.email) if held.user.email else "–"

    @admin.display(description=gettext_lazy("Accesso"))
    def standing(self, held: StaffRole) -> str:
        if not held.user.is_active:
            return _("disattivato")
        return _("attivo") if staffing.has_come_in(held.user) else _("invitato, non è ancora entrato")

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return may(request.user, MANAGE_STAFF, obj)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        own = [
            path("<int:pk>/togli/", view(self.dismiss_view), name="members_staffrole_dismiss"),
            path("<int:pk>/invito/", view(self.invite_view), name="members_staffrole_invite"),
        ]
        return own + super().get_urls()

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Named after what it lists."""
        return super().changelist_view(request, {"title": _("Chi lavora in segreteria"), **(extra_context or {})})

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """**Nuovo incarico**: who, and which role."""
        require_permission(request, MANAGE_STAFF)
        ordini = Ordine.objects.order_by("name")
        if not request.user.is_superuser:
            ordini = ordini.filter(pk__in=ordini_where(roles_of(request.user), MANAGE_STAFF))
        form = AppointForm(request.POST if request.method == "POST" else None, ordini=ordini)
        if request.method == "POST" and form.is_valid():
            data = form.cleaned_data
            try:
                held, new = staffing.appoint(data["ordine"], form.person(), data["role"], Actor.of(request))
            except StaffRefused as why:
                form.add_error(None, str(why))
            else:
                self._tell(request, new, _("Incarico dato: la persona riceve un'e-mail."))
                return redirect("admin:members_staffrole_change", held.pk)
        return self._page(request, "appoint", title=_("Nuovo incarico in segreteria"), form=form)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """One person: the role, which a POST changes, and the ways to the other acts."""
        held = self.get_object(request, unquote(object_id))
        if held is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[attr-defined,no-any-return]  # Django's own, for its own pages
        require_permission(request, VIEW, held)
        form = RoleForm(request.POST if request.method == "POST" else None, initial={"role": held.role})
        # Before the form is filled in: nothing of it is lost on the way to prove who one is.
        if request.method == "POST" or may(request.user, MANAGE_STAFF, held):
            require_permission(request, MANAGE_STAFF, held)
        if request.method == "POST" and form.is_valid():
            try:
                done = staffing.change_role(held.pk, form.cleaned_data["role"], Actor.of(request))
            except StaffRefused as why:
                form.add_error(None, str(why))
            else:
                self._tell(request, done, _("Ruolo cambiato: la persona riceve un'e-mail."))
                return redirect("admin:members_staffrole_changelist")
        context = {
            "held": held,
            "person": staffing.person_name(held.user),
            "email": self.email(held),
            "standing": self.standing(held),
            "refused": staffing.OWN_ROLE if held.user_id == request.user.pk and not form.errors else "",
            "may_manage": may(request.user, MANAGE_STAFF, held),
            "waits": held.user.is_active and not staffing.has_come_in(held.user),
            "log": LogEntry.objects.filter(object_type=StaffRole._meta.label_lower, object_id=held.pk)[:LOG_SHOWN],
        }
        return self._page(request, "person", title=staffing.person_name(held.user), form=form, **context)

    def dismiss_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """**Togli l'incarico**: ask, then do."""
        try:
            held = self._own(request, pk)
        except Http404:
            if request.method != "POST" or not self._did(request, pk):
                raise
            self._tell(request, False, "")
            return redirect("admin:members_staffrole_changelist")
        if request.method == "POST":
            return self._act(request, held, staffing.dismiss, _("Incarico tolto."))
        text = _(
            "Da subito non entra più in questa segreteria, e le sue sessioni aperte finiscono. Riceve un'e-mail. Ciò "
            "che ha fatto resta nel registro con il suo nome."
        )
        return self._ask(request, held, _("Togli l'incarico"), text, danger=True)

    def invite_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """**Spedisci di nuovo l'invito**: ask, then do."""
        held = self._own(request, pk)
        if request.method == "POST":
            return self._act(request, held, staffing.invite_again, _("Invito spedito."))
        text = _("Riceve un nuovo link per scegliere la password; quelli di prima non valgono più.")
        return self._ask(request, held, _("Spedisci di nuovo l'invito"), text)

    def _did(self, request: HttpRequest, pk: int) -> bool:
        """Whether the same person has just taken this role away: the second of two clicks."""
        done = LogEntry.objects.filter(object_type=StaffRole._meta.label_lower, object_id=pk, action=staffing.DISMISSED)
        return done.filter(actor_id=request.user.pk).exists()

    def _own(self, request: HttpRequest, pk: int) -> StaffRole:
        held: StaffRole = get_object_or_404(self.get_queryset(request).select_related("user", "ordine"), pk=pk)
        require_permission(request, MANAGE_STAFF, held)
        return held

    def _act(self, request: HttpRequest, held: StaffRole, act: Any, sentence: str) -> HttpResponse:
        try:
            self._tell(request, act(held.pk, Actor.of(request)) is not False, sentence)
        except StaffRefused as why:
            messages.error(request, str(why))
        return redirect("admin:members_staffrole_changelist")

    def _tell(self, request: HttpRequest, done: bool, sentence: str) -> None:
        """Nothing to do is no error (the double click, the colleague who was faster)."""
        if done:
            messages.success(request, sentence)
        else:
            messages.info(request, _("Non c'era nulla da fare: qualcuno ci aveva già pensato."))

    def _ask(self, request: HttpRequest, held: StaffRole, title: str, text: str, **extra: Any) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": title,
            "text": text,
            "objects": [f"{staffing.person_name(held.user)} · {held.get_role_display()} · {held.ordine}"],
            "opts": self.opts,
            "back": reverse("admin:members_staffrole_change", args=[held.pk]),
            **extra,
        }
        return TemplateResponse(request, "admin/confirm_act.html", context)

    def _page(self, request: HttpRequest, template: str, **context: Any) -> HttpResponse:
        context = {**self.admin_site.each_context(request), "opts": self.opts, **context}
        return TemplateResponse(request, f"admin/members/staffrole/{template}.html", context)
