"""Every address of the portal starts here."""

from allauth.account import views as account
from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from albo_pec import views
from pec_requests.views import metrics

handler400 = "albo_pec.views.bad_request"
handler429 = "albo_pec.views.too_many_requests"  # allauth asks for it by this name
handler500 = "albo_pec.views.server_error"

# Only what we use of allauth: no signing up, no e-mail addresses of its own, no reset but ours.
security = [
    path("", include("allauth.mfa.urls")),
    path("conferma/", account.reauthenticate, name="account_reauthenticate"),
    path("password/", account.password_change, name="account_change_password"),
    # Whoever has no password yet gets one by mail, like whoever forgot it.
    path(
        "password/nuova/",
        RedirectView.as_view(pattern_name="members:password_forgotten"),
        name="account_set_password",
    ),
]

urlpatterns = [
    path("", views.home, name="home"),
    path("accedi/", account.login, name="account_login"),
    path("esci/", account.logout, name="account_logout"),
    path("accesso-disattivato/", account.account_inactive, name="account_inactive"),
    path("utente/sicurezza/", include(security)),
    path("utente/scheda-anagrafica/", include("pec_requests.urls")),
    path("", include("members.urls")),
    path("aiuto/", views.help_page, name="help"),
    path("privacy/", views.privacy, name="privacy"),
    path("accessibilita/", views.accessibility, name="accessibility"),
    path("admin/", admin.site.urls),
    path("healthz", views.healthz, name="healthz"),
    path("readyz", views.readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
]
