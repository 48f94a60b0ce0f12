"""Addresses of the member's PEC pages, below ``/utente/scheda-anagrafica/``."""

from django.urls import path

from pec_requests import recovery_views, views

app_name = "pec_requests"
urlpatterns = [
    path("richieste-pec/", views.request_list, name="list"),
    path("richieste-pec/<uuid:public_id>/stato/", views.request_status, name="status"),
    path("richieste-pec/<uuid:public_id>/accetta/", views.accept, name="accept"),
    path("richieste-pec/<uuid:public_id>/rifiuta/", views.refuse, name="refuse"),
    path("pec/conferma-email/<str:secret>/", recovery_views.confirm_recovery, name="confirm-recovery"),
    path("pec/non-sono-stato-io/<str:secret>/", recovery_views.stop_recovery, name="stop-recovery"),
    path("pec/<uuid:public_id>/", views.panel, name="panel"),
    path("pec/<uuid:public_id>/stato/", views.panel_status, name="panel-status"),
    path("pec/<uuid:public_id>/email-recupero/", recovery_views.change_recovery, name="change-recovery"),
    path("pec/<uuid:public_id>/email-recupero/ritira/", recovery_views.drop_recovery, name="drop-recovery"),
    path("pec/<uuid:public_id>/email-recupero/rispedisci/", recovery_views.resend_recovery, name="resend-recovery"),
    path("pec/<uuid:public_id>/reimposta-password/", recovery_views.reset_password, name="reset-password"),
]
