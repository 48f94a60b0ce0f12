"""What stands before every page: methods that nobody uses, where a call comes from, and what is written of it."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
import structlog
from django.conf import settings as django_settings
from django.test import Client, RequestFactory
from django.urls import reverse

from albo_pec.request_log import RequestLogMiddleware
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


def test_what_every_answer_carries(client: Client) -> None:
    client.force_login(staff(OrdineFactory()))
    kinds = {
        "/": "text/html; charset=utf-8",
        "/admin/": "text/html; charset=utf-8",
        "/admin/members/member/esporta/csv/": "text/csv; charset=utf-8",
        "/non-esiste/": "text/html; charset=utf-8",
        "/readyz": "application/json",
        "/healthz": "text/plain; charset=utf-8",
        "/metrics": "text/plain; version=0.0.4; charset=utf-8",
    }
    for path, kind in kinds.items():
        answer = client.get(path)
        assert answer["Content-Type"] == kind, path
        assert answer["X-Content-Type-Options"] == "nosniff", path
        assert answer["Referrer-Policy"] == "same-origin", path
        assert "frame-ancestors 'none'" in answer["Content-Security-Policy"], path
        assert "Access-Control-Allow-Origin" not in answer, path


def log_lines(act: Callable[[], object]) -> list[dict[str, Any]]:
    """What the portal's own logging writes meanwhile, as production has it."""
    stream, line = io.StringIO(), django_settings.LOGGING["formatters"]["line"]
    handler = logging.StreamHandler(stream)
    chain = line["foreign_pre_chain"]
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(processor=structlog.processors.JSONRenderer(), foreign_pre_chain=chain)
    )
    logging.getLogger().addHandler(handler)
    try:
        act()
    finally:
        logging.getLogger().removeHandler(handler)
    return [json.loads(text) for text in stream.getvalue().splitlines()]


def test_log_lines_are_json_in_utc() -> None:
    lines = log_lines(lambda: logging.getLogger("prova").warning('una\nriga "e" %s', "{'level': 'finta'}\r\n"))
    assert [line["event"] for line in lines] == ["una\nriga \"e\" {'level': 'finta'}\r\n"]
    assert datetime.fromisoformat(lines[0]["timestamp"]).utcoffset() == timedelta(0)


def test_a_refusal_is_in_the_log(client: Client) -> None:
    user = staff(OrdineFactory())
    client.force_login(user)
    address = reverse("admin:members_user_changelist")
    lines = log_lines(lambda: client.get(address))
    (refused,) = [line for line in lines if line["event"] == "request_finished"]
    assert (refused["code"], refused["user_id"], refused["ip"]) == (403, user.pk, "127.0.0.1")
    assert refused["request"] == f"GET {address}" and refused["request_id"] and refused["timestamp"]
