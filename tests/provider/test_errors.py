"""Which of the four errors each bad answer is, and what it says."""

import gc
import socket
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from email.utils import formatdate
from time import monotonic, time
from typing import Any

import pytest

from pec_requests.provider import Misconfigured, ProviderError, Refused, Temporary, UnknownOutcome
from pec_requests.provider.answers import TIMED_OUT
from pec_requests.provider.aruba import ArubaProvider
from pec_requests.provider.session import Limits, Transport, deadline
from tests.provider.conftest import LIMITS, make_provider
from tests.provider.examples import ACCOUNTS, ADDRESS, TAX_CODE, TOKEN_PATH, account, envelope, problem
from tests.provider.wire import Wire

HTML = b"<html><body><h1>Bad gateway</h1></body></html>"
WORDS = [problem("Dati non validi", field="name", message="già usato")]

Act = Callable[[ArubaProvider], object]


def read(aruba: ArubaProvider) -> object:
    return aruba.find(ADDRESS)


def change(aruba: ArubaProvider) -> object:
    return aruba.suspend(ADDRESS)


def reset(aruba: ArubaProvider) -> object:
    return aruba.reset_password(ADDRESS, TAX_CODE)


PATHS: dict[Act, str] = {
    read: f"{ACCOUNTS}/info",
    change: f"{ACCOUNTS}/suspend",
    reset: f"{ACCOUNTS}/password-reset",
}


def failure(wire: Wire, aruba: ArubaProvider, act: Act, **answer: Any) -> ProviderError:
    """The error that this answer to this act becomes."""
    wire.post(PATHS[act], **answer)
    with pytest.raises(ProviderError) as caught:
        act(aruba)
    return caught.value


@pytest.mark.parametrize("act", [read, change, reset])
@pytest.mark.parametrize("status", [502, 503, 504])
@pytest.mark.parametrize("body", [{"body": HTML}, {"json": envelope(None, WORDS)}])
def test_gateway_errors_are_an_outage(
    wire: Wire, aruba: ArubaProvider, act: Act, status: int, body: dict[str, Any]
) -> None:
    error = failure(wire, aruba, act, status=status, **body)
    unknown = act is reset and status != 503
    assert type(error) is (UnknownOutcome if unknown else Temporary)
    assert error.outage
    assert error.maybe_done == (act is not read and status != 503)


@pytest.mark.parametrize("act", [read, change, reset])
def test_internal_error(wire: Wire, aruba: ArubaProvider, act: Act) -> None:
    error = failure(wire, aruba, act, status=500, json=envelope(None, [problem("Eccezione imprevista", code="999")]))
    assert type(error) is (UnknownOutcome if act is reset else Temporary)
    assert not error.outage
    assert error.code == "999"
    assert "Eccezione imprevista" in str(error)


def test_internal_error_in_html_is_an_outage(wire: Wire, aruba: ArubaProvider) -> None:
    error = failure(wire, aruba, change, status=500, body=HTML)
    assert isinstance(error, Temporary)
    assert error.outage
    assert "html" not in str(error)


@pytest.mark.parametrize("act", [read, change, reset])
@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7), ("0.5", 0.5), ("-3", 0), ("999999", 3600), ("presto", None), ("nan", None)]
)
def test_rate_limit(wire: Wire, aruba: ArubaProvider, act: Act, header: str, seconds: float | None) -> None:
    error = failure(wire, aruba, act, status=429, json=envelope(None), headers={"Retry-After": header})
    assert type(error) is Temporary
    assert (error.outage, error.maybe_done, error.retry_after) == (False, False, seconds)


def test_rate_limit_until_a_date(wire: Wire, aruba: ArubaProvider) -> None:
    error = failure(wire, aruba, read, status=429, headers={"Retry-After": formatdate(time() + 60, usegmt=True)})
    assert error.retry_after == pytest.approx(60, abs=5)


@pytest.mark.parametrize("status", [400, 403, 409, 422])
@pytest.mark.parametrize("act", [read, change, reset])
def test_refusals(wire: Wire, aruba: ArubaProvider, act: Act, status: int) -> None:
    error = failure(wire, aruba, act, status=status, json=envelope(None, WORDS))
    assert isinstance(error, Refused)
    assert error.code == "001"
    assert not error.maybe_done
    assert "Dati non validi (name: già usato)" in str(error)
    assert "VALORE-RIFIUTATO" not in str(error) + error.detail


def test_not_found_is_a_refusal_of_an_act(wire: Wire, aruba: ArubaProvider) -> None:
    error = failure(wire, aruba, change, status=404, json=envelope(None, [problem("Casella non trovata")]))
    assert isinstance(error, Refused)
    assert "Casella non trovata" in str(error)


def test_refusal_without_words(wire: Wire, aruba: ArubaProvider) -> None:
    error = failure(wire, aruba, change, status=409, json=envelope(None))
    assert (type(error), error.code) == (Refused, "http_409")


@pytest.mark.parametrize("act", [read, change, reset])
@pytest.mark.parametrize("status", [302, 400, 403, 404])
def test_somebody_else_answering_is_no_refusal_and_no_absence(
    wire: Wire, aruba: ArubaProvider, act: Act, status: int
) -> None:
    error = failure(wire, aruba, act, status=status, body=HTML, headers={"Location": f"{wire.url}/altrove"})
    assert type(error) is Temporary
    assert not error.maybe_done
    assert not [call for call in wire.calls if "altrove" in call.path]


@pytest.mark.parametrize("act", [change, reset])
@pytest.mark.parametrize(
    "answer",
    [
        {"body": HTML},
        {"body": b""},
        {"body": b'{"version": "v2", "data": {"na'},
        {"json": [1]},
        {"json": envelope(None)},
        {"json": envelope({"name": "altra@tsrm.org", "status": "Certificato"})},
        {"json": envelope(account(status="Mai Sentito"))},
        {"json": envelope(account(), [problem("Operazione riuscita solo in parte.", code="999")])},
    ],
)
def test_unclear_success_of_a_change_is_unknown(
    wire: Wire, aruba: ArubaProvider, act: Act, answer: dict[str, Any]
) -> None:
    error = failure(wire, aruba, act, **answer)
    assert type(error) is UnknownOutcome
    assert error.maybe_done


@pytest.mark.parametrize("act", [change, reset])
def test_too_deep_an_answer_to_a_change_is_unknown(wire: Wire, aruba: ArubaProvider, act: Act) -> None:
    gc.collect()  # or what other tests have left might be finalised down there, where nothing more can be called
    error = failure(wire, aruba, act, body=b"[" * 100_000)
    assert type(error) is UnknownOutcome
    assert error.maybe_done


@pytest.mark.parametrize(
    "answer",
    [
        {"body": HTML},
        {"json": envelope(None)},
        {"json": envelope({"name": "altra@tsrm.org", "status": "Certificato"})},
        {"json": envelope(account(), [problem("Operazione riuscita solo in parte.")])},
    ],
)
def test_unclear_success_of_a_look_is_temporary(wire: Wire, aruba: ArubaProvider, answer: dict[str, Any]) -> None:
    error = failure(wire, aruba, read, **answer)
    assert (type(error), error.outage, error.maybe_done) == (Temporary, False, False)


@pytest.mark.parametrize("act", [read, change, reset])
def test_success_with_errors_alone_is_a_refusal(wire: Wire, aruba: ArubaProvider, act: Act) -> None:
    error = failure(wire, aruba, act, json=envelope(None, [problem("Dominio non attivo", code="017")]))
    assert type(error) is Refused
    assert (error.code, error.maybe_done) == ("017", act is not read)
    assert "Dominio non attivo" in str(error)


def test_a_status_nobody_knows(wire: Wire, aruba: ArubaProvider) -> None:
    error = failure(wire, aruba, read, json=envelope(account(status="Mai Sentito")))
    assert (type(error), error.code) == (Refused, "unknown_status")
    assert "Mai Sentito" in str(error)


def break_off(_wire: Wire) -> None:
    """Nothing to do: a call without an answer breaks."""


def stall(wire: Wire) -> None:
    wire.stall(PATHS[change])


def go_away(wire: Wire) -> None:
    wire.close()


@pytest.mark.parametrize(
    ("happen", "kind", "outage"),
    [(break_off, UnknownOutcome, False), (stall, UnknownOutcome, False), (go_away, Temporary, True)],
)
def test_failed_exchanges(
    wire: Wire, aruba: ArubaProvider, happen: Callable[[Wire], None], kind: type[ProviderError], outage: bool
) -> None:
    """The error has nothing of the exchange with it: neither the password nor the token."""
    wire.post(PATHS[read], json=envelope(account()))
    read(aruba)
    happen(wire)
    aruba._transport.limits = replace(LIMITS, read=0.1)
    with pytest.raises(ProviderError) as caught:
        change(aruba)
    error = caught.value
    assert (type(error), error.outage) == (kind, outage)
    assert error.__cause__ is None
    assert error.__context__ is None


def test_words_are_short_masked_and_on_one_line(wire: Wire, aruba: ArubaProvider) -> None:
    description = f"Il codice {TAX_CODE.lower()}\n\x1b[31m non va " + "x" * 5000
    error = failure(wire, aruba, change, status=400, json=envelope(None, [problem(description)]))
    assert "rss*************" in str(error)
    assert TAX_CODE.lower() not in str(error)
    assert str(error).isprintable()
    assert len(str(error)) < 400


def test_odd_errors_do_not_break_the_reading(wire: Wire, aruba: ArubaProvider) -> None:
    errors: Any = ["testo", {"code": None, "description": 3, "validationError": [1]}]
    error = failure(wire, aruba, change, status=400, json=envelope(None, errors))
    assert (type(error), error.code) == (Refused, "http_400")


def test_deadline_stops_before_sending(wire: Wire, aruba: ArubaProvider) -> None:
    with deadline(0), pytest.raises(Temporary) as caught:
        change(aruba)
    assert (caught.value.code, caught.value.outage, caught.value.maybe_done) == ("deadline", False, False)
    assert not wire.calls


def test_the_earlier_of_two_deadlines_counts(wire: Wire, aruba: ArubaProvider) -> None:
    with deadline(0), deadline(60), pytest.raises(Temporary):
        read(aruba)


@pytest.mark.parametrize(("path", "calls"), [(TOKEN_PATH, [TOKEN_PATH]), (PATHS[read], [TOKEN_PATH, PATHS[read]])])
def test_the_time_of_an_operation_bounds_its_calls(
    wire: Wire, aruba: ArubaProvider, path: str, calls: list[str]
) -> None:
    wire.stall(path)
    error = out_of_time(aruba)
    assert (error.code, error.outage) == (TIMED_OUT, False)
    assert [call.path for call in wire.calls] == calls


def test_the_time_of_an_operation_bounds_its_connecting() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener, ExitStack() as full:
        for _ in range(3):
            client = full.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
        error = out_of_time(make_provider(f"http://127.0.0.1:{listener.getsockname()[1]}"))
    assert (error.code, error.outage) == ("unreachable", True)


def out_of_time(aruba: ArubaProvider) -> Temporary:
    """What a read ends with, long before any limit of its own, where nobody answers."""
    began = monotonic()
    with deadline(0.4), pytest.raises(Temporary) as caught:
        read(aruba)
    assert monotonic() - began < min(LIMITS.connect, LIMITS.read) - 0.5
    return caught.value


@pytest.mark.parametrize(
    "url",
    ["", "gestore.example", "ftp://gestore.example", "file:///etc/passwd", "http://", "http://[::1", "http://a:porta"],
)
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(Misconfigured):
        Transport(url, Limits(LIMITS.connect, LIMITS.read, LIMITS.operation, 1))
