"""One room on two daemons that share a Redis, and what is left when one of them dies."""

import asyncio
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest
from aiohttp import WSMessageTypeError

from controller.errors import StreamNotFound
from controller.hub.errors import RealtimeUnavailable
from controller.hub.limits import HubLimits
from controller.hub.realtime_failover import FailoverRealtime
from controller.hub.realtime_memory import MemoryRealtime
from controller.hub.realtime_redis import RedisRealtime
from tests.contract.room.redis_server import own_redis, shared_redis  # noqa: F401 - fixtures
from tests.http.hub.running_hub import RunningHub, Socket, WallTime, run_hub
from tests.support.waiting import until
from tests.unit.controller.hub.doubles import a_user

LIMITS = HubLimits(lease_s=0.6, tick_s=0.05)


@asynccontextmanager
async def daemon(url: str):
    shared = RedisRealtime(url, uuid4().hex, lease_s=LIMITS.lease_s, log_events=LIMITS.log_events)
    twin = MemoryRealtime(WallTime().monotonic_s, LIMITS.log_events)
    async with run_hub(LIMITS, FailoverRealtime(shared, twin)) as running:
        yield running


@pytest.fixture
async def pair(shared_redis):  # noqa: F811
    async with daemon(shared_redis.url) as one, daemon(shared_redis.url) as two:
        two.place.streams.by_id = one.place.streams.by_id
        two.tokens.users = one.tokens.users
        yield one, two


class Fan:
    """A viewer who notes messages, and comes back where it was."""

    def __init__(self, hub: RunningHub, stream, user) -> None:
        self.hub, self.stream, self.user = hub, stream, user
        self.heard: list[str] = []
        self.position: dict = {}
        self._task: asyncio.Task | None = None

    async def come(self) -> None:
        token = self.hub.tokens.add(self.user)
        self.raw = await self.hub.client.ws_connect("/api/v1/ws", params={"token": token})
        joined = await Socket(self.raw).join(self.stream, **self.position)
        if not joined["recovered"]:
            known = set(self.heard)
            self.heard += [
                one["message"] for one in joined["history"] if one["message"] not in known
            ]
        self.position = {"offset": joined["offset"], "epoch": joined["epoch"]}
        self._task = asyncio.create_task(self._listen(Socket(self.raw)))

    async def _listen(self, socket: Socket) -> None:
        while True:
            try:
                frame = await socket.next()
            except WSMessageTypeError:  # the daemon is gone
                return
            if "offset" in frame:
                self.position = {"offset": frame["offset"], "epoch": frame["epoch"]}
            if frame.get("event") == "chat:message":
                self.heard.append(frame["data"]["message"])

    async def go(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])
        await self.raw.close()


async def kill(hub: RunningHub) -> None:
    """As a crash looks from outside: sockets gone, nothing more said to Redis."""

    async def unavailable(*_args, **_kwargs):
        raise RealtimeUnavailable

    shared = hub.place.realtime._shared
    shared.change_presence = shared.renew_lease = shared.release_expired = unavailable
    hub.place.realtime._is_shared = False
    shared.probe = unavailable
    for connection in hub.place.hub.connections:
        connection._wire._transport.abort()


async def test_a_dead_daemons_viewers_come_back_and_nothing_is_lost_or_doubled(pair):
    one, two = pair
    stream = one.place.streams.add()
    users = [a_user(f"fan{n}") for n in range(12)]
    fans = [Fan(pair[n % 2], stream, user) for n, user in enumerate(users)]
    # A second tab on the other daemon does not count again.
    tab = Fan(two, stream, users[0])
    for fan in [*fans, tab]:
        await fan.come()
    speakers = [one.place.hub.connections[0]]
    said: list[str] = []

    async def say(text: str) -> None:
        said.append(text)
        data = {"stream_id": str(stream.id), "message": text}
        await one.place.hub.handle(speakers[0], "stream_chat", data)

    async def viewers() -> int:
        return await one.place.realtime.viewers(stream.id)

    assert await viewers() == 12
    for number in range(3):
        await say(f"before {number}")

    async def all_heard() -> bool:
        return all(len(fan.heard) == len(said) for fan in fans)

    await until(all_heard)
    await kill(two)
    for number in range(3):
        await say(f"meanwhile {number}")

    async def only_the_living_count() -> bool:
        return await viewers() == 6

    await until(only_the_living_count)
    orphans = [fan for fan in fans if fan.hub is two]
    for fan in orphans:
        fan.hub = one
        await fan.come()
    await say("after")
    await until(all_heard)
    assert all(fan.heard == said for fan in fans)
    assert await viewers() == 12
    for fan in fans[:4]:
        await fan.go()

    async def counted() -> bool:
        return await viewers() == one.place.store.viewers_now.get(stream.id) == 8

    await until(counted)
    assert max(figures.peak_viewers for figures in one.place.store.figures) == 12
    for fan in [*fans[4:], tab]:
        await fan.go()


async def test_a_room_goes_on_while_redis_is_away(own_redis):  # noqa: F811
    async with daemon(own_redis.url) as one, daemon(own_redis.url) as two:
        two.place.streams.by_id = one.place.streams.by_id
        stream = one.place.streams.add()
        ann, bob = a_user("ann"), a_user("bob")
        async with (
            one.socket(token=one.tokens.add(ann)) as a,
            two.socket(token=two.tokens.add(bob)) as b,
        ):
            await a.join(stream)
            assert (await b.join(stream))["viewerCount"] == 2
            own_redis.kill()
            async with asyncio.timeout(45):
                said = await a.call("stream_chat", stream_id=str(stream.id), message="alone")
            assert "ack" in said
            async with one.socket() as guest:
                joined = await guest.join(stream)
                assert [one["message"] for one in joined["history"]] == ["alone"]
            own_redis.start()

            async def together() -> bool:
                realtimes = [hub.place.realtime for hub in (one, two)]
                return (
                    all(realtime.is_shared for realtime in realtimes)
                    and await realtimes[0].viewers(stream.id) == 2
                )

            await until(together)
            await b.call("stream_chat", stream_id=str(stream.id), message="together")
            while (await a.wait("chat:message"))["data"]["message"] != "together":
                pass


async def test_an_unknown_stream_is_unknown_on_redis_too(pair):
    async with pair[0].socket() as socket:
        answer = await socket.call("stream_join", stream_id=str(uuid4()))
        assert answer["data"]["message"] == StreamNotFound.default_detail
