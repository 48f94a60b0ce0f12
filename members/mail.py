"""Mail of the portal: a row in the caller's transaction, sent by a worker.

Nothing here talks to a mail server but ``drain``.

The Ordine speaks by its name, and is answered at its office (``Reply-To``); the address that sends is one for all,
``DEFAULT_FROM_EMAIL``. An address of each Ordine's own would be in a domain that has not said (SPF, DKIM) that this
installation may send for it, and DMARC has receivers throw such mail away.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from email.utils import formataddr, make_msgid, parseaddr
from typing import Any

from django.conf import settings
from django.db import connection
from django.template import Context
from django.template.loader import get_template
from django.utils import timezone, translation
from django.utils.text import Truncator
from post_office import mail as post_office
from post_office.models import PRIORITY, STATUS, Email

from members import languages
from members.models import Ordine
from members.wake import wake

SEND_TASK = "members.tasks.send_mail"
# Any fixed number: one sender at a time, in the whole installation. post_office itself locks no rows.
_SENDER_LOCK = 7_316_002
_LINE_ENDS = re.compile(r"\s+")


@dataclass(frozen=True)
class Letter:
    """The mail ``templates/mail/<template>.subject.txt``, ``.txt`` and ``.html`` in the name of an Ordine.

    ``member`` in the context is whom it is written to, where that is a member. ``unsubscribe`` is for what people may
    do without: the address that ends mails of this kind, by a POST without signing in (RFC 8058). ``to_office``: an
    office reads it, whoever it is about.
    """

    template: str
    to: str
    ordine: Ordine | None
    context: dict[str, Any]
    unsubscribe: str = ""
    to_office: bool = False


def language_of(letter: Letter) -> str:
    """The language in which somebody is written to: a member's own, if it was chosen; Italian else."""
    return languages.ITALIAN if letter.to_office else languages.of_member(letter.context.get("member"))


def send(template: str, *, to: str, ordine: Ordine | None, context: dict[str, Any]) -> None:
    """Queue one mail: see ``send_all``."""
    send_all([Letter(template, to, ordine, context)])


def send_all(letters: Iterable[Letter]) -> None:
    """Queue mails. The rows stand or fall with the caller's transaction.

    They are made by hand because post_office would render our text as a template once more, names and addresses of
    people included.
    """
    if Email.objects.bulk_create([compose(letter) for letter in letters], batch_size=500):
        wake(SEND_TASK)


def compose(letter: Letter) -> Email:
    """A letter as the mail it becomes, in the language of whom it is written to; nothing is saved."""
    with translation.override(language_of(letter)):
        return _compose(letter)


def _compose(letter: Letter) -> Email:
    template, sender = letter.template, _sender(letter.ordine)
    context = {
        "ordine": letter.ordine,
        "portal_url": settings.PORTAL_URL,
        "site_name": settings.SITE_NAME,
        "unsubscribe_url": letter.unsubscribe,
        **letter.context,
    }
    text = _text(f"mail/{template}.txt", context).strip() + "\n"
    context["preheader"] = _preheader(text)
    return Email(
        from_email=sender,
        to=[letter.to],
        subject=_one_line(_text(f"mail/{template}.subject.txt", context)),
        message=text,
        html_message=get_template(f"mail/{template}.html").render(context),
        headers=_headers(letter),
        # Kept with the row: a mail that is tried again is the same. Without it this machine would tell its name.
        message_id=make_msgid(domain=parseaddr(sender)[1].rpartition("@")[2]),
        status=STATUS.queued,
        # A link that somebody waits for goes before what can wait.
        priority=PRIORITY.low if letter.unsubscribe else PRIORITY.medium,
    )


def drain() -> int:
    """Send what is queued, unless somebody else is at it. Return how many mails went out."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [_SENDER_LOCK])
        if not cursor.fetchone()[0]:
            return 0
        try:
            total = 0
            while any(result := post_office.send_queued(processes=1)):
                total += result[0]
            return total
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_SENDER_LOCK])


def forget(*, bodies_after: timedelta, rows_after: timedelta) -> None:
    """Blank the text of mails sent a while ago (it may hold a link), and later delete the rows."""
    now = timezone.now()
    ended = Email.objects.filter(status__in=[STATUS.sent, STATUS.failed])
    ended.filter(last_updated__lt=now - bodies_after).exclude(message="").update(message="", html_message="")
    ended.filter(created__lt=now - rows_after).delete()


def _sender(ordine: Ordine | None) -> str:
    name, address = parseaddr(settings.DEFAULT_FROM_EMAIL)
    return formataddr((_one_line(ordine.short_name) if ordine else name, address))


def _headers(letter: Letter) -> dict[str, str]:
    """Answers go to the Ordine's office; automatic ones (out of office) should not come at all."""
    headers, ordine = {"Auto-Submitted": "auto-generated"}, letter.ordine
    if ordine and ordine.email:
        headers["Reply-To"] = formataddr((_one_line(ordine.short_name), ordine.email))
    if letter.unsubscribe:
        headers["List-Unsubscribe"] = f"<{letter.unsubscribe}>"
        headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    return headers


def _preheader(text: str) -> str:
    """What a list of mails shows beside the subject: how the text begins, after the salutation."""
    paragraphs = [_one_line(paragraph) for paragraph in text.split("\n\n")]
    if len(paragraphs) > 1 and paragraphs[0].endswith(","):
        del paragraphs[0]
    return Truncator(paragraphs[0]).chars(140)


def _text(template: str, context: dict[str, Any]) -> str:
    """Plain text: nothing in it is HTML, so nothing is escaped."""
    compiled: Any = get_template(template)
    return str(compiled.template.render(Context(context, autoescape=False)))


def _one_line(text: str) -> str:
    """A header has one line, whatever a name may hold."""
    return _LINE_ENDS.sub(" ", text).strip()
