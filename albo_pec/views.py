"""The pages that belong to nobody's app: home, legal pages, errors, health."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache as remember

from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils import translation
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from albo_pec import security_txt as security
from members import languages, throttle
from members.current import record_of
from pec_requests.views import standing

logger = logging.getLogger(__name__)


@never_cache
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """What the portal is; for a member, how things stand; and the one thing to do next."""
    record = record_of(request.user)
    return render(request, "home.html", standing(record) if record else {})


@require_safe
def help_page(request: HttpRequest) -> HttpResponse:
    """What a PEC is, how one gets in, and what a mail program wants to know."""
    servers = {"imap": settings.PEC_IMAP.rpartition(":")[::2], "smtp": settings.PEC_SMTP.rpartition(":")[::2]}
    told = {"webmail_url": settings.WEBMAIL_URL, "security_contact": security.contact()}
    return render(request, "help.html", {**servers, **told})


@require_safe
def privacy(request: HttpRequest) -> HttpResponse:
    return render(request, "privacy.html")


@require_safe
def accessibility(request: HttpRequest) -> HttpResponse:
    return render(request, "accessibility.html", {"feedback": settings.ADMINS[0][1] if settings.ADMINS else ""})


@require_safe
def security_txt(request: HttpRequest) -> HttpResponse:
    """Whom to tell of a hole, for programs; people read the same on the page of help."""
    text = security.document()
    if not text:
        raise Http404
    return HttpResponse(text, content_type="text/plain; charset=utf-8")


# --- Errors -----------------------------------------------------------------------------------------------------------
def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _standalone(request, "400.html", 400)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """The form came without its token: usually cookies are off, or the page lay open for days."""
    logger.warning("csrf_failure: %s %s", reason, request.path)
    return render(request, "403_csrf.html", status=403)


def too_many_requests(request: HttpRequest) -> HttpResponse:
    return throttle.refusal(request)


def server_error(request: HttpRequest) -> HttpResponse:
    return _standalone(request, "500.html", 500)


def _standalone(request: HttpRequest, template: str, status: int) -> HttpResponse:
    """A page that needs neither request nor database, and plain words where even that fails."""
    from django.template.loader import render_to_string

    try:
        # Nobody may have looked yet who reads, and nobody may be asked now.
        with translation.override(getattr(request, "LANGUAGE_CODE", None) or languages.of_browser(request)):
            return HttpResponse(render_to_string(template), status=status)
    except Exception:  # the page that tells of an error must not raise another
        logger.exception("error_page_failed")
        return HttpResponse(
            "Si è verificato un errore. Riprova tra qualche minuto.", "text/plain; charset=utf-8", status
        )


# --- Health -----------------------------------------------------------------------------------------------------------
@never_cache
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """This process answers."""
    return HttpResponse("ok\n", content_type="text/plain; charset=utf-8")


@never_cache
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """200 only when the database, its migrations and Redis answer; 503 otherwise, without saying why to strangers.

    Not django-health-check's own view: it starts an event loop and a database connection of its own per call, knows
    nothing of migrations, shows the errors' text, and answers 500, which load balancers read as a crash.
    """
    checks: dict[str, Callable[[], None]] = {"database": _database, "migrations": _migrations, "redis": _redis}
    states = {name: _state(name, check) for name, check in checks.items()}
    return JsonResponse(states, status=200 if set(states.values()) == {"ok"} else 503)


def _state(name: str, check: Callable[[], None]) -> str:
    try:
        check()
    except Exception:  # whatever it is, it is not ready
        logger.warning("not_ready: %s", name, exc_info=True)
        return "error"
    return "ok"


def _database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


@remember
def _migrations() -> None:
    """Raises until every migration has been applied; remembered afterwards (an exception is not)."""
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise RuntimeError("unapplied migrations")


def _redis() -> None:
    cache.set("readyz", "1", 5)
    if cache.get("readyz") != "1":
        raise RuntimeError("the cache forgets")
