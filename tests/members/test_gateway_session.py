"""A gateway that sends too much, too slowly, or elsewhere, and a proxy that nobody asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

import pytest
from django.core.cache import cache
from django.test import RequestFactory

from members import digital_identity, gateway_session
from members.gateways import Gateway
from members.identity_problems import IdentityRefused, Problem


class Server:
    """Answers what the test says, byte for byte, and counts who came."""

    def __init__(self) -> None:
        self.body: bytes | Iterator[bytes] = b"{}"
        self.calls = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.calls += 1
                self.send_response(200)
                self.end_headers()
                try:
                    for piece in [outer.body] if isinstance(outer.body, bytes) else outer.body:
                        self.wfile.write(piece)
                except OSError:
                    pass  # the other side has heard enough

            def log_message(self, *args: Any) -> None:
                """Not on the terminal."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.server.shutdown()
    made.server.server_close()


def ask(server: Server) -> dict[str, Any]:
    cache.clear()
    gateway = Gateway("spid", "SPID", server.address, "albo", "segreto")
    with digital_identity._talking():
        return dict(digital_identity.GatewayAdapter(RequestFactory().get("/"), gateway).openid_config)


def told(server: Server, **more: str) -> bytes:
    names = ("authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint")
    return json.dumps({"issuer": server.address, **dict.fromkeys(names, f"{server.address}/x"), **more}).encode()


def test_what_it_says_of_itself_is_read_by_no_proxy(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("no_proxy", "")
    server.body = told(server)
    assert ask(server)["issuer"] == server.address


@pytest.mark.parametrize("name", ["token_endpoint", "jwks_uri", "userinfo_endpoint"])
def test_it_has_us_call_nobody_else(server: Server, settings: Any, name: str) -> None:
    server.body = told(server, **{name: "http://169.254.169.254/latest/meta-data"})
    with pytest.raises(IdentityRefused) as refused:
        ask(server)
    assert refused.value.problem is Problem.NOT_TRUSTED
    settings.IDENTITY_OTHER_HOSTS = ["169.254.169.254"]
    assert ask(server)["issuer"]
    server.body = told(server, authorization_endpoint="http://accedi.example/")  # where the browser goes
    assert ask(server)["issuer"]


def test_neither_size_nor_slowness_is_its_choice(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.body = told(server, much="x" * gateway_session._LARGEST_BODY)
    with pytest.raises(IdentityRefused) as refused:
        ask(server)
    assert refused.value.problem is Problem.DOWN
    monkeypatch.setattr(gateway_session, "_SECONDS", 0.2)
    pause = Event()

    def dripping() -> Iterator[bytes]:
        while not pause.wait(0.02):
            yield b" "

    server.body = dripping()
    with pytest.raises(IdentityRefused) as refused:
        ask(server)
    pause.set()
    assert refused.value.problem is Problem.DOWN
