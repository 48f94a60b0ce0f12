"""The project as an app (its own system checks) and the admin with our site in it."""

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig
from django.utils.translation import gettext_lazy as _

# Whose models the office may see. Libraries bring admins of their own, some with live links and secrets in them.
OFFICE_APPS = {"audit", "members", "pec_requests"}


class AlboPecConfig(AppConfig):
    name = "albo_pec"
    verbose_name = _("Albo PEC")

    def ready(self) -> None:
        from albo_pec import checks  # noqa: F401  (registers itself)


class StaffAdminConfig(AdminConfig):
    """Django's admin, as the office of an Ordine."""

    default_site = "albo_pec.admin_site.StaffAdminSite"

    def ready(self) -> None:
        super().ready()
        from django.contrib import admin

        for model in list(admin.site._registry):
            if model._meta.app_label not in OFFICE_APPS:
                admin.site.unregister(model)
