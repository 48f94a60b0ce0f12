"""What must not go to production, told by ``manage.py check --deploy``."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import connection

from albo_pec import security_txt
from audit.models import LogEntry

_TRUE = {"1", "true", "yes", "on", "y", "t"}


@register()
def check_lease(app_configs: Any, **kwargs: Any) -> Iterable[CheckMessage]:
    """A call must be over before its lease: else two workers could call for the same operation."""
    if settings.OPERATION_LEASE_SECONDS <= settings.PROVIDER_OPERATION_SECONDS:
        message = "OPERATION_LEASE_SECONDS is not longer than PROVIDER_OPERATION_SECONDS."
        yield Error(message, hint="Twice as long leaves room for what is claimed ahead.", id="albo_pec.E007")


@register()
def check_gateways(app_configs: Any, **kwargs: Any) -> Iterable[CheckMessage]:
    """A gateway is there or it is not: one that is half described would be missing without a word."""
    for key, gateway in settings.IDENTITY_GATEWAYS.items():
        given = {name: bool(gateway[name]) for name in ("issuer", "client_id", "client_secret")}
        if any(given.values()) and not all(given.values()):
            missing = ", ".join(f"{key}_oidc_{name}".upper() for name, there in given.items() if not there)
            yield Error(
                f"The gateway for {gateway['name']} is described by half: {missing} is missing.",
                hint="Set all three, or none of them.",
                id="albo_pec.E010",
            )


@register(Tags.security, deploy=True)
def check_deployment(app_configs: Any, **kwargs: Any) -> Iterable[CheckMessage]:
    """One error for each setting that is fit for a development machine only."""
    for code, wrong, message, hint in _rules():
        if wrong:
            yield Error(message, hint=hint, id=f"albo_pec.{code}")


@register(Tags.database, deploy=True)
def check_database_role(app_configs: Any, **kwargs: Any) -> Iterable[CheckMessage]:
    """Asked of the database itself, hence only with ``check --deploy --database default``, as web and workers run."""
    if not kwargs.get("databases"):
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT has_table_privilege(%s, 'DELETE')", [LogEntry._meta.db_table])
        may_delete = cursor.fetchone()[0]
    if may_delete:
        yield Error(
            "The role of DATABASE_URL may delete from the log of activities.",
            hint="Give web and workers a role of their own: manage.py grant_roles.",
            id="albo_pec.E022",
        )


def _rules() -> list[tuple[str, bool, str, str]]:
    secret = settings.SECRET_KEY
    return [
        (
            "E001",
            settings.CELERY_TASK_ALWAYS_EAGER,
            "Celery runs tasks inside the request (CELERY_TASK_ALWAYS_EAGER).",
            "Remove the variable and start workers.",
        ),
        (
            "E002",
            secret == settings.INSECURE_SECRET_KEY or len(secret) < 32,
            "SECRET_KEY is the one of a development machine, or too short.",
            "Set SECRET_KEY to at least 50 random characters.",
        ),
        (
            "E003",
            os.environ.get("SANDBOX_CONTROLS", "").strip().lower() in _TRUE,
            "The sandbox's controls are open (SANDBOX_CONTROLS).",
            "Remove the variable: the sandbox has no place beside a real provider.",
        ),
        (
            "E004",
            not settings.MFA_REQUIRED,
            "Staff may sign in without a second factor (MFA_REQUIRED).",
            "Remove the variable or set it to 1.",
        ),
        (
            "E005",
            not settings.PORTAL_URL.startswith("https://"),
            "PORTAL_URL is not https: cookies and links would travel in the clear.",
            "Set PORTAL_URL to the https address of the portal.",
        ),
        (
            "E006",
            "*" in settings.ALLOWED_HOSTS,
            "ALLOWED_HOSTS accepts any name.",
            "List the names of the portal.",
        ),
        (
            "E011",
            any(not g["issuer"].startswith("https://") for g in settings.IDENTITY_GATEWAYS.values() if g["issuer"]),
            "A gateway for SPID or CIE is not https: whoever is in between could be anybody.",
            "Set SPID_OIDC_ISSUER and CIE_OIDC_ISSUER to https addresses.",
        ),
        (
            "E023",
            bool(settings.STATIC_ROOT)
            and settings.UPLOADS.resolve().is_relative_to(Path(settings.STATIC_ROOT).resolve()),
            "UPLOADS is in the folder that everybody is served from (STATIC_ROOT).",
            "Set UPLOADS to a folder outside of it.",
        ),
        (
            "E020",
            not security_txt.contact(),
            "Nobody is named who can be told of a hole in the portal (SECURITY_CONTACT).",
            "Set SECURITY_CONTACT to an e-mail address, or to the https address of a page.",
        ),
        (
            "E021",
            not settings.ARUBA_BASE_URL.startswith("https://"),
            "ARUBA_BASE_URL is not https: the partner's password would travel in the clear.",
            "Set ARUBA_BASE_URL to the https address of the provider.",
        ),
    ]
