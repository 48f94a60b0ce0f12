"""Thin Celery tasks of the log."""

from celery import shared_task

from audit import sealing


@shared_task
def seal_log() -> None:
    """Seal the entries that no running transaction can still add to."""
    sealing.seal()
