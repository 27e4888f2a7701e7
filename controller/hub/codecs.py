"""How an event looks on each transport; encoded once per event and transport, for everybody."""

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from controller.domain.room import Position, RoomEvent

_FIN_TEXT = 0x81
_RSV1 = 0x40
_SHORT, _MEDIUM = 126, 65_536
_WORTH_DEFLATING = 1_024
_ENVELOPE_BYTES = 100
RECORD_SEPARATOR = b"\x1e"


@dataclass(frozen=True, slots=True, eq=False)
class Message:
    """An event on its way out; `data` is JSON. `reply_to` is the id of the frame it answers."""

    name: str
    data: bytes
    position: Position | None = None
    reply_to: int | None = None

    @classmethod
    def of(cls, name: str, data: object, reply_to: int | None = None) -> "Message":
        """An event for one connection, not part of the room's log."""
        return cls(name, msgspec.json.encode(data), None, reply_to)

    @property
    def about_bytes(self) -> int:
        """What it comes to on any transport, roughly."""
        return len(self.data) + _ENVELOPE_BYTES

    @classmethod
    def from_log(cls, event: RoomEvent) -> "Message":
        """An event of the room's log."""
        return cls(event.name, event.data, event.position)


class Codec(Protocol):
    """One transport's encoding; instances are compared by identity and shared."""

    def encode(self, message: Message) -> bytes:
        """The message as the transport carries it; encodings may simply be concatenated."""
        ...


class Batch:
    """Messages that go out in one write, encoded at most once per codec."""

    __slots__ = ("_encoded", "messages")

    def __init__(self, messages: Sequence[Message]) -> None:
        self.messages = messages
        self._encoded: dict[int, bytes] = {}

    def encoded(self, codec: Codec) -> bytes:
        """The bytes for every connection of this codec."""
        known = self._encoded.get(id(codec))
        if known is None:
            known = b"".join([codec.encode(message) for message in self.messages])
            self._encoded[id(codec)] = known
        return known


def envelope(message: Message) -> bytes:
    """The JSON text frame of the contract; events of the log carry their offset and epoch."""
    parts = [b'{"event":"', message.name.encode(), b'","data":', message.data]
    if message.position is not None:
        parts.append(
            f',"offset":{message.position.offset},"epoch":"{message.position.epoch}"'.encode()
        )
    if message.reply_to is not None:
        parts.append(f',"id":{message.reply_to}'.encode())
    parts.append(b"}")
    return b"".join(parts)


def text_frame(payload: bytes, *, deflated: bool = False) -> bytes:
    """An unmasked text frame, as servers send them (RFC 6455, 5.2); RSV1: RFC 7692, 6."""
    first = _FIN_TEXT | _RSV1 if deflated else _FIN_TEXT
    size = len(payload)
    if size < _SHORT:
        return bytes((first, size)) + payload
    if size < _MEDIUM:
        return struct.pack("!BBH", first, 126, size) + payload
    return struct.pack("!BBQ", first, 127, size) + payload


class WebSocketCodec:
    """Plain text frames."""

    def encode(self, message: Message) -> bytes:
        """See `Codec.encode`."""
        return text_frame(envelope(message))


class DeflatingWebSocketCodec:
    """Text frames that are deflated where it pays, each by itself, so that all may share them.

    A message that refers to no earlier one is valid with and without context takeover
    (RFC 7692, 7.1.1), as long as every data frame of the connection comes from here.
    """

    def encode(self, message: Message) -> bytes:
        """See `Codec.encode`."""
        payload = envelope(message)
        if len(payload) < _WORTH_DEFLATING:
            return text_frame(payload)
        # 9 bits: the smallest window that a client may have asked for is good for all.
        deflater = zlib.compressobj(wbits=-9)
        deflated = deflater.compress(payload) + deflater.flush(zlib.Z_SYNC_FLUSH)
        return text_frame(deflated.removesuffix(b"\x00\x00\xff\xff"), deflated=True)


class ServerSentEventsCodec:
    """`text/event-stream`; the id is the position, so that a browser resumes by itself."""

    def encode(self, message: Message) -> bytes:
        """See `Codec.encode`."""
        lines = [f"event: {message.name}\n".encode()]
        if message.position is not None:
            lines.append(f"id: {message.position.epoch}:{message.position.offset}\n".encode())
        # JSON as it is encoded here holds no line break.
        lines += [b"data: ", message.data, b"\n\n"]
        return b"".join(lines)


def http_chunk(data: bytes) -> bytes:
    """One chunk of a chunked body (RFC 9112, 7.1)."""
    return b"%x\r\n%b\r\n" % (len(data), data)


class ChunkedServerSentEventsCodec(ServerSentEventsCodec):
    """The same, each event a chunk, as HTTP/1.1 wants a body without length."""

    def encode(self, message: Message) -> bytes:
        """See `Codec.encode`."""
        return http_chunk(super().encode(message))


class SocketIoCodec:
    """Socket.IO EVENT packets (protocol 5), each ended by Engine.IO's record separator.

    An event has no envelope here, and a second argument would make some clients hand a list to
    their handlers: so the position of an event of the log stands in its payload.
    """

    def encode(self, message: Message) -> bytes:
        """See `Codec.encode`."""
        name = msgspec.json.encode(message.name)
        return b"".join((b"2[", name, b",", _positioned(message), b"]", RECORD_SEPARATOR))


def _positioned(message: Message) -> bytes:
    if message.position is None:
        return message.data
    comma = "," if message.data != b"{}" else ""
    at = message.position
    return message.data[:-1] + f'{comma}"offset":{at.offset},"epoch":"{at.epoch}"}}'.encode()
