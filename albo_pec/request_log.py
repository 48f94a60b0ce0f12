"""What the technical log says of each request."""

from __future__ import annotations

import structlog
from allauth.account.adapter import get_adapter
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django_structlog.middlewares import RequestMiddleware


class RequestLogMiddleware(RequestMiddleware):
    """django-structlog's, with the caller's address that the throttles and the log of activities know: its own believes
    whatever ``X-Forwarded-For`` says.
    """

    @classmethod
    def bind_ip(cls, request: HttpRequest) -> None:
        try:
            ip = get_adapter().get_client_ip(request)
        except PermissionDenied:  # whatever stands there is no address
            ip = None
        structlog.contextvars.bind_contextvars(ip=ip)
