"""What real connections do: breaking, stalling, trickling, flooding."""

import gzip
import json
import socket
import ssl
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from time import monotonic

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from pec_requests.provider import ProviderError, Temporary, UnknownOutcome
from pec_requests.provider import session as session_module
from pec_requests.provider.answers import CONNECTION_LOST, TIMED_OUT
from pec_requests.provider.aruba import ArubaProvider
from pec_requests.provider.session import Limits, deadline
from tests.provider.conftest import LIMITS, every_mailbox, make_provider
from tests.provider.examples import ADDRESS, account, envelope, page
from tests.provider.raw_server import Act, RawServer, answered, hang_up, head, late, raw

FINE = answered(account())
BODY = json.dumps(envelope(account())).encode()
QUICK = replace(LIMITS, read=0.3)

TRUNCATED = raw(head(len(BODY)) + BODY[:-20])
TRUNCATED_WITHOUT_LENGTH = raw(head() + BODY[:-20])
TRUNCATED_CHUNKS = raw(head(None, "Transfer-Encoding: chunked") + b"%x\r\n%b\r\n" % (20, BODY[:20]))
TRUNCATED_GZIP = raw(head(None, "Content-Encoding: gzip") + gzip.compress(BODY)[:-12])
BROKEN_GZIP = raw(head(len(BODY), "Content-Encoding: gzip") + BODY)
BROKEN_HEAD = raw(b"HTTP/1.1 200")
NO_HTTP = raw(b"220 smtp.example ESMTP\r\n")
BROKEN = [hang_up, TRUNCATED, TRUNCATED_WITHOUT_LENGTH, TRUNCATED_CHUNKS, TRUNCATED_GZIP, BROKEN_GZIP]


def failed(aruba: ArubaProvider, method: str) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        getattr(aruba, method)(ADDRESS)
    return caught.value


@pytest.mark.parametrize("act", [*BROKEN, BROKEN_HEAD, NO_HTTP])
def test_a_change_whose_answer_breaks_is_sent_once(act: Act) -> None:
    with RawServer(act, FINE) as server:
        error = failed(make_provider(server.url), "suspend")
    assert (type(error), error.outage) == (UnknownOutcome, False)
    assert len(server.heard) == 1


@pytest.mark.parametrize("act", [*BROKEN, BROKEN_HEAD, NO_HTTP])
def test_a_look_whose_answer_breaks_twice_is_temporary(act: Act) -> None:
    with RawServer(act, act) as server:
        error = failed(make_provider(server.url), "find")
    assert (type(error), error.outage, error.maybe_done) == (Temporary, False, False)


def test_a_look_is_repeated_at_once_where_the_connection_breaks() -> None:
    with RawServer(hang_up, FINE) as server:
        assert make_provider(server.url).find(ADDRESS)
    assert len(server.heard) == 2


def test_connections_are_kept() -> None:
    with RawServer(*[FINE] * 5) as server:
        aruba = make_provider(server.url)
        for _ in range(5):
            aruba.find(ADDRESS)
    assert server.connections == 1


def test_chunks_and_gzip_are_read_and_their_connection_kept() -> None:
    packed = gzip.compress(BODY)
    headers = ("Content-Encoding: gzip", "Transfer-Encoding: chunked")
    pieces = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (packed[:50], packed[50:])) + b"0\r\n\r\n"
    with RawServer(raw(head(None, *headers) + pieces, keep=True), FINE) as server:
        aruba = make_provider(server.url)
        assert aruba.find(ADDRESS) == aruba.suspend(ADDRESS)
    assert server.connections == 1


def test_a_kept_connection_closed_on_a_change_is_not_tried_again() -> None:
    with RawServer(FINE, hang_up, FINE) as server:
        aruba = make_provider(server.url)
        aruba.find(ADDRESS)
        error = failed(aruba, "suspend")
    assert (type(error), error.code, server.connections) == (UnknownOutcome, CONNECTION_LOST, 1)


def test_a_kept_connection_found_closed_is_replaced_before_sending() -> None:
    closing = raw(head(len(BODY)) + BODY)  # and then the server closes, without having said so
    with RawServer(closing, FINE) as server:
        aruba = make_provider(server.url)
        aruba.find(ADDRESS)
        assert server.ended.wait(5)
        assert aruba.suspend(ADDRESS)
    assert (len(server.heard), server.connections) == (2, 2)


def test_a_connection_long_idle_is_not_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "_LONGEST_IDLE", -1)
    with RawServer(FINE, FINE) as server:
        aruba = make_provider(server.url)
        aruba.find(ADDRESS)
        aruba.find(ADDRESS)
    assert server.connections == 3  # the token's too


@pytest.mark.parametrize(("method", "kind"), [("find", Temporary), ("suspend", UnknownOutcome)])
def test_a_slow_answer_is_not_waited_for(method: str, kind: type[ProviderError]) -> None:
    with RawServer(late(2, FINE), FINE) as server:
        began = monotonic()
        error = failed(make_provider(server.url, limits=QUICK), method)
        assert monotonic() - began < 1.5
    assert (type(error), error.code, len(server.heard)) == (kind, TIMED_OUT, 1)


def test_a_late_answer_is_never_taken_for_the_next_calls() -> None:
    other = answered(account(name="altra@tsrm.org"))
    with RawServer(late(0.5, other), FINE) as server:
        aruba = make_provider(server.url, limits=QUICK)
        failed(aruba, "suspend")
        assert aruba.find(ADDRESS)


def test_a_trickling_answer_ends_with_the_deadline() -> None:
    trickle = raw(head(len(BODY)), *(BODY[place : place + 1] for place in range(len(BODY))), pause=0.05)
    with RawServer(trickle) as server:
        began = monotonic()
        with deadline(1):
            error = failed(make_provider(server.url), "suspend")
        assert monotonic() - began < 3
    assert (type(error), error.code) == (UnknownOutcome, TIMED_OUT)


def test_an_answer_without_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "_LARGEST_BODY", 100_000)
    with RawServer(raw(head(10_000_000), *[b"x" * 50_000] * 200)) as server:
        error = failed(make_provider(server.url), "suspend")
    assert (type(error), error.code) == (UnknownOutcome, "unexpected_answer")


def test_an_answer_that_unpacks_without_end_is_cut_off() -> None:
    bomb = gzip.compress(b" " * 100_000_000)
    with RawServer(raw(head(len(bomb), "Content-Encoding: gzip") + bomb)) as server:
        error = failed(make_provider(server.url), "find")
    assert (type(error), error.code) == (Temporary, "unexpected_answer")


def test_a_redirect_is_neither_followed_nor_read() -> None:
    redirect = raw(head(10_000_000, "Location: /altrove", status="302 Found"))
    with RawServer(redirect) as server:
        error = failed(make_provider(server.url, limits=QUICK), "suspend")
    assert isinstance(error, ProviderError)
    assert len(server.heard) == 1


def test_nothing_is_kept_of_cookies_and_taken_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with RawServer(answered(account(), "Set-Cookie: a=b; Path=/"), FINE) as server:
        aruba = make_provider(server.url)
        aruba.find(ADDRESS)
        aruba.find(ADDRESS)
    assert "cookie" not in server.heard[1].lower()


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    error = failed(make_provider(f"http://127.0.0.1:{port}"), "suspend")
    assert (type(error), error.outage, error.maybe_done) == (Temporary, True, False)


def test_unknown_host() -> None:
    error = failed(make_provider("http://gestore.invalid"), "suspend")
    assert (type(error), error.outage) == (Temporary, True)


def test_connecting_takes_too_long() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        address = listener.getsockname()
        waiting = [socket.socket() for _ in range(3)]
        for client in waiting:
            client.setblocking(False)
            client.connect_ex(address)
        limits = Limits(connect=0.3, read=2, operation=10, connections=1)
        error = failed(make_provider(f"http://127.0.0.1:{address[1]}", limits=limits), "suspend")
        for client in waiting:
            client.close()
    assert (type(error), error.outage, error.maybe_done) == (Temporary, True, False)


def test_a_certificate_that_nobody_vouches_for(tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own_certificate(tmp_path / "own.pem"))
    with RawServer(FINE, tls=context) as server:
        error = failed(make_provider(server.url), "suspend")
    assert (type(error), error.outage, error.maybe_done) == (Temporary, True, False)
    assert not server.heard


def own_certificate(path: Path) -> Path:
    """A key and a certificate for 127.0.0.1 signed with that very key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(private + certificate.public_bytes(pem))
    return path


def test_a_walk_over_pages_keeps_one_connection() -> None:
    pages = [answered(page(account(name=f"m{number}@tsrm.org"), last=number == 3)) for number in range(4)]
    with RawServer(*pages) as server:
        assert len(list(every_mailbox(make_provider(server.url)))) == 4
    assert server.connections == 1
