"""What stands before every page: methods that nobody uses, and where a call comes from."""

from __future__ import annotations

from typing import Any

import pytest
import structlog
from django.test import Client, RequestFactory
from django.urls import reverse

from albo_pec.middleware import RequestLogMiddleware
from tests.factories import OrdineFactory, staff

pytestmark = pytest.mark.django_db


def test_the_portal_is_read_and_written_to_and_nothing_else(client: Client) -> None:
    client.force_login(staff(OrdineFactory()))
    for name in ("home", "admin:index", "admin:members_member_changelist", "account_login", "healthz"):
        for method in ("TRACE", "PUT", "DELETE", "PATCH", "OPTIONS", "ANYTHING"):
            answer = client.generic(method, reverse(name))
            assert (answer.status_code, answer["Allow"]) == (405, "GET, HEAD, POST"), (name, method)


@pytest.mark.parametrize(
    ("proxies", "forwarded", "logged"),
    [
        (0, "203.0.113.9", "127.0.0.1"),  # whoever writes the header is not believed
        (1, "203.0.113.9, 198.51.100.7", "198.51.100.7"),  # what our own proxy saw
        (1, "chiunque", None),
    ],
)
def test_the_log_has_the_address_that_our_proxies_saw(
    settings: Any, proxies: int, forwarded: str, logged: str | None
) -> None:
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = proxies
    with structlog.contextvars.bound_contextvars(ip="?"):
        RequestLogMiddleware.bind_ip(RequestFactory().get("/", headers={"X-Forwarded-For": forwarded}))
        assert structlog.contextvars.get_contextvars()["ip"] == logged
