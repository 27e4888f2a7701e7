"""`GET /api/v1/streams/{stream_id}/room`: the room's events, to read only, as Server-Sent Events.

For viewers behind proxies that let no WebSocket through. A browser's EventSource comes back by
itself and says where it was (`Last-Event-ID`), so it misses nothing.
"""

import asyncio

from aiohttp import HttpVersion11, web

from controller.domain.room import Position
from controller.errors import FieldError, InvalidRequest
from controller.hub.closing import CloseCode
from controller.hub.codecs import (
    ChunkedServerSentEventsCodec,
    Codec,
    ServerSentEventsCodec,
    http_chunk,
)
from controller.hub.commands import read_position, read_stream_id
from controller.hub.endpoint.credentials import Credentials
from controller.hub.errors import RealtimeUnavailable
from controller.hub.hub import Hub
from controller.hub.limits import HubLimits

LAST_EVENT_ID_MAX = 128
"""Characters."""

_STILL_HERE = b":\n\n"
_RETRY = b"retry: 2000\n\n"
_HEADERS = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",
}


class SseWire:
    """Holds what is written until the headers are out, then writes into the transport."""

    def __init__(self, codec: Codec) -> None:
        self.codec = codec
        self.closed = asyncio.Event()
        self._transport: asyncio.Transport | None = None
        self._held = bytearray()

    def open(self, transport: asyncio.Transport) -> None:
        """The headers are out."""
        self._transport = transport
        self.write(bytes(self._held))
        self._held.clear()

    def write(self, data: bytes) -> None:
        """See `Wire.write`."""
        if self._transport is None:
            self._held += data
        elif not self._transport.is_closing():
            self._transport.write(data)

    def backlog_bytes(self) -> int:
        """See `Wire.backlog_bytes`."""
        if self._transport is None:
            return len(self._held)
        return self._transport.get_write_buffer_size()

    def close(self, code: CloseCode) -> None:
        """See `Wire.close`; the protocol has no place for the code, and the reader comes back."""
        if code is CloseCode.TOO_SLOW and self._transport is not None:
            self._transport.abort()
        self.closed.set()


class SseEndpoint:
    """One room per connection."""

    def __init__(self, hub: Hub, credentials: Credentials, limits: HubLimits) -> None:
        self._hub = hub
        self._credentials = credentials
        self._limits = limits
        self._plain = ServerSentEventsCodec()
        self._chunked = ChunkedServerSentEventsCodec()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve one reader; what is refused is answered as on any other path."""
        stream_id = read_stream_id({"stream_id": request.match_info["stream_id"]})
        position = _position(request)
        caller = await self._credentials.caller(request)
        refusal = self._hub.refusal
        if refusal is not None:
            raise RealtimeUnavailable(refusal.reason)
        is_chunked = request.version >= HttpVersion11
        wire = SseWire(self._chunked if is_chunked else self._plain)
        connection = self._hub.connect(
            wire,
            caller.identity,
            caller.viewer,
            caller.guest_token,
            caller.network,
            self._credentials.country(request),
        )
        response = web.StreamResponse(headers=_HEADERS)
        try:
            await self._hub.join(connection, stream_id, position)
            self._credentials.remember_guest(response, caller, secure=request.secure)
            await response.prepare(request)
            if request.transport is not None:
                wire.write(http_chunk(_RETRY) if is_chunked else _RETRY)
                wire.open(request.transport)
                await self._stay(request.transport, wire, is_chunked=is_chunked)
        finally:
            self._hub.disconnect(connection)
        return response

    async def _stay(self, transport: asyncio.Transport, wire: SseWire, *, is_chunked: bool) -> None:
        """Until either side ends it; a comment now and then finds dead peers."""
        while not wire.closed.is_set() and not transport.is_closing():
            try:
                async with asyncio.timeout(self._limits.heartbeat_s):
                    await wire.closed.wait()
            except TimeoutError:
                wire.write(http_chunk(_STILL_HERE) if is_chunked else _STILL_HERE)


def _position(request: web.Request) -> Position | None:
    """Where the reader was: EventSource's header, or the query for the first time.

    InvalidRequest when it is longer than any position that was ever given out.
    """
    known = request.headers.get("Last-Event-ID") or request.query.get("last_event_id", "")
    if len(known) > LAST_EVENT_ID_MAX:
        reason = f"must have at most {LAST_EVENT_ID_MAX} characters"
        raise InvalidRequest([FieldError("header", "Last-Event-ID", reason, "too_long")])
    epoch, _, offset = known.rpartition(":")
    return read_position(epoch, int(offset)) if offset.isascii() and offset.isdigit() else None
