"""What a connection costs that does nothing: memory of the server's process, per connection.

The whole endpoint is measured, with a guest who has joined a room: reader, presence, queue, books.
Beside it aiohttp's own, which does nothing but stay open. The kernel's socket buffers are not the
process' and the same for both.
"""

import asyncio
import gc
import multiprocessing
from dataclasses import replace
from multiprocessing.connection import Connection as Pipe
from uuid import UUID

from aiohttp import web

from controller.hub.endpoint.credentials import Credentials
from controller.hub.endpoint.routes import room_routes
from controller.hub.guest_networks import GuestNetworks
from controller.hub.guests import GuestSessions
from controller.hub.limits import HubLimits
from tests.bench.measure import pss_bytes
from tests.bench.registry import BenchFailed, Row
from tests.http.hub.running_hub import WallTime
from tests.support.room_client import RoomClient
from tests.unit.controller.hub.doubles import Installation, Tokens, a_stream

CONNECTIONS = 10_000
COLUMN = "kib_per_idle"
_HOST = "127.0.0.1"
_AT_ONCE = 50
_START_S = 120.0
_STREAM = UUID(int=1)


class GoliveRoom:
    """The room's endpoint as the daemon has it, over doubles of the database."""

    name = "golive"
    path = "/api/v1/ws"

    def __init__(self) -> None:
        self._place = Installation(HubLimits(), None, WallTime())
        self._place.streams.by_id[_STREAM] = replace(a_stream(), id=_STREAM)

    async def start(self) -> int:
        self._background = asyncio.create_task(self._place.service.run())
        guests, networks = GuestSessions(b"k" * 32), GuestNetworks(b"n" * 32)
        credentials = Credentials(
            Tokens(), guests, networks, lambda request: request.remote or "", frozenset({"*"})
        )
        return await _serve(room_routes(self._place.hub, credentials, self._place.limits))

    def count(self) -> int:
        return sum(len(opened.room.members) for opened in self._place.service._rooms.all)


class AiohttpLoop:
    """An aiohttp handler that keeps the socket in a list."""

    name = "aiohttp loop"
    path = "/"

    def __init__(self) -> None:
        self._room: list[web.WebSocketResponse] = []

    async def start(self) -> int:
        return await _serve([web.get("/", self._handle), web.get("/api/v1/ws", self._handle)])

    def count(self) -> int:
        return len(self._room)

    async def _handle(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(heartbeat=HubLimits().heartbeat_s)
        await socket.prepare(request)
        self._room.append(socket)
        async for _ in socket:
            pass
        return socket


CONTESTANTS = (GoliveRoom, AiohttpLoop)


async def _serve(routes) -> int:
    app = web.Application()
    app.router.add_routes(routes)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, _HOST, 0, backlog=1024).start()
    return runner.addresses[0][1]


def _server(number: int, connections: int, pipe: Pipe) -> None:
    asyncio.run(_hold(CONTESTANTS[number](), connections, pipe))


async def _hold(contestant, connections: int, pipe: Pipe) -> None:
    port = await contestant.start()
    gc.collect()
    pipe.send(port)
    async with asyncio.timeout(_START_S):
        while contestant.count() < connections:
            await asyncio.sleep(0.1)
    await asyncio.sleep(1.0)
    gc.collect()
    pipe.send(contestant.count())
    await asyncio.to_thread(pipe.recv)


def _clients(port: int, connections: int, pipe: Pipe) -> None:
    asyncio.run(_connect(port, connections, pipe))


async def _connect(port: int, connections: int, pipe: Pipe) -> None:
    loop, door = asyncio.get_running_loop(), asyncio.Semaphore(_AT_ONCE)
    clients: list[RoomClient] = []

    async def one() -> None:
        async with door:
            client = RoomClient("", lambda _: None, lambda: None)
            await loop.create_connection(lambda: client, _HOST, port)
            client.send("stream_join", stream_id=str(_STREAM))
            clients.append(client)
            async with asyncio.timeout(_START_S):
                while client.received_bytes == 0:
                    await asyncio.sleep(0.005)

    await asyncio.gather(*(one() for _ in range(connections)))
    await asyncio.to_thread(pipe.recv)


def idle_row(number: int, connections: int = CONNECTIONS) -> Row:
    """One contestant's memory per connection; BenchFailed when it does not hold them all."""
    context = multiprocessing.get_context("spawn")
    server_pipe, theirs = context.Pipe()
    server = context.Process(target=_server, args=(number, connections, theirs), daemon=True)
    server.start()
    clients = None
    try:
        port = _answer(server_pipe)
        before = pss_bytes([server.pid])
        _client_pipe, theirs = context.Pipe()
        clients = context.Process(target=_clients, args=(port, connections, theirs), daemon=True)
        clients.start()
        held = _answer(server_pipe)
        after = pss_bytes([server.pid])
    finally:
        for process in (server, clients):
            if process is not None:
                process.kill()
                process.join()
    if held < connections:
        raise BenchFailed(f"{CONTESTANTS[number].name}: {held} of {connections} connections")
    return Row(f"{CONTESTANTS[number].name}, idle", {COLUMN: (after - before) / held / 1024})


def _answer(pipe: Pipe):
    if not pipe.poll(_START_S):
        raise BenchFailed("no answer")
    return pipe.recv()
