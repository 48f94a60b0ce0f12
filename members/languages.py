"""In which language somebody is spoken to, on the pages and in mails.

A member's own choice holds everywhere; without one, that of the browser. The office works in Italian, and so does
whatever nobody asked for: workers, commands, logs, exports.
"""

from __future__ import annotations

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest
from django.utils import translation

from audit import log
from audit.actors import Actor
from members.current import AnyUser, record_of
from members.identification import every_member
from members.models import Member

ITALIAN = "it"
NAMES = dict(settings.LANGUAGES)


def of_member(member: Member | None) -> str:
    """The language in which a member is written to."""
    return (member.language if member else "") or ITALIAN


def of_reader(request: HttpRequest, user: AnyUser) -> str:
    """The language of a page of the portal."""
    record = record_of(user)
    return (record.language if record else "") or of_browser(request)


def of_browser(request: HttpRequest) -> str:
    """What was chosen in this browser, else what the browser asks for, else Italian."""
    return translation.get_language_from_request(request)


@transaction.atomic
def keep(member: Member, language: str, actor: Actor) -> bool:
    """Remember what a member has chosen. False where it is no language of ours, or was chosen before."""
    if language not in NAMES:
        return False
    if not every_member().filter(pk=member.pk).exclude(language=language).update(language=language):
        return False
    member.language = language
    log.record("member.language", actor, member, person=member.pk, ordine=member.ordine.code, language=NAMES[language])
    return True


def bring_along(request: HttpRequest, member: Member | None) -> None:
    """Who has chosen a language before signing in keeps it, unless the record knows of a choice."""
    if member and not member.language:
        keep(member, request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME, ""), Actor.of(request))
