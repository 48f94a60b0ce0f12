"""Thin Celery tasks: each wakes a service up. None carries data; PostgreSQL knows what is to be done."""

import structlog
from celery import shared_task

from audit.actors import Actor
from pec_requests import batches, digests, engine, forgetting, notices, reconcile, register, reminders

logger = structlog.get_logger(__name__)


@shared_task
def run_operations() -> None:
    """Carry out the operations that are waiting."""
    engine.run()


@shared_task
def write_mails() -> None:
    """Word the notices that wait; as mails they are sent like others."""
    notices.write()


@shared_task
def remind() -> None:
    """By day: who has left a casella unaccepted for as long as the Ordine has said."""
    reminders.remind()


@shared_task
def send_digests() -> None:
    """Every morning: to each office what it should know."""
    digests.send_due()


@shared_task
def follow_register() -> None:
    """See what imports and corrections changed for live requests."""
    register.follow()


@shared_task
def carry_out_batches() -> None:
    """Make, or cancel, the requests that somebody asked for in bulk."""
    batches.carry_out_waiting()


@shared_task
def reconcile_with_provider() -> None:
    """Every night: the register against the provider, what is safe mended, the rest shown to staff."""
    try:
        outcome = reconcile.run(repair=True)
    except (reconcile.Busy, reconcile.NotFinished) as why:
        logger.warning("reconcile_not_done", reason=str(why))
    else:
        logger.info("reconciled", **vars(outcome))


@shared_task
def forget_who_left() -> None:
    """Every night: contacts and account of who left the albo as long ago as the Ordine has said."""
    logger.info("forgotten", members=forgetting.forget_all(Actor.process("forget")))
