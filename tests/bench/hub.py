"""What the room costs: one sender, many listeners, against what one would write first.

Each contestant is a server process of its own; the listeners are another process, the same for
all. CPU is the server's alone, per message and listener; latency is from the send to the
listener's callback, on one machine's clock.
"""

import argparse
import asyncio
import json
import multiprocessing
import re
import tempfile
import time
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from uuid import uuid4

import socketio
import websockets
from aiohttp import web

from controller.domain.room import KeptRoom, Position, RoomEvent
from controller.hub.codecs import WebSocketCodec
from controller.hub.connection import Connection
from controller.hub.endpoint.websocket import WebSocketWire
from controller.hub.limits import HubLimits
from controller.hub.pacing import LoopPacer
from controller.hub.room import Room
from controller.hub.room_state import RoomState
from tests.bench import hub_idle
from tests.bench.measure import cpu_between, cpu_ns
from tests.bench.registry import Bar, BenchFailed, Options, Result, Row
from tests.bench.report import table
from tests.unit.controller.hub.doubles import a_stream

LISTENERS = 1_000
MESSAGES_PER_S = 50
BAR = 0.35
_FILLER = "x" * 180
_START_S = 60.0
_DRAIN_S = 120.0
_HOW_MANY = "how many"
_HOST = "127.0.0.1"
_SENT = re.compile(rb"@(\d+\.\d+)@")
_LONGEST_SENT = 32

Send = Callable[[str], Awaitable[None]]


# --- the contestants: each starts a server, answers (port, listeners there are, how to send)


class Naive:
    """`for ws in room: await ws.send_str(…)`, as aiohttp's examples have it."""

    name = "aiohttp loop"

    def __init__(self) -> None:
        self.room: list[web.WebSocketResponse] = []

    def count(self) -> int:
        return len(self.room)

    async def start(self) -> int:
        return await _serve(self.handle)

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        self.room.append(socket)
        async for _ in socket:
            pass
        return socket

    async def send(self, text: str) -> None:
        for socket in self.room:
            await socket.send_str(text)


class Golive:
    """The room, its codec and its wire, as the endpoint puts them together."""

    name = "golive"

    def __init__(self) -> None:
        limits = HubLimits()
        self.room = Room(RoomState(a_stream(), KeptRoom()), limits, LoopPacer(), lambda *_: None)
        self.codec = WebSocketCodec()
        self.limits = limits
        self.offset = 0

    def count(self) -> int:
        return len(self.room.members)

    async def start(self) -> int:
        return await _serve(self.handle)

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(heartbeat=self.limits.heartbeat_s)
        await socket.prepare(request)
        wire = WebSocketWire(socket, request.transport, self.codec)
        self.room.admit(Connection(wire, self.limits.backlog_bytes, None, str(uuid4())), None)
        async for _ in socket:
            pass
        return socket

    async def send(self, text: str) -> None:
        self.offset += 1
        self.room.receive(RoomEvent("test:event", text.encode(), Position("e", self.offset)))


class Websockets:
    """`websockets.broadcast`."""

    name = "websockets.broadcast"

    def __init__(self) -> None:
        self.room: set[websockets.ServerConnection] = set()

    def count(self) -> int:
        return len(self.room)

    async def start(self) -> int:
        self.server = await websockets.serve(self.handle, _HOST, 0, compression=None)
        return self.server.sockets[0].getsockname()[1]

    async def handle(self, connection: websockets.ServerConnection) -> None:
        self.room.add(connection)
        await connection.wait_closed()

    async def send(self, text: str) -> None:
        websockets.broadcast(self.room, text)


class SocketIo:
    """python-socketio's `emit` into a room."""

    name = "python-socketio"

    def __init__(self) -> None:
        self.server = socketio.AsyncServer(
            async_mode="aiohttp", cors_allowed_origins="*", ping_interval=3600
        )
        self.listeners = 0
        self.server.on("connect", self.connected)

    def count(self) -> int:
        return self.listeners

    async def start(self) -> int:
        return await _serve(None, self.server.attach)

    async def connected(self, sid: str, _environ: dict, _auth: object) -> None:
        await self.server.enter_room(sid, "room")
        self.listeners += 1

    async def send(self, text: str) -> None:
        await self.server.emit("test:event", json.loads(text), room="room")


CONTESTANTS = (Naive, Golive, Websockets, SocketIo)


async def _serve(handle, attach=None) -> int:
    app = web.Application()
    if handle is not None:
        app.router.add_get("/", handle)
    if attach is not None:
        attach(app)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, _HOST, 0).start()
    return runner.addresses[0][1]


def _serve_process(number: int, listeners: int, seconds: float, pipe: Pipe) -> None:
    asyncio.run(_contest(CONTESTANTS[number](), listeners, seconds, pipe))


async def _contest(contestant, listeners: int, seconds: float, pipe: Pipe) -> None:
    pipe.send(await contestant.start())
    async with asyncio.timeout(_START_S):
        while contestant.count() < listeners:
            await asyncio.sleep(0.05)
    await asyncio.sleep(0.5)
    pipe.send("there")
    await asyncio.to_thread(pipe.recv)
    count = int(seconds * MESSAGES_PER_S)
    begin_s = time.monotonic()
    for number in range(count):
        await asyncio.sleep(max(0.0, begin_s + number / MESSAGES_PER_S - time.monotonic()))
        await contestant.send(
            json.dumps({"message": _FILLER, "n": number, "sent": f"@{time.monotonic():.6f}@"})
        )
    await asyncio.sleep(0.3)
    pipe.send(count)
    await asyncio.to_thread(pipe.recv)


# --- the listeners: raw sockets, so that they cost little beside the server


class Listener(asyncio.Protocol):
    """Finds the sending times in what arrives; whatever frames they came in."""

    def __init__(self, path: str, latencies: list[float], ready: asyncio.Event) -> None:
        self.path = path
        self.latencies = latencies
        self.ready = ready
        self.heard = 0
        self.is_socket_io = "socket.io" in path
        self.tail = b""

    def connection_made(self, transport) -> None:
        transport.write(
            f"GET {self.path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        if self.is_socket_io:
            transport.write(b"\x81\x82\x00\x00\x00\x0040")  # CONNECT to the main namespace

    def data_received(self, data: bytes) -> None:
        now_s = time.monotonic()
        self.ready.set()
        buffer = self.tail + data
        end = 0
        for sent in _SENT.finditer(buffer):
            self.latencies.append(now_s - float(sent[1]))
            self.heard += 1
            end = sent.end()
        self.tail = buffer[end:][-_LONGEST_SENT:]


def _listen_process(port: int, path: str, listeners: int, pipe: Pipe) -> None:
    asyncio.run(_listen(port, path, listeners, pipe))


async def _listen(port: int, path: str, listeners: int, pipe: Pipe) -> None:
    loop = asyncio.get_running_loop()
    latencies: list[float] = []
    protocols = []
    for _ in range(listeners):
        ready = asyncio.Event()
        _, protocol = await loop.create_connection(
            lambda ready=ready: Listener(path, latencies, ready), _HOST, port
        )
        await ready.wait()
        protocols.append(protocol)
    while await asyncio.to_thread(pipe.recv) == _HOW_MANY:
        pipe.send(sum(one.heard for one in protocols))
    ordered = sorted(latencies) or [0.0]
    pipe.send((sum(one.heard for one in protocols), ordered[int(len(ordered) * 0.99)]))


class HubBench:
    """The room beside three others."""

    name = "hub"
    about = f"CPU per delivered message, {LISTENERS} listeners, {MESSAGES_PER_S} messages/s"

    def __init__(self, listeners: int = LISTENERS, idle: int = hub_idle.CONNECTIONS) -> None:
        self._listeners = listeners
        self._idle = idle

    def run(self, options: Options) -> Result:
        """See `Bench.run`; a contestant that loses a message fails."""
        rows = [self._contest(number, options.seconds) for number in range(len(CONTESTANTS))]
        by_name = {row.name: row.figures for row in rows}
        naive = by_name[Naive.name]["cpu_us_per_delivery"]
        rows = [
            Row(row.name, {**row.figures, "of_naive": row.figures["cpu_us_per_delivery"] / naive})
            for row in rows
        ]
        rows += [hub_idle.idle_row(n, self._idle) for n in range(len(hub_idle.CONTESTANTS))]
        ratio = by_name[Golive.name]["cpu_us_per_delivery"] / naive
        return Result(
            bench=self.name,
            columns=("cpu_us_per_delivery", "of_naive", "p99_ms", "deliveries", hub_idle.COLUMN),
            rows=tuple(rows),
            bars=(Bar("hub: CPU per delivered message ÷ aiohttp's loop", ratio, BAR),),
            notes=(
                f"{self._listeners} listeners in a process of their own",
                f"{hub_idle.COLUMN}: the server's memory, {self._idle} connections that do nothing",
            ),
        )

    def _contest(self, number: int, seconds: float) -> Row:
        contestant = CONTESTANTS[number]
        path = "/"
        if contestant is SocketIo:
            path = "/socket.io/?EIO=4&transport=websocket"
        context = multiprocessing.get_context("spawn")
        server_pipe, theirs = context.Pipe()
        server = context.Process(
            target=_serve_process, args=(number, self._listeners, seconds, theirs), daemon=True
        )
        server.start()
        listener_pipe, theirs = context.Pipe()
        port = _receive(server_pipe, contestant.name)
        listeners = context.Process(
            target=_listen_process, args=(port, path, self._listeners, theirs), daemon=True
        )
        listeners.start()
        try:
            _receive(server_pipe, contestant.name)
            before = cpu_ns([server.pid])
            server_pipe.send("go")
            count = _receive(server_pipe, contestant.name, seconds * 3)
            self._drain(listener_pipe, contestant.name, count * self._listeners)
            used_s = cpu_between(before, cpu_ns([server.pid]))
            listener_pipe.send("enough")
            heard, p99_s = _receive(listener_pipe, contestant.name)
        finally:
            for process in (server, listeners):
                process.kill()
                process.join()
        if heard != count * self._listeners:
            raise BenchFailed(f"{contestant.name}: {heard} of {count * self._listeners} heard")
        return Row(
            contestant.name,
            {
                "cpu_us_per_delivery": used_s / heard * 1e6,
                "p99_ms": p99_s * 1000,
                "deliveries": float(heard),
            },
        )

    @staticmethod
    def _drain(listeners: Pipe, who: str, messages: int) -> None:
        """Wait until all are heard: some servers take them faster than they can send them on."""
        deadline_s = time.monotonic() + _DRAIN_S
        while time.monotonic() < deadline_s:
            listeners.send(_HOW_MANY)
            if _receive(listeners, who) >= messages:
                return
            time.sleep(0.1)


def _receive(pipe: Pipe, who: str, timeout_s: float = _START_S):
    if not pipe.poll(timeout_s + _START_S):
        raise BenchFailed(f"{who}: no answer")
    return pipe.recv()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--listeners", type=int, default=LISTENERS)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--idle", type=int, default=hub_idle.CONNECTIONS)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        asked = Options(1, chosen.seconds, 1, Path(folder), Path(folder))
        print(table(HubBench(chosen.listeners, chosen.idle).run(asked)))
