"""The office of the Ordine: Django's admin with the portal's own door, a second factor and the Ordine's name."""

from __future__ import annotations

from functools import wraps
from typing import Any

from allauth.account import views as account_views
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from members import second_factor
from members.current import is_staff, staff_ordini
from pec_requests import health


class StaffAdminSite(AdminSite):
    site_title = gettext_lazy("Albo PEC")
    index_title = gettext_lazy("Segreteria")
    site_url = "/"
    enable_nav_sidebar = False

    def has_permission(self, request: HttpRequest) -> bool:
        """Whoever works in the office of an Ordine, and the federation's administrators."""
        return is_staff(request.user)

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """Every page of the office asks for a second factor, where the installation requires one."""
        guarded = super().admin_view(view, cacheable)

        @wraps(guarded)
        def second_factor_first(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if second_factor.required(request.user):
                if not second_factor.enrolled(request.user):
                    messages.warning(
                        request, _("Per lavorare in segreteria attiva prima un secondo fattore di accesso.")
                    )
                    return redirect("mfa_index")
                if not second_factor.shown(request):  # a session from before there was one
                    messages.warning(request, _("Per lavorare in segreteria usa prima il tuo secondo fattore."))
                    return redirect(second_factor.address_to_show(request))
            response: HttpResponse = guarded(request, *args, **kwargs)
            return response

        return second_factor_first

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        """Django's context, with the Ordine's name in the header."""
        ordini = staff_ordini(request.user) if self.has_permission(request) else []
        header = " · ".join(ordine.short_name for ordine in ordini) or _("Federazione nazionale")
        away = health.trouble() if self.has_permission(request) else None
        return {**super().each_context(request), "site_header": header, "provider_trouble": away}

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The portal has one door, with one set of limits and one log: ours is a link to it."""
        following = request.GET.get(REDIRECT_FIELD_NAME) or reverse("admin:index", current_app=self.name)
        if self.has_permission(request):
            return HttpResponseRedirect(reverse("admin:index", current_app=self.name))
        if request.user.is_authenticated:
            messages.error(request, _("Questa pagina è riservata alla segreteria dell'Ordine."))
            return redirect("home")
        return HttpResponseRedirect(f"{reverse('account_login')}?{urlencode({REDIRECT_FIELD_NAME: following})}")

    def logout(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """The portal's, which is in the log."""
        return account_views.logout(request)

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """The portal's, which is in the log and told by mail."""
        return redirect("account_change_password")
