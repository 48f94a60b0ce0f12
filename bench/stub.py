"""A provider so light that it is never the bottleneck: it knows nothing, agrees to everything, and takes its time.

``python -m bench.stub SECONDS`` prints its port and answers until it is ended.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

_END = b"\r\n\r\n"
_BASE = "/service/public/partner/pec/v3/accounts"


class Stub(asyncio.Protocol):
    """One connection, kept alive; each answer comes ``latency`` seconds after its question."""

    def __init__(self, latency: float) -> None:
        self._latency = latency
        self._received = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, rest = self._received.partition(_END)
        if not found:
            return
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        if len(rest) < length:
            return
        self._received = rest[length:]
        path = head.split(b" ", 2)[1].decode()
        answer = _answer(path.partition("?")[0], json.loads(rest[:length]))
        latency = 0.0 if "/auth/" in path else self._latency
        asyncio.get_running_loop().call_later(latency, self._send, answer)

    def _send(self, answer: bytes) -> None:
        if self._transport and not self._transport.is_closing():
            self._transport.write(answer)


def _answer(path: str, body: dict[str, Any]) -> bytes:
    text = json.dumps({"version": "v2", "datetime": "2026-01-01T00:00:00Z", "data": _data(path, body), "errors": []})
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n"
    return (head + text).encode()


def _data(path: str, body: dict[str, Any]) -> dict[str, Any]:
    if "/auth/" in path:
        return {"accessToken": "x", "expiresIn": 3000, "refreshToken": "y", "refreshExpiresIn": 9000}
    if path.endswith("/accountAvailable"):
        return {"accountExists": False, "isAccountAssignable": True}
    if path.endswith("/owners/search"):
        return {"content": [{"id": 1, "taxCode": body.get("taxCode")}], "totalElements": 1, "last": True}
    status = "Da Certificare" if path == _BASE else "Certificato"
    owner = {"id": 1, "taxCode": body.get("taxCode", "")}
    return {"name": body.get("name"), "type": "EMAIL", "status": status, "owner": owner, "suspensionDate": None}


async def serve(latency: float) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: Stub(latency), "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1])))
