"""Thin Celery tasks: each wakes a service up. None carries data; PostgreSQL knows what is to be done."""

from celery import shared_task

from pec_requests import engine, register


@shared_task
def run_operations() -> None:
    """Carry out the operations that are waiting."""
    engine.run()


@shared_task
def follow_register() -> None:
    """See what imports and corrections changed for live requests."""
    register.follow()
