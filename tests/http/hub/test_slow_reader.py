"""A client that stops reading: closed within a bound, its queue bounded, nobody else delayed.

Served on a unix socket, as behind nginx: what the kernel holds for a reader is small there.
"""

import asyncio
import time
from contextlib import asynccontextmanager

import msgspec
import pytest
from aiohttp import web

from controller.hub.endpoint.credentials import Credentials
from controller.hub.endpoint.routes import room_routes
from controller.hub.guest_networks import GuestNetworks
from controller.hub.guests import GuestSessions
from controller.hub.limits import HubLimits
from tests.http.hub.running_hub import WallTime
from tests.support.room_client import RoomClient
from tests.support.waiting import until
from tests.unit.controller.hub.doubles import Installation, Tokens

READERS = 100
EVENTS_PER_S = 50
PHASE_S = 2.0
FILLER = "x" * 2_000
LIMITS = HubLimits(
    backlog_bytes=65_536, stalled_s=1.0, heartbeat_s=2.0, tick_s=0.1, room_linger_s=60.0
)
# A tenth of a second of scheduling on a busy machine is not what this is about.
NOISE_S = 0.05


@asynccontextmanager
async def hub_on_a_unix_socket(path):
    place = Installation(LIMITS, None, WallTime())
    guests, networks = GuestSessions(b"k" * 32), GuestNetworks(b"n" * 32)
    credentials = Credentials(Tokens(), guests, networks, lambda _: "", frozenset({"*"}))
    app = web.Application()
    app.router.add_routes(room_routes(place.hub, credentials, LIMITS))
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.UnixSite(runner, path).start()
    background = asyncio.create_task(place.service.run())
    try:
        yield place
    finally:
        await place.service.close()
        background.cancel()
        await asyncio.wait([background])
        await runner.cleanup()


class Reader:
    """A guest in the room; notes how long each event took to come."""

    def __init__(self) -> None:
        self.latencies: list[float] = []
        self.viewer = ""
        self.joined = asyncio.Event()
        self.lost = asyncio.Event()
        self.client = RoomClient("", self._hear, self.lost.set)

    async def come(self, path, stream) -> "Reader":
        await asyncio.get_running_loop().create_unix_connection(lambda: self.client, path)
        self.client.send("stream_join", stream_id=str(stream.id))
        await self.joined.wait()
        return self

    def stop_reading(self) -> None:
        self.client.transport.pause_reading()

    def _hear(self, frame: dict) -> None:
        if frame.get("event") == "stream:joined":
            self.viewer = frame["data"]["viewerId"]
            self.joined.set()
        elif frame.get("event") == "test:event":
            self.latencies.append(time.monotonic() - frame["data"]["sent"])


async def events(place, stream, watch, seconds: float, filler: str = FILLER) -> None:
    begin_s = time.monotonic()
    for number in range(int(seconds * EVENTS_PER_S)):
        await asyncio.sleep(max(0.0, begin_s + number / EVENTS_PER_S - time.monotonic()))
        data = {"filler": filler, "sent": time.monotonic()}
        await place.realtime.publish(stream.id, "test:event", msgspec.json.encode(data))
        watch()


def p99(readers: list[Reader]) -> float:
    everything = sorted(took for reader in readers for took in reader.latencies)
    return everything[int(len(everything) * 0.99)]


async def all_heard(readers: list[Reader], count: int) -> None:
    await until(lambda: all(len(reader.latencies) >= count for reader in readers), "all heard it")


async def test_a_client_that_stops_reading_is_closed_and_delays_nobody(tmp_path):
    path = str(tmp_path / "hub.sock")
    async with hub_on_a_unix_socket(path) as place:
        stream = place.streams.add()
        readers = [await Reader().come(path, stream) for _ in range(READERS)]
        count = int(PHASE_S * EVENTS_PER_S)
        await events(place, stream, lambda: None, PHASE_S)
        await all_heard(readers, count)
        without_s = p99(readers)

        stuck = await Reader().come(path, stream)
        connection = next(c for c in place.hub.connections if c.viewer == stuck.viewer)
        stuck.stop_reading()
        for reader in readers:
            reader.latencies.clear()
        backlogs: list[int] = []
        await events(
            place, stream, lambda: backlogs.append(connection._wire.backlog_bytes()), PHASE_S
        )
        await all_heard(readers, count)
        with_s = p99(readers)

        # Its queue filled up to its size and no further, then it was closed and let go.
        assert 0 < max(backlogs) <= LIMITS.backlog_bytes
        assert not connection.is_open
        assert connection._wire._closing is not None
        await until_gone(place, connection)
        assert not stuck.lost.is_set()  # it does not even read that
        stuck.client.transport.resume_reading()
        async with asyncio.timeout(45):
            await stuck.lost.wait()
        assert len(place.hub.connections) == READERS
        print(
            f"\np99 without {without_s * 1e3:.1f} ms, with {with_s * 1e3:.1f} ms; "
            f"backlog at most {max(backlogs)} of {LIMITS.backlog_bytes} bytes"
        )
        assert with_s <= 2 * without_s + NOISE_S
        await let_go(readers)


async def test_a_burst_of_many_times_the_backlog_closes_nobody_who_reads(tmp_path):
    """Said in one turn of the loop, so the room would have it in one write of 2 MB."""
    path = str(tmp_path / "hub.sock")
    async with hub_on_a_unix_socket(path) as place:
        stream = place.streams.add()
        readers = [await Reader().come(path, stream) for _ in range(READERS // 5)]
        data = msgspec.json.encode({"filler": FILLER, "sent": time.monotonic()})
        count = LIMITS.log_events
        for _ in range(count):
            await place.realtime.publish(stream.id, "test:event", data)
        assert count * len(data) > 30 * LIMITS.backlog_bytes
        await all_heard(readers, count)
        assert len(place.hub.connections) == len(readers)
        assert all(connection.dropped == 0 for connection in place.hub.connections)
        await let_go(readers)


@pytest.mark.parametrize("filler", ["x" * 2_000, "x"], ids=["a stuck backlog", "no pong"])
async def test_a_silent_room_finds_a_client_that_stopped_reading_too(tmp_path, filler):
    """Nothing more is said, so its queue never overflows: the time bound closes it, or the pong
    that does not come.
    """
    path = str(tmp_path / "hub.sock")
    async with hub_on_a_unix_socket(path) as place:
        stream = place.streams.add()
        stuck = await Reader().come(path, stream)
        [connection] = place.hub.connections
        stuck.stop_reading()
        wire = connection._wire
        while len(filler) > 1 and wire.backlog_bytes() == 0:
            data = msgspec.json.encode({"filler": filler})
            await place.realtime.publish(stream.id, "test:event", data)
            await asyncio.sleep(0.001)
        begin_s = time.monotonic()
        await until_gone(place, connection)
        took_s = time.monotonic() - begin_s
        # Stalled for its time and closed within the close's own; or ping and half as long again.
        assert took_s < 4 * (LIMITS.heartbeat_s * 1.5)
        if len(filler) > 1:
            assert wire._closing is not None
        assert await place.realtime.viewers(stream.id) == 0
        stuck.client.kill()


async def until_gone(place, connection) -> None:
    async with asyncio.timeout(45):
        while connection in place.hub.connections:
            await asyncio.sleep(0.02)
        while place.service._rooms.all[0].presence.here.get(connection.viewer) is not None:
            await asyncio.sleep(0.02)
        while not place.service._rooms.all[0].presence.is_settled:
            await asyncio.sleep(0.02)


async def let_go(readers: list[Reader]) -> None:
    for reader in readers:
        reader.client.kill()
    async with asyncio.timeout(45):
        for reader in readers:
            await reader.lost.wait()
