"""A well-behaved HTTP server that gives canned answers and notes what it was asked."""

import json as jsonlib
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import Any
from urllib.parse import parse_qsl


@dataclass(frozen=True)
class Call:
    """A request as it came; the query as it was written."""

    method: str
    path: str
    query: str
    headers: Message
    body: bytes

    @property
    def json(self) -> Any:
        """What the body says."""
        return jsonlib.loads(self.body)


@dataclass(frozen=True)
class Reply:
    """What a call is answered."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def in_json(data: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """A reply that says this in JSON."""
    return Reply(status, jsonlib.dumps(data).encode(), {"Content-Type": "application/json", **(headers or {})})


class Wire(ThreadingTCPServer):
    """Gives each call the latest answer given for its path and query; closes the connection of one that has none."""

    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.calls: list[Call] = []
        self._connections: list[socket.socket] = []
        self._answers: list[tuple[str, Mapping[str, str] | None, Callable[[Call], Reply]]] = []
        self._closing = threading.Event()
        self._accepting = threading.Thread(target=self._accept)
        self._accepting.start()

    def post(
        self,
        path: str,
        *,
        json: object = None,
        body: bytes = b"",
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> None:
        """Answer this to every call of the path, or to those with exactly this query."""
        reply = Reply(status, body, headers or {}) if json is None else in_json(json, status=status, headers=headers)
        self._answers.append((path, query, lambda call: reply))

    def answer_with(self, path: str, callback: Callable[[Call], Reply]) -> None:
        """Answer every call of the path with what this makes of it."""
        self._answers.append((path, None, callback))

    def stall(self, path: str) -> None:
        """Leave every call of the path waiting, for as long as this is open."""
        self.answer_with(path, self._wait)

    def reply_to(self, call: Call) -> Reply | None:
        """Note a call and answer it."""
        self.calls.append(call)
        asked = dict(parse_qsl(call.query, keep_blank_values=True))
        for path, query, callback in reversed(self._answers):
            if path == call.path and query in (None, asked):
                return callback(call)
        return None

    def close(self) -> None:
        """Hang up and be there no longer, once the answers under way are made."""
        if self._closing.is_set():
            return
        self._closing.set()
        self.socket.shutdown(socket.SHUT_RDWR)
        self._accepting.join()
        for connection in self._connections:
            with suppress(OSError):  # closed already
                connection.shutdown(socket.SHUT_RDWR)
        self.server_close()

    def _wait(self, _call: Call) -> Reply:
        self._closing.wait()
        return Reply(503)

    def get_request(self) -> tuple[socket.socket, Any]:
        """A new connection, kept in mind for ``close``."""
        connection, address = super().get_request()
        self._connections.append(connection)
        return connection, address

    def _accept(self) -> None:
        while not self._closing.is_set():
            self.handle_request()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body leave together
    server: Wire

    def handle(self) -> None:
        with suppress(OSError):  # the client has left
            super().handle()

    def do_POST(self) -> None:
        path, _, query = self.path.partition("?")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        reply = self.server.reply_to(Call(self.command, path, query, self.headers, body))
        if reply is None:
            self.close_connection = True
            return
        self.send_response(reply.status)
        for name, value in {"Content-Length": str(len(reply.body)), **reply.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.body)

    def do_PATCH(self) -> None:
        self.do_POST()

    def do_GET(self) -> None:  # what a redirect would become
        self.do_POST()

    def log_message(self, *_args: object) -> None:
        pass
