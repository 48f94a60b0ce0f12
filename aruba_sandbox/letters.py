"""The mails the provider writes to holders."""

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string

from aruba_sandbox.models import PasswordLink

_SUBJECTS = {
    PasswordLink.Purpose.FIRST: "La tua casella PEC è attiva: imposta la password",
    PasswordLink.Purpose.RESET: "Reimposta la password della tua casella PEC",
}


def password_link(link: PasswordLink, url: str) -> EmailMultiAlternatives:
    """The letter that brings a password link to the recovery address."""
    purpose = PasswordLink.Purpose(link.purpose)
    context = {
        "account": link.account,
        "first": purpose is PasswordLink.Purpose.FIRST,
        "expires_at": link.expires_at,
        "url": url,
        "login_url": settings.SANDBOX_URL,
    }
    letter = EmailMultiAlternatives(
        subject=_SUBJECTS[purpose],
        body=render_to_string("aruba_sandbox/mail/password_link.txt", context),
        from_email=settings.PROVIDER_SENDER,
        to=[link.account.recovery_email],
    )
    letter.attach_alternative(render_to_string("aruba_sandbox/mail/password_link.html", context), "text/html")
    return letter
