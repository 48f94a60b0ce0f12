"""The mail that was caught: a page for people, a list for programs."""

from csp.constants import NONE, SELF, UNSAFE_INLINE
from csp.decorators import csp_replace
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.urls import URLPattern, path
from django.views.decorators.http import require_safe

from aruba_sandbox import background
from aruba_sandbox.models import Mail
from aruba_sandbox.wire import moment

PAGE_SIZE = 50
PROGRAM_LIMIT = 1000

# A mail's HTML comes from anybody: no script, no request of its own, and its links open elsewhere.
_MAIL_POLICY = {
    "default-src": [NONE],
    "script-src": [NONE],
    "style-src": [UNSAFE_INLINE],
    "img-src": ["data:"],
    "form-action": [NONE],
    "base-uri": [NONE],
    "frame-ancestors": [SELF],
    "sandbox": ["allow-popups", "allow-popups-to-escape-sandbox"],
}


@require_safe
def mail_list(request: HttpRequest) -> HttpResponse:
    """The mail a person may want to read, newest first, also of one recipient only."""
    recipient = request.GET.get("to", "").strip()
    page = Paginator(_mail(recipient), PAGE_SIZE).get_page(request.GET.get("page"))
    return render(request, "aruba_sandbox/mail_list.html", {"page": page, "recipient": recipient})


@require_safe
def mail_detail(request: HttpRequest, mail_id: int) -> HttpResponse:
    """One mail, as text and as it was meant to look."""
    return render(request, "aruba_sandbox/mail_detail.html", {"mail": get_object_or_404(Mail, pk=mail_id)})


@csp_replace(_MAIL_POLICY)  # type: ignore[arg-type]  # its annotation knows no view with arguments
@require_safe
def mail_html(_request: HttpRequest, mail_id: int) -> HttpResponse:
    """The HTML of one mail, for the frame of its page; links open in a new window."""
    mail = get_object_or_404(Mail, pk=mail_id)
    return HttpResponse(f'<base target="_blank">{mail.html}')


@require_safe
def mail_json(request: HttpRequest) -> JsonResponse:
    """The same list for programs."""
    mails = _mail(request.GET.get("to", "").strip())[:PROGRAM_LIMIT]
    return JsonResponse(
        [
            {
                "to": mail.recipient,
                "subject": mail.subject,
                "text": mail.text,
                "html": mail.html,
                "date": moment(mail.received_at),
            }
            for mail in mails
        ],
        safe=False,
    )


def urls() -> list[URLPattern]:
    """The mail's addresses."""
    return [
        path("_sandbox/mail/", mail_list, name="mail_list"),
        path("_sandbox/mail/<int:mail_id>/", mail_detail, name="mail_detail"),
        path("_sandbox/mail/<int:mail_id>/html", mail_html, name="mail_html"),
        path("_sandbox/mail.json", mail_json, name="mail_json"),
    ]


def _mail(recipient: str) -> QuerySet[Mail]:
    """Caught mail, including what the provider itself is still sending."""
    background.wait_until_idle()
    mails = Mail.objects.order_by("-id")
    return mails.filter(recipient=recipient.lower()) if recipient else mails
