"""The project: settings, addresses, processes."""

from albo_pec.celery import app as celery_app

__all__ = ["celery_app"]
