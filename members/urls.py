"""Addresses of the albo's pages."""

from django.urls import path
from django.views.generic import RedirectView

from members import identity_views, own_data_views, preference_views, support_views, views

app_name = "members"

urlpatterns = [
    path("utente/", RedirectView.as_view(pattern_name="members:record"), name="home"),
    path("utente/scheda-anagrafica/", views.record, name="record"),
    path("utente/scheda-anagrafica/avvisi/", preference_views.choose, name="preferences"),
    path("utente/scheda-anagrafica/i-miei-dati/", own_data_views.take, name="own_data"),
    path("vista/termina/", support_views.end, name="support_end"),
    path("lingua/", preference_views.choose_language, name="language"),
    path("avvisi/<str:token>/", preference_views.unsubscribe, name="unsubscribe"),
    path("utente/scheda-anagrafica/email/", views.change_email, name="change_email"),
    path("utente/scheda-anagrafica/email/ritira/", views.drop_email, name="drop_email"),
    path("utente/scheda-anagrafica/email/conferma/<str:secret>/", views.confirm_email, name="confirm_email"),
    path("utente/scheda-anagrafica/cellulare/", views.change_mobile, name="change_mobile"),
    path("primo-accesso/", views.first_access, name="first_access"),
    path("password-dimenticata/", views.password_forgotten, name="password_forgotten"),
    path("password-dimenticata/inviato/", views.password_link_sent, name="password_link_sent"),
    path("invito/<str:token>/", views.open_link, name="invitation"),
    path("nuova-password/<str:token>/", views.open_link, name="password_link"),
    path("nuova-password/", views.new_password, name="new_password"),
    path("accedi/<slug:key>/", identity_views.start, name="identity_start"),
    path("accedi/<slug:key>/ritorno/", identity_views.come_back, name="identity_return"),
]
