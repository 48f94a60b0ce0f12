"""The mail catcher: an SMTP server that keeps everything, one row per recipient, and delivers nothing."""

import asyncio
import email
import email.policy
import socket
from email.message import EmailMessage

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from django.db import connection

from aruba_sandbox import clock
from aruba_sandbox.models import Mail


class Keeper:
    """What aiosmtpd calls with each mail."""

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Keep the mail before saying that it was accepted."""
        await asyncio.to_thread(keep, envelope)
        return "250 OK"


class Catcher(Controller):
    """The SMTP server, in a thread, on a socket that is already bound."""

    def __init__(self, listener: socket.socket) -> None:
        host, port = listener.getsockname()[:2]
        super().__init__(Keeper(), hostname=host, port=port)
        self._listener = listener

    def _create_server(self):  # type: ignore[no-untyped-def]
        return self.loop.create_server(self._factory_invoker, sock=self._listener)


def listen(host: str, port: int) -> socket.socket:
    """The catcher's socket; fails at once if somebody else has the port."""
    return socket.create_server((host, port))


def keep(envelope: Envelope) -> None:
    """Store one mail for each of its recipients."""
    content = envelope.content
    message = email.message_from_bytes(
        content if isinstance(content, bytes) else (content or "").encode(), policy=email.policy.default
    )
    received_at = clock.now()
    try:
        Mail.objects.bulk_create(
            Mail(
                sender=envelope.mail_from or "",
                recipient=recipient.lower(),
                subject=_clean(str(message.get("Subject", ""))),
                text=_body(message, "plain"),
                html=_body(message, "html"),
                received_at=received_at,
            )
            for recipient in envelope.rcpt_tos
        )
    finally:
        connection.close()


def _body(message: EmailMessage, kind: str) -> str:
    part = message.get_body(preferencelist=(kind,))
    if part is None:
        return ""
    try:
        content = part.get_content()
    except (LookupError, UnicodeError):
        content = str(part.get_payload())
    return _clean(content)


def _clean(text: str) -> str:
    """The text without what PostgreSQL cannot store."""
    return text.replace("\0", "").encode(errors="replace").decode().replace("\r\n", "\n")
