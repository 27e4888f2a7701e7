"""Clients of the room that cost little, so that thousands fit beside the daemons they load."""

import asyncio
import struct
from collections.abc import Callable
from urllib.parse import quote

import msgspec

_KEY = "dGhlIHNhbXBsZSBub25jZQ=="
_TEXT, _CLOSE, _PING, _PONG = 1, 8, 9, 10
_NO_MASK = b"\0\0\0\0"  # a mask of zeros leaves the payload as it is (RFC 6455, 5.3)


def client_frame(payload: bytes, opcode: int = _TEXT) -> bytes:
    """A masked frame, as clients send them."""
    size = len(payload)
    if size < 126:
        head = struct.pack("!BB", 0x80 | opcode, 0x80 | size)
    else:
        head = struct.pack("!BBH", 0x80 | opcode, 0x80 | 126, size)
    return head + _NO_MASK + payload


def upgrade(path: str) -> bytes:
    """The request that opens a WebSocket."""
    return (
        f"GET {path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {_KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ).encode()


class RoomClient(asyncio.Protocol):
    """One WebSocket: `heard` is called with each frame, `lost` once, when it is over."""

    def __init__(
        self, credentials: str, heard: Callable[[dict], None], lost: Callable[[], None]
    ) -> None:
        self._path = f"/api/v1/ws?{credentials}" if credentials else "/api/v1/ws"
        self._heard = heard
        self._lost = lost
        self._buffer = b""
        self._is_upgraded = False
        self.transport: asyncio.Transport | None = None
        self.close_code: int | None = None
        self.received_bytes = 0

    @staticmethod
    def credentials(token: str = "", session: str = "") -> str:
        return f"token={quote(token)}" if token else f"session={session}" if session else ""

    def connection_made(self, transport) -> None:
        self.transport = transport
        transport.write(upgrade(self._path))

    def data_received(self, data: bytes) -> None:
        self.received_bytes += len(data)
        self._buffer += data
        if not self._is_upgraded:
            head, found, rest = self._buffer.partition(b"\r\n\r\n")
            if not found:
                return
            assert b" 101 " in head.split(b"\r\n")[0], head[:200]
            self._is_upgraded, self._buffer = True, rest
        at = 0
        while (end := self._frame(at)) is not None:
            at = end
        self._buffer = self._buffer[at:]

    def connection_lost(self, exc) -> None:
        self._lost()

    def send(self, event: str, frame_id: int | None = None, **data) -> None:
        frame = {"event": event, "data": data}
        if frame_id is not None:
            frame["id"] = frame_id
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(client_frame(msgspec.json.encode(frame)))

    def kill(self) -> None:
        """As a tab that crashes: no close frame."""
        if self.transport is not None:
            self.transport.abort()

    def close(self) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(client_frame(struct.pack("!H", 1000), _CLOSE))

    def _frame(self, at: int) -> int | None:
        """Take the frame at `at`; answers where it ends, None when it is not all there."""
        buffer = self._buffer
        if len(buffer) < at + 2:
            return None
        opcode, size, body = buffer[at] & 15, buffer[at + 1] & 127, at + 2
        if size == 126:
            body += 2
            size = int.from_bytes(buffer[at + 2 : body])
        elif size == 127:
            body += 8
            size = int.from_bytes(buffer[at + 2 : body])
        if len(buffer) < body + size or len(buffer) < body:
            return None
        payload = buffer[body : body + size]
        if opcode == _TEXT:
            self._heard(msgspec.json.decode(payload))
        elif opcode == _PING:
            self.transport.write(client_frame(payload, _PONG))
        elif opcode == _CLOSE:
            self.close_code = int.from_bytes(payload[:2]) if payload else None
            self.transport.close()
        return body + size
