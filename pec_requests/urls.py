"""Addresses of the member's PEC pages, below ``/utente/scheda-anagrafica/``."""

from django.urls import path

from pec_requests import views

app_name = "pec_requests"
urlpatterns = [
    path("richieste-pec/", views.request_list, name="list"),
    path("richieste-pec/<uuid:public_id>/stato/", views.request_status, name="status"),
    path("richieste-pec/<uuid:public_id>/accetta/", views.accept, name="accept"),
    path("richieste-pec/<uuid:public_id>/rifiuta/", views.refuse, name="refuse"),
    path("pec/conferma-email/<str:secret>/", views.confirm_recovery, name="confirm-recovery"),
    path("pec/<uuid:public_id>/", views.panel, name="panel"),
    path("pec/<uuid:public_id>/stato/", views.panel_status, name="panel-status"),
    path("pec/<uuid:public_id>/email-recupero/", views.change_recovery, name="change-recovery"),
    path("pec/<uuid:public_id>/email-recupero/ritira/", views.drop_recovery, name="drop-recovery"),
    path("pec/<uuid:public_id>/reimposta-password/", views.reset_password, name="reset-password"),
]
