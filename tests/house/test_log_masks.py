"""What a log line, a report of an error and gunicorn's own logs say of people: nothing they could be known by."""

from __future__ import annotations

import logging
import sys
from types import SimpleNamespace
from typing import Any

import pytest
import structlog
from django.http import HttpRequest, QueryDict
from django.test import RequestFactory
from django.views.debug import get_exception_reporter_class, get_exception_reporter_filter

from albo_pec.gunicorn_log import MaskingLogger
from albo_pec.log_masks import masked
from tests.factories import tax_code
from tests.log_watch import Watcher, people_in

CODE = tax_code(1)
EMAIL = "mario.rossi+pec@posta.example.it"
TYPED = "-".join(["Segretissima", "1"])
SECRET = "/invito/abcdefghijklmnopqrstuvwxyz0123456789/"


@pytest.mark.parametrize(
    "said",
    [
        CODE,
        CODE.lower(),
        f"Key (tax_code)=({CODE}) already exists.",
        f"/admin/members/member/?q={CODE}&x=1",
        "RSSMRAULALMALLMG",  # omocodia: letters for digits
        EMAIL,
        f"mailto:{EMAIL}, <{EMAIL}>;{EMAIL.upper()}",
        "?to=mario.rossi%40example.it",
        "a@b.it",
        "mario.rossi@tsrm.org",
        f"GET {SECRET} HTTP/1.1",
        "GET /avvisi/12:abcdef/ HTTP/1.1",
    ],
)
def test_masked(said: str) -> None:
    shown = masked(said)
    assert "•••" in shown and not people_in(shown)
    assert masked(shown) == shown


def test_what_is_nobodys_stays() -> None:
    for said in ("postgres://albo_pec@127.0.0.1:5432/x", "celery@worker-1", "2026-11-23T01:44:48.123456Z", "0a" * 32):
        assert masked(said) == said
    long = "x" * 200_000
    assert masked(f"{long}@") == f"{long}@"


def test_no_way_of_logging_gets_past(nobody_in_the_logs: None) -> None:
    """By either library: in the message, in arguments, in named values and what they hold, in a traceback."""
    foreign, ours = logging.getLogger("members.altro"), structlog.get_logger("members.nostro")
    heard: list[str] = []

    class Ear(Watcher):
        def emit(self, record: logging.LogRecord) -> None:
            heard.append(self.format(record))

    with Ear():
        foreign.warning("%s %s %s", CODE, [EMAIL], {"x": SECRET})
        ours.warning(CODE, who=EMAIL, inner={"deep": [CODE, {"er": SECRET}]}, raw=EMAIL.encode())
        try:
            raise ValueError(f"{CODE} {EMAIL}")
        except ValueError:
            foreign.exception("failed")
            ours.exception("failed")
    assert len(heard) == 4 and all("•••" in line for line in heard)
    assert not people_in("\n".join(heard))


def test_the_watcher_sees(nobody_in_the_logs: None) -> None:
    """It does find what is not masked: else the whole suite would prove nothing."""
    watcher = Watcher()
    watcher.setFormatter(logging.Formatter())
    watcher.emit(logging.LogRecord("x", logging.INFO, "x", 1, "%s %s %s", (CODE, EMAIL, SECRET), None))
    assert len(watcher.found) == 3


@pytest.mark.parametrize("debug", [False, True])
def test_a_report_says_where_and_not_who(settings: Any, debug: bool) -> None:
    settings.DEBUG = debug
    data = {"login": CODE, "password": TYPED, "email": EMAIL}
    request: HttpRequest = RequestFactory().post(f"{SECRET}?q={CODE}", data)
    assert isinstance(request.POST, QueryDict)
    try:
        secret = CODE  # noqa: F841  (a variable of the frame that the report is about)
        raise ValueError(f"{EMAIL}: {CODE}")
    except ValueError:
        reporter = get_exception_reporter_class(request)(request, *sys.exc_info())
    for report in (reporter.get_traceback_text(), reporter.get_traceback_html()):
        assert "ValueError" in report and not people_in(report)
        assert debug or TYPED not in report
    assert debug or set(get_exception_reporter_filter(request).get_post_parameters(request).values()) == {"*" * 20}


def test_gunicorn_tells_of_a_request_without_its_secrets(capfd: pytest.CaptureFixture[str]) -> None:
    from gunicorn.config import Config

    config = Config()
    config.set("accesslog", "-")
    logger = MaskingLogger(config)
    logger.access_log.info("GET %s?q=%s", SECRET, CODE)
    logger.error("%s", EMAIL)
    said = "".join(capfd.readouterr())
    assert said.count("•••") == 3 and not people_in(said)
    assert SimpleNamespace(**vars(logger)).access_log.handlers
