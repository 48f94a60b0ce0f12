"""Thin Celery tasks of the albo."""

from __future__ import annotations

from datetime import timedelta

from celery import shared_task

from audit.actors import Actor
from members import access, mail

LINKS_KEPT = timedelta(days=30)
MAIL_BODIES_KEPT = timedelta(days=1)
MAILS_KEPT = timedelta(days=30)


@shared_task
def send_mail() -> None:
    """Send the mails that wait."""
    mail.drain()


@shared_task
def send_password_link(identifier: str, ip: str | None) -> None:
    """Look the person up and mail the link, out of sight of whoever asked."""
    access.send_password_link(identifier, Actor(name="visitatore", ip=ip))


@shared_task
def forget_old_links() -> None:
    """Every night: ended links, old mails, and the text of mails that went out."""
    access.forget(LINKS_KEPT)
    mail.forget(bodies_after=MAIL_BODIES_KEPT, rows_after=MAILS_KEPT)
