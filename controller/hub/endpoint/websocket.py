"""`GET /api/v1/ws`: the contract's JSON text frames over WebSocket."""

import asyncio
from contextlib import suppress

import structlog
from aiohttp import WSMsgType, web

from controller.errors import ControllerError, Forbidden, InternalError
from controller.hub.closing import CloseCode
from controller.hub.codecs import (
    Codec,
    DeflatingWebSocketCodec,
    WebSocketCodec,
    text_frame,
)
from controller.hub.commands import AUTH, Frame, frame_id_of, read_frame
from controller.hub.connection import Connection
from controller.hub.endpoint.credentials import BEARER_PROTOCOL, Caller, Credentials
from controller.hub.endpoint.refusals import error_message
from controller.hub.errors import AlreadyIdentified, MalformedFrame
from controller.hub.hub import Hub
from controller.hub.limits import HubLimits

_CLOSE_S = 2.0


class WebSocketWire:
    """Writes whole frames, encoded once for everybody, past aiohttp's writer into its transport.

    That writer would encode and mask-check each frame again for each connection, which is most of
    what a broadcast costs. It still sends pings, pongs and close frames: whole frames too, so the
    two never mix within one.
    """

    def __init__(
        self, socket: web.WebSocketResponse, transport: asyncio.Transport, codec: Codec
    ) -> None:
        self.codec = codec
        self._socket = socket
        self._transport = transport
        self._closing: asyncio.Task[None] | None = None

    def write(self, data: bytes) -> None:
        """See `Wire.write`."""
        if not self._transport.is_closing():
            self._transport.write(data)

    def backlog_bytes(self) -> int:
        """See `Wire.backlog_bytes`."""
        return self._transport.get_write_buffer_size()

    def close(self, code: CloseCode) -> None:
        """See `Wire.close`; a peer that does not answer is cut off."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._close(code), name="websocket-close")

    async def closed(self) -> None:
        """Wait for a close that was begun."""
        if self._closing is not None:
            await asyncio.wait([self._closing])

    async def _close(self, code: CloseCode) -> None:
        try:
            with suppress(TimeoutError, ConnectionError, RuntimeError):
                async with asyncio.timeout(_CLOSE_S):
                    await self._socket.close(code=code, message=code.reason.encode())
        finally:
            if self.backlog_bytes() > 0:
                self._transport.abort()


class WebSocketEndpoint:
    """Upgrades, reads frames, answers each with an ack or an error."""

    def __init__(self, hub: Hub, credentials: Credentials, limits: HubLimits) -> None:
        self._hub = hub
        self._credentials = credentials
        self._limits = limits
        self._plain = WebSocketCodec()
        self._deflating = DeflatingWebSocketCodec()
        self._log = structlog.get_logger(__name__)

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        """Serve one connection until it ends."""
        if not self._credentials.is_origin_allowed(request):
            raise Forbidden("This origin may not connect")
        socket = web.WebSocketResponse(
            heartbeat=self._limits.heartbeat_s,
            max_msg_size=self._limits.frame_bytes,
            timeout=_CLOSE_S,
            protocols=(BEARER_PROTOCOL,),
        )
        refusal = self._hub.refusal
        caller, failure = await self._identify(request)
        if caller.guest_token is not None:
            self._credentials.remember_guest(socket, caller, secure=request.secure)
        await socket.prepare(request)
        transport = request.transport
        if transport is None:
            return socket  # gone already
        codec = self._deflating if socket.compress else self._plain
        wire = WebSocketWire(socket, transport, codec)
        if failure is not None:
            wire.write(codec.encode(error_message(failure)))
            refusal = CloseCode.BAD_CREDENTIALS
        if refusal is not None:
            wire.close(refusal)
            await wire.closed()
            return socket
        connection = self._hub.connect(
            wire,
            caller.identity,
            caller.viewer,
            caller.guest_token,
            caller.network,
            self._credentials.country(request),
        )
        try:
            await _Reader(self._hub, self._credentials, request, self._limits, connection).read(
                socket
            )
        finally:
            self._hub.disconnect(connection)
        await wire.closed()
        return socket

    async def _identify(self, request: web.Request) -> tuple[Caller, ControllerError | None]:
        """Who is calling, and what is wrong with it: told after the upgrade, as pages cannot read
        why an upgrade failed.
        """
        try:
            return await self._credentials.caller(request), None
        except ControllerError as error:
            return Caller(None, ""), error


class _Reader:
    """One connection's frames, one after the other."""

    def __init__(
        self,
        hub: Hub,
        credentials: Credentials,
        request: web.Request,
        limits: HubLimits,
        connection: Connection,
    ) -> None:
        self._hub = hub
        self._credentials = credentials
        self._request = request
        self._limits = limits
        self._connection = connection
        self._malformed = 0
        self._log = structlog.get_logger(__name__)

    async def read(self, socket: web.WebSocketResponse) -> None:
        """Until the connection ends, from either side."""
        async for message in socket:
            if not self._hub.may_send(self._connection):
                return
            if message.type is WSMsgType.TEXT:
                await self._text(message.data)
            else:
                self._refuse(MalformedFrame("Text frames only"), None)
            if not self._connection.is_open:
                return

    async def _text(self, text: str) -> None:
        try:
            frame = read_frame(text)
        except MalformedFrame as error:
            self._refuse(error, frame_id_of(text))
            return
        try:
            await self._carry_out(frame)
        except ControllerError as error:
            self._send_error(error, frame.id)
        except Exception:  # noqa: BLE001
            # A defect of ours must not cost the viewer the room.
            self._log.exception("hub_command_failed", command=frame.event[:40])
            self._send_error(InternalError(), frame.id)
        else:
            if frame.id is not None:
                self._connection.write(text_frame(b'{"ack":%d}' % frame.id))

    async def _carry_out(self, frame: Frame) -> None:
        if frame.event == AUTH:
            await self._authenticate(frame)
        else:
            await self._hub.handle(self._connection, frame.event, frame.data)

    async def _authenticate(self, frame: Frame) -> None:
        token = frame.data.get("token")
        try:
            await self._credentials.identify(self._connection, self._request, token)
        except AlreadyIdentified:
            raise
        except ControllerError as error:
            if self._connection.identity is None:  # a renewal that failed costs nothing yet
                self._send_error(error, frame.id)
                self._connection.close(CloseCode.BAD_CREDENTIALS)
            raise

    def _refuse(self, error: ControllerError, frame_id: int | None) -> None:
        self._malformed += 1
        self._send_error(error, frame_id)
        if self._malformed > self._limits.malformed_frames:
            self._connection.close(CloseCode.PROTOCOL_VIOLATION)

    def _send_error(self, error: ControllerError, frame_id: int | None) -> None:
        self._connection.send(error_message(error, frame_id))
