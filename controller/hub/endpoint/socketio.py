"""`/socket.io/`: the same events and payloads for Socket.IO clients, over polling and WebSocket.

A token comes as `auth: {token}` of the connection, as `?token=` or as a header; what is refused is
an `error` event and the answer of the acknowledgement.
"""

import asyncio
import logging
from collections import deque
from contextlib import suppress
from typing import Any

import structlog
from aiohttp import web
from engineio.packet import MESSAGE, Packet  # type: ignore[import-untyped]
from socketio import AsyncServer  # type: ignore[import-untyped]
from socketio.exceptions import (  # type: ignore[import-untyped]
    ConnectionRefusedError as SocketIoRefusal,
)

from controller.errors import ControllerError, InternalError, NotAuthenticated
from controller.hub.closing import CloseCode
from controller.hub.codecs import RECORD_SEPARATOR, SocketIoCodec
from controller.hub.commands import AUTH
from controller.hub.connection import Connection
from controller.hub.endpoint.credentials import Caller, Credentials
from controller.hub.endpoint.refusals import error_message
from controller.hub.errors import AlreadyIdentified, MalformedFrame
from controller.hub.hub import Hub
from controller.hub.limits import HubLimits

PATH = "/socket.io/"
_CLOSE_S = 2.0
_CLOSE_POLL_S = 0.02
_FOR_GOOD = frozenset({CloseCode.BAD_CREDENTIALS, CloseCode.FLOODING})
_DISCONNECT = b"1" + RECORD_SEPARATOR


class SharedPackets:
    """The packets of what was written last: a batch is written to many, one after the other."""

    def __init__(self) -> None:
        self._data = b""
        self._packets: list[Packet] = []

    def of(self, data: bytes) -> list[Packet]:
        """One Engine.IO packet per event."""
        if data is not self._data:
            texts = data.decode().split(RECORD_SEPARATOR.decode())[:-1]
            self._packets = [Packet(MESSAGE, data=text) for text in texts]
            self._data = data
        return self._packets


class SocketIoWire:
    """Puts packets into Engine.IO's queue of the client, which knows no bound of its own."""

    def __init__(
        self, server: AsyncServer, eio_sid: str, codec: SocketIoCodec, shared: SharedPackets
    ) -> None:
        self.codec = codec
        self.transport: asyncio.Transport | None = None
        self._server = server
        self._eio_sid = eio_sid
        self._shared = shared
        self._sizes: deque[int] = deque()
        self._queued_bytes = 0
        self._closing: asyncio.Task[None] | None = None

    def write(self, data: bytes) -> None:
        """See `Wire.write`."""
        socket = self._server.eio.sockets.get(self._eio_sid)
        if socket is None or socket.closed:
            return
        for packet in self._shared.of(data):
            socket.queue.put_nowait(packet)
            self._sizes.append(len(packet.data))
            self._queued_bytes += len(packet.data)

    def backlog_bytes(self) -> int:
        """See `Wire.backlog_bytes`: the queue is first in, first out."""
        socket = self._server.eio.sockets.get(self._eio_sid)
        waiting = 0 if socket is None else socket.queue.qsize()
        while len(self._sizes) > waiting:
            self._queued_bytes -= self._sizes.popleft()
        return self._queued_bytes

    def close(self, code: CloseCode) -> None:
        """See `Wire.close`; a peer that does not take its packets is cut off.

        The protocol carries no code, but clients come back by themselves after a lost connection
        and do not after a DISCONNECT packet.
        """
        if self._closing is None:
            if code in _FOR_GOOD:
                self.write(_DISCONNECT)
            self._closing = asyncio.create_task(self._close(), name="socketio-close")

    async def _close(self) -> None:
        try:
            with suppress(TimeoutError, KeyError):
                async with asyncio.timeout(_CLOSE_S):
                    await self._server.eio.disconnect(self._eio_sid)
                    # Engine.IO calls a packet done before it is sent: let the peer have the last.
                    while self.transport is not None and not self.transport.is_closing():  # noqa: ASYNC110
                        await asyncio.sleep(_CLOSE_POLL_S)
        finally:
            if self.transport is not None:
                self.transport.abort()


class SocketIoEndpoint:
    """Attach with `routes`, close before the hub's service."""

    def __init__(
        self, hub: Hub, credentials: Credentials, limits: HubLimits, allowed_origins: list[str]
    ) -> None:
        quiet = logging.Logger("socketio")  # what strangers send is no news  # noqa: LOG001
        quiet.addHandler(logging.NullHandler())
        self._hub = hub
        self._credentials = credentials
        self._codec = SocketIoCodec()
        self._shared = SharedPackets()
        self._connections: dict[str, tuple[Connection, web.Request, str]] = {}
        self._wires: dict[str, SocketIoWire] = {}
        self._log = structlog.get_logger(__name__)
        self._server = AsyncServer(
            async_mode="aiohttp",
            # One after the other, as they were sent.
            async_handlers=False,
            cors_allowed_origins="*" if "*" in allowed_origins else allowed_origins,
            max_http_buffer_size=limits.frame_bytes,
            ping_interval=limits.heartbeat_s,
            ping_timeout=limits.heartbeat_s / 2,
            logger=quiet,
            engineio_logger=quiet,
        )
        self._server.on("connect", self._connect)
        self._server.on("disconnect", self._disconnect)
        self._server.on("*", self._event)

    def routes(self) -> list[web.RouteDef]:
        """What to add to the application's router."""
        return [
            web.get(PATH, self._handle, allow_head=False),
            web.post(PATH, self._handle),
            web.options(PATH, self._handle),
        ]

    async def close(self) -> None:
        """End Engine.IO's own background work; bounded."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_S):
                await self._server.shutdown()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        wire = self._wires.get(request.query.get("sid", ""))
        if wire is not None and request.query.get("transport") == "websocket":
            wire.transport = request.transport
        try:
            response: web.StreamResponse = await self._server.handle_request(request)
        except Exception as error:  # noqa: BLE001
            # Engine.IO lets out whatever a packet that it cannot read makes its parser raise.
            self._log.info("socketio_packet_refused", error=type(error).__name__)
            await self._cut_off(request)
            return web.Response(status=400)
        return response

    async def _cut_off(self, request: web.Request) -> None:
        if request.transport is None:
            return
        for eio_sid, wire in [*self._wires.items()]:
            socket = self._server.eio.sockets.get(eio_sid)
            if wire.transport is request.transport and socket is not None:
                await socket.close(wait=False, abort=True)
        request.transport.abort()

    async def _connect(self, sid: str, environ: dict[str, Any], auth: object) -> None:
        request: web.Request = environ["aiohttp.request"]
        refusal = self._hub.refusal
        if refusal is not None:
            raise SocketIoRefusal(refusal.reason)
        try:
            caller = await self._caller(request, auth)
        except NotAuthenticated:
            raise SocketIoRefusal(NotAuthenticated.default_detail) from None
        except ControllerError as error:
            raise SocketIoRefusal(error.detail) from None
        eio_sid = self._server.manager.eio_sid_from_sid(sid, "/")
        wire = SocketIoWire(self._server, eio_sid, self._codec, self._shared)
        if request.query.get("transport") == "websocket":
            wire.transport = request.transport
        connection = self._hub.connect(
            wire,
            caller.identity,
            caller.viewer,
            caller.guest_token,
            caller.network,
            self._credentials.country(request),
        )
        self._connections[sid] = (connection, request, eio_sid)
        self._wires[eio_sid] = wire

    async def _caller(self, request: web.Request, auth: object) -> Caller:
        if isinstance(auth, dict):
            token, session = auth.get("token"), auth.get("session")
            if token:
                if not isinstance(token, str):
                    raise NotAuthenticated
                return await self._credentials.user(request, token)
            if isinstance(session, str):
                return self._credentials.guest(session, request)
        return await self._credentials.caller(request)

    async def _disconnect(self, sid: str, _reason: str) -> None:
        known = self._connections.pop(sid, None)
        if known is not None:
            connection, _, eio_sid = known
            self._hub.disconnect(connection)
            self._wires.pop(eio_sid, None)

    async def _event(self, event: str, sid: str, *data: object) -> dict[str, object]:
        known = self._connections.get(sid)
        if known is None or not self._hub.may_send(known[0]):
            return {}
        connection, request, _ = known
        try:
            await self._carry_out(connection, request, event, data)
        except ControllerError as error:
            return self._refuse(connection, error)
        except Exception:  # noqa: BLE001
            # A defect of ours must not cost the viewer the room.
            self._log.exception("hub_command_failed", command=event[:40])
            return self._refuse(connection, InternalError())
        return {"ok": True}

    async def _carry_out(
        self,
        connection: Connection,
        request: web.Request,
        event: str,
        data: tuple[object, ...],
    ) -> None:
        payload = data[0] if data else {}
        if event != AUTH:
            await self._hub.handle(connection, event, payload)
            return
        if not isinstance(payload, dict):
            raise MalformedFrame
        try:
            await self._credentials.identify(connection, request, payload.get("token"))
        except AlreadyIdentified:
            raise
        except ControllerError as error:
            if connection.identity is None:  # a renewal that failed costs nothing yet
                self._refuse(connection, error)
                connection.close(CloseCode.BAD_CREDENTIALS)
            raise

    def _refuse(self, connection: Connection, error: ControllerError) -> dict[str, object]:
        connection.send(error_message(error))
        return {"ok": False, "message": error.detail, "code": error.code}
