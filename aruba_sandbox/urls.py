"""Addresses of the sandbox: the API, the holders' pages, the mail it caught, the controls."""

from django.urls import path

from aruba_sandbox import api, controls, health, holder_views, mailbox

urlpatterns = [
    path("healthz", health.healthz),
    *api.urls(),
    *holder_views.urls(),
    *mailbox.urls(),
    *controls.urls(),
]
