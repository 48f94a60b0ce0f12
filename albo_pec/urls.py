"""Every address of the portal starts here."""

from allauth.account import views as account
from allauth.mfa.base import views as mfa
from allauth.mfa.recovery_codes import views as recovery_codes
from allauth.mfa.webauthn import views as webauthn
from django.contrib import admin
from django.urls import include, path, register_converter
from django.views.generic import RedirectView

from albo_pec import views
from members import second_factor_views, session_views
from members.links import SignedNumber
from members.passwordless import proof_first
from pec_requests.views import metrics

register_converter(SignedNumber, "signed")

handler400 = "albo_pec.views.bad_request"
handler429 = "albo_pec.views.too_many_requests"  # allauth asks for it by this name
handler500 = "albo_pec.views.server_error"

# Only what we use of allauth: no signing up, no e-mail addresses of its own, no reset but ours, no passkeys (a key is a
# second factor here, not a way in by itself).
# What changes the second factor asks who has no password to prove who they are, which allauth would not.
security = [
    path("", second_factor_views.Overview.as_view(), name="mfa_index"),
    path("authenticate/", mfa.authenticate, name="mfa_authenticate"),
    path("reauthenticate/", mfa.reauthenticate, name="mfa_reauthenticate"),
    path("totp/activate/", proof_first(second_factor_views.ActivateApp.as_view()), name="mfa_activate_totp"),
    path("totp/deactivate/", proof_first(second_factor_views.DeactivateApp.as_view()), name="mfa_deactivate_totp"),
    path("chiavi/aggiungi/", proof_first(second_factor_views.AddKey.as_view()), name="mfa_add_webauthn"),
    path("chiavi/<signed:pk>/togli/", proof_first(second_factor_views.RemoveKey.as_view()), name="mfa_remove_webauthn"),
    path("chiavi/conferma/", webauthn.reauthenticate_webauthn, name="mfa_reauthenticate_webauthn"),
    path("recovery-codes/", proof_first(recovery_codes.view_recovery_codes), name="mfa_view_recovery_codes"),
    path(
        "recovery-codes/generate/",
        proof_first(recovery_codes.generate_recovery_codes),
        name="mfa_generate_recovery_codes",
    ),
    path("accessi/", session_views.mine, name="sessions"),
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
    path(".well-known/security.txt", views.security_txt, name="security_txt"),
    path("healthz", views.healthz, name="healthz"),
    path("readyz", views.readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
]
