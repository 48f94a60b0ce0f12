"""*Accessi bloccati*: whose account waits because somebody has tried too often; the office ends the pause."""

from __future__ import annotations

from typing import Any, ClassVar, cast

from django.contrib import admin, messages
from django.db.models import Max, Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from audit import log
from audit.actors import Actor
from members import throttle
from members.current import may, require_permission, roles_of
from members.entry_models import Tally
from members.models import Member, StaffRole, User
from members.roles import LIFT_LOCK, ordini_where

_WHERE = {
    throttle.LOGIN.name: gettext_lazy("Password del portale"),
    throttle.SECOND_FACTOR.name: gettext_lazy("Secondo fattore"),
    throttle.PRINTED_CODE.name: gettext_lazy("Codice di primo accesso"),
    throttle.PROOF.name: gettext_lazy("Conferma prima di un atto delicato"),
}


class LockAdmin(admin.ModelAdmin[Tally]):
    # The act beside the name: on a telephone the rest is reached by scrolling.
    list_display: Any = ("person", "lift_link", "where", "blocked_until", "count", "last_at")
    list_display_links = None
    fields: ClassVar[Any] = ("person", "where", "count", "last_at", "blocked_until")
    ordering = ("-blocked_until",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Tally]:
        """The accounts of one's Ordini, one line each: of the members, and of who works in the office."""
        blocked = super().get_queryset(request).filter(blocked_until__gt=timezone.now(), user__isnull=False)
        if not request.user.is_superuser:
            ordini = ordini_where(roles_of(request.user), LIFT_LOCK)
            members = Q(user__member__ordine__in=ordini)
            blocked = blocked.filter(members | Q(user__in=StaffRole.objects.filter(ordine__in=ordini).values("user")))
            blocked = blocked.exclude(user__is_superuser=True)
        latest = blocked.order_by().values("user").annotate(latest=Max("pk")).values("latest")
        return super().get_queryset(request).filter(pk__in=latest).select_related("user")

    @admin.display(description=gettext_lazy("chi"))
    def person(self, tally: Tally) -> str:
        return _name(_owner(tally))

    @admin.display(description=gettext_lazy("dove"))
    def where(self, tally: Tally) -> str:
        return str(_WHERE.get(tally.rule, tally.rule))

    @admin.display(description=gettext_lazy("che cosa puoi fare"))
    def lift_link(self, tally: Tally) -> str:
        return format_html(
            '<a href="{}">{}</a>', reverse("admin:members_tally_lift", args=[tally.pk]), _("Togli il blocco")
        )

    def has_module_permission(self, request: HttpRequest) -> bool:
        return may(request.user, LIFT_LOCK)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return may(request.user, LIFT_LOCK)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Named after what it lists: there is nothing to select and change."""
        return super().changelist_view(request, {"title": _("Accessi bloccati"), **(extra_context or {})})

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.lift_view)
        return [path("<int:pk>/togli/", view, name="members_tally_lift"), *super().get_urls()]

    def lift_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Confirm, then let the person try again at once."""
        if not self.has_view_permission(request):
            require_permission(request, LIFT_LOCK)
        tally = get_object_or_404(self.get_queryset(request), pk=pk)
        user = _owner(tally)
        owner = _of_ordine(request, user)
        require_permission(request, LIFT_LOCK, owner)
        if request.method == "POST":
            throttle.lift(user)
            ordine = owner.ordine.code if owner else ""
            person = owner.pk if isinstance(owner, Member) else None
            log.record(
                "access.lock_lifted",
                Actor.of(request),
                user,
                person=person,
                ordine=ordine,
                name=_name(user),
            )
            messages.success(request, _("%(name)s può riprovare subito.") % {"name": _name(user)})
            return redirect("admin:members_tally_changelist")
        context = {
            **self.admin_site.each_context(request),
            "title": _("Togli il blocco dell'accesso"),
            "text": _(
                "Qualcuno ha sbagliato troppe volte per entrare come questa persona. "
                "Togli il blocco solo se hai parlato con lei."
            ),
            "back": reverse("admin:members_tally_changelist"),
            "opts": self.opts,
            "objects": [_name(user)],
        }
        return TemplateResponse(request, "admin/confirm_act.html", context)


def _owner(tally: Tally) -> User:
    """Never None: nobody's rows are not in the list."""
    return cast(User, tally.user)


def _name(user: User) -> str:
    return user.get_full_name() or user.get_username()


def _of_ordine(request: HttpRequest, user: User) -> Member | StaffRole | None:
    """By what the account belongs to one of the asker's Ordini; None for the federation, which has them all."""
    record = user.record
    ordini = ordini_where(roles_of(request.user), LIFT_LOCK)
    if record and (record.ordine_id in ordini or request.user.is_superuser):
        return record
    return StaffRole.objects.filter(user=user, ordine__in=ordini).first()
