"""A server that follows a script to the byte, for what no well-behaved HTTP server would do."""

import json
import socket
import ssl
import threading
from collections.abc import Callable
from time import sleep
from types import TracebackType
from typing import BinaryIO

from tests.provider.examples import TOKEN_PATH, envelope, token_data

Act = Callable[[socket.socket], bool]
"""Answers one request; False where the connection ends with it."""


def raw(*pieces: bytes, pause: float = 0, keep: bool = False) -> Act:
    """Send these bytes, with a pause after each piece."""

    def act(connection: socket.socket) -> bool:
        for piece in pieces:
            connection.sendall(piece)
            sleep(pause)
        return keep

    return act


def answered(data: object, *headers: str) -> Act:
    """A whole and proper answer."""
    body = json.dumps(envelope(data)).encode()
    return raw(head(len(body), *headers) + body, keep=True)


def head(length: int | None = None, *headers: str, status: str = "200 OK") -> bytes:
    """The head of an answer, up to and with the blank line."""
    lines = [f"HTTP/1.1 {status}", "Content-Type: application/json", *headers]
    if length is not None:
        lines.append(f"Content-Length: {length}")
    return "\r\n".join([*lines, "", ""]).encode()


def hang_up(_connection: socket.socket) -> bool:
    """Close without a word."""
    return False


def late(seconds: float, then: Act) -> Act:
    """Do something only after a while."""

    def act(connection: socket.socket) -> bool:
        sleep(seconds)
        return then(connection)

    return act


class RawServer:
    """Answers each request with the next act of the script; a request for the token always properly.

    ``heard`` has the head of every other request, ``connections`` says how many were opened, ``ended`` is set once one
    has been closed from here.
    """

    def __init__(self, *script: Act, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self._script = list(script)
        self.heard: list[str] = []
        self.connections = 0
        self.ended = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> "RawServer":
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        try:
            connection = self._tls.wrap_socket(plain, server_side=True) if self._tls else plain
            with connection, connection.makefile("rb") as stream:
                while (request := _read_request(stream)) and self._answer(request, connection):
                    pass
        except OSError:
            pass  # the client has left
        self.ended.set()

    def _answer(self, request: str, connection: socket.socket) -> bool:
        if TOKEN_PATH in request:
            return answered(token_data())(connection)
        self.heard.append(request)
        return self._script.pop(0)(connection)


def _read_request(stream: BinaryIO) -> str:
    lines = []
    length = 0
    while (line := stream.readline()) not in (b"", b"\r\n"):
        lines.append(line.decode("latin-1"))
        name, _, value = lines[-1].partition(":")
        if name.lower() == "content-length":
            length = int(value)
    stream.read(length)
    return "".join(lines)
