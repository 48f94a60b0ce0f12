"""The Celery application. Tasks carry no data worth losing: they wake workers up to look at PostgreSQL."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "albo_pec.settings")

app = Celery("albo_pec")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
