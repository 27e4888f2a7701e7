"""The hub behind a real server, over doubles."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import msgspec
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from controller.hub.endpoint.credentials import Credentials
from controller.hub.endpoint.players import WatchingEndpoint
from controller.hub.endpoint.routes import room_routes, watching_routes
from controller.hub.guest_networks import GuestNetworks
from controller.hub.guests import GuestSessions
from controller.hub.limits import HubLimits
from controller.hub.pacing import LoopPacer
from tests.unit.controller.hub.doubles import Installation, Tokens

ANSWER_S = 45.0


class RunningHub:
    def __init__(self, place: Installation, tokens: Tokens, client: TestClient) -> None:
        self.place = place
        self.tokens = tokens
        self.client = client

    @asynccontextmanager
    async def socket(self, **query) -> AsyncIterator["Socket"]:
        protocols = query.pop("protocols", ())
        headers = query.pop("headers", None)
        async with self.client.ws_connect(
            "/api/v1/ws", params=query, protocols=protocols, headers=headers, max_msg_size=0
        ) as raw:
            yield Socket(raw)


class Socket:
    """A client that speaks the contract."""

    def __init__(self, raw) -> None:
        self.raw = raw
        self._id = 0

    async def send(self, event: str, **data) -> None:
        await self.raw.send_str(msgspec.json.encode({"event": event, "data": data}).decode())

    async def call(self, event: str, **data) -> dict:
        """Send with an id and wait for what answers it."""
        self._id += 1
        frame = {"event": event, "data": data, "id": self._id}
        await self.raw.send_str(msgspec.json.encode(frame).decode())
        while True:
            answer = await self.next()
            if answer.get("ack") == self._id or answer.get("id") == self._id:
                return answer

    async def next(self) -> dict:
        return msgspec.json.decode(await self.raw.receive_str(timeout=ANSWER_S))

    async def wait(self, name: str) -> dict:
        while True:
            frame = await self.next()
            if frame.get("event") == name:
                return frame

    async def join(self, stream, **since) -> dict:
        await self.send("stream_join", stream_id=str(stream.id), **since)
        return (await self.wait("stream:joined"))["data"]

    async def close_code(self) -> int | None:
        async with asyncio.timeout(ANSWER_S):
            async for _ in self.raw:
                pass
        return self.raw.close_code


class WallTime(LoopPacer):
    def now(self):
        return datetime.now(UTC)


@asynccontextmanager
async def run_hub(
    limits: HubLimits | None = None, realtime=None, add=lambda app, hub, credentials: None
) -> AsyncIterator[RunningHub]:
    place = Installation(limits or HubLimits(), realtime, WallTime())
    tokens = Tokens()
    credentials = Credentials(
        tokens,
        GuestSessions(b"k" * 32),
        GuestNetworks(b"n" * 32),
        lambda request: request.headers.get("X-Forwarded-For") or request.remote or "",
        frozenset({"*"}),
    )
    watching = WatchingEndpoint(
        place.hub, place.watchers, place.sessions, credentials, place.limits
    )
    app = web.Application()
    app.router.add_routes(room_routes(place.hub, credentials, place.limits))
    app.router.add_routes(watching_routes(watching))
    add(app, place.hub, credentials)
    running = asyncio.Event()
    background = asyncio.create_task(place.service.run(running.set))
    try:
        async with TestClient(TestServer(app)) as client:
            await running.wait()
            yield RunningHub(place, tokens, client)
            await place.service.close()
    finally:
        background.cancel()
        await asyncio.wait([background])
    assert background.cancelled()
