"""Thin Celery tasks of the albo."""

from __future__ import annotations

from datetime import timedelta

from celery import shared_task

from audit.actors import Actor
from members import (
    access,
    anchoring,
    contacts,
    devices,
    import_runs,
    import_working,
    mail,
    sessions,
    support,
    throttle,
)

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
    """Every night: ended links and sessions, what no longer counts, old mails, and the text of mails that went out."""
    access.forget(LINKS_KEPT)
    contacts.forget(LINKS_KEPT)
    sessions.forget()
    devices.forget_old()
    throttle.forget()
    mail.forget(bodies_after=MAIL_BODIES_KEPT, rows_after=MAILS_KEPT)


@shared_task
def end_support_views() -> None:
    """Looks as a member that nobody has ended, and whose time is over."""
    support.end_overdue()


@shared_task
def carry_out_imports() -> None:
    """Read the files that were brought, and import what was confirmed."""
    import_working.carry_out()


@shared_task
def end_abandoned_imports() -> None:
    """Not by the workers of ``carry_out_imports``: it is about them."""
    import_runs.end_abandoned()


@shared_task
def forget_old_imports() -> None:
    """Every night: files of rejects that are old, and imports that nobody decided about."""
    import_runs.forget()


@shared_task
def anchor_log() -> None:
    """Every night: the log is verified, and its newest seal told outside."""
    anchoring.tell()
