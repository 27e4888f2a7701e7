"""One RTMP connection that publishes: whatever messages, with whatever stamps, as fast as wanted."""

import asyncio
import os
import ssl
import struct

from tests.support.flv import AUDIO, SCRIPT, VIDEO, FlvTag

_CHUNK = 4096
_HANDSHAKE = 1536
_STEP_TIMEOUT_S = 20.0
_EXTENDED = 0xFFFFFF
_CHUNK_STREAMS = {AUDIO: 5, VIDEO: 6, SCRIPT: 4}
_OTHER_CHUNK_STREAM = 7
_WRITE_AHEAD = 1 << 18


class RtmpPublication:
    """A connection that publishes `name` in `app`; `open` it, `send`, `close` it."""

    def __init__(
        self,
        port: int,
        app: str,
        name: str,
        *,
        source: str = "127.0.0.1",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._port, self._app, self._name = port, app, name
        self._source, self._tls = source, tls
        self._received = bytearray()

    async def open(self) -> None:
        """Connect, shake hands, publish. Raises ConnectionError when it is refused."""
        async with asyncio.timeout(_STEP_TIMEOUT_S):
            self._reader, self._writer = await asyncio.open_connection(
                "127.0.0.1", self._port, local_addr=(self._source, 0), ssl=self._tls
            )
            self._writer.write(b"\x03" + bytes(8) + os.urandom(_HANDSHAKE - 8))
            answer = await self._reader.readexactly(1 + 2 * _HANDSHAKE)
            self._writer.write(answer[1 : 1 + _HANDSHAKE])
            self._message(2, 1, 0, struct.pack(">I", _CHUNK))
            url = f"rtmp://127.0.0.1:{self._port}/{self._app}"
            connect = {"app": self._app, "type": "nonprivate", "tcUrl": url}
            self._message(3, 20, 0, _amf("connect", 1, connect))
            await self._until(b"NetConnection.Connect.Success")
            self._message(3, 20, 0, _amf("createStream", 2, None))
            await self._until(b"_result")
            self._message(4, 20, 1, _amf("publish", 3, None, self._name, "live"))
            await self._until(b"NetStream.Publish.Start")
        self._discarding = asyncio.create_task(self._discard())

    def media(self, tag: FlvTag, body: bytes, time_ms: int) -> None:
        """Send a message whose payload is chunked already; `time_ms` below 4.6 hours."""
        stream = _CHUNK_STREAMS[tag.kind]
        self._writer.write(_head(stream, time_ms, len(tag.data), tag.kind, 1) + body)

    async def send(self, tag: FlvTag) -> None:
        """Send a message with its own stamp, modulo 2^32; waits while nginx does not read."""
        stamp = tag.time_ms % (1 << 32)
        data = _amf("@setDataFrame") + tag.data if tag.kind == SCRIPT else tag.data
        stream = _CHUNK_STREAMS.get(tag.kind, _OTHER_CHUNK_STREAM)
        extended = struct.pack(">I", stamp) if stamp >= _EXTENDED else b""
        head = _head(stream, min(stamp, _EXTENDED), len(data), tag.kind, 1)
        self._writer.write(head + extended + chunked(stream, data, extended))
        if self._writer.transport.get_write_buffer_size() > _WRITE_AHEAD:
            await self._writer.drain()

    @property
    def is_closed(self) -> bool:
        """Whether nginx has closed the connection."""
        return self._discarding.done()

    async def wait_closed(self) -> None:
        """Until nginx closes the connection."""
        await asyncio.wait({self._discarding})

    async def abort(self) -> None:
        """Break the connection off, with whatever nginx has not read."""
        self._writer.transport.abort()
        await self.wait_closed()

    async def close(self) -> None:
        """Close in good order: nginx has read everything when this returns."""
        self._message(3, 20, 0, _amf("FCUnpublish", 4, None, self._name))
        self._message(3, 20, 0, _amf("deleteStream", 5, None, 1))
        await self._writer.drain()
        if self._writer.can_write_eof():  # TLS has no such thing
            self._writer.write_eof()
        else:
            self._writer.transport.abort()
        async with asyncio.timeout(_STEP_TIMEOUT_S):
            await self.wait_closed()
        self._writer.close()

    def _message(self, stream: int, kind: int, message_stream: int, data: bytes) -> None:
        head = _head(stream, 0, len(data), kind, message_stream)
        self._writer.write(head + chunked(stream, data))

    async def _until(self, text: bytes) -> None:
        while text not in self._received:
            data = await self._reader.read(65_536)
            if not data:
                raise ConnectionError(f"nginx closed {self._name} before {text.decode()}")
            self._received += data
        self._received.clear()

    async def _discard(self) -> None:
        try:
            while await self._reader.read(65_536):
                pass
        except ConnectionError:
            return


def chunked(stream: int, data: bytes, extended: bytes = b"") -> bytes:
    """`data` with the headers between its chunks (RTMP 1.0 §5.3.1.2.4)."""
    pieces = [data[i : i + _CHUNK] for i in range(0, len(data), _CHUNK)]
    return (bytes([0xC0 | stream]) + extended).join(pieces)


def _head(stream: int, time_ms: int, length: int, kind: int, message_stream: int) -> bytes:
    return (
        bytes([stream])
        + time_ms.to_bytes(3, "big")
        + length.to_bytes(3, "big")
        + bytes([kind])
        + message_stream.to_bytes(4, "little")
    )


def _amf(*values: object) -> bytes:
    """AMF 0 of numbers, strings, objects of strings, and null."""
    out = b""
    for value in values:
        if value is None:
            out += b"\x05"
        elif isinstance(value, dict):
            members = b"".join(_name(key) + _amf(member) for key, member in value.items())
            out += b"\x03" + members + b"\0\0\x09"
        elif isinstance(value, str):
            out += b"\x02" + _name(value)
        else:
            out += b"\x00" + struct.pack(">d", value)
    return out


def _name(text: str) -> bytes:
    return len(text).to_bytes(2, "big") + text.encode()
