"""One suite for everything that calls itself `Realtime`."""

import asyncio
import os
import time
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from controller.domain.room import Allowance
from controller.hub.errors import RealtimeUnavailable
from controller.hub.realtime_failover import FailoverRealtime
from controller.hub.realtime_memory import MemoryRealtime
from controller.hub.realtime_redis import RedisRealtime
from tests.support.waiting import until

LOG_EVENTS = 20
LEASE_S = 0.6


@asynccontextmanager
async def running(realtime):
    background = asyncio.create_task(realtime.run())
    await realtime.ready()
    try:
        yield realtime
        await realtime.close()
    finally:
        background.cancel()
        await asyncio.wait([background])


def on_redis(url: str) -> RedisRealtime:
    return RedisRealtime(url, uuid4().hex, lease_s=LEASE_S, log_events=LOG_EVENTS)


def in_memory() -> MemoryRealtime:
    return MemoryRealtime(time.monotonic, LOG_EVENTS)


@pytest.fixture(params=["memory", "redis", "failover"])
async def realtime(request):
    if request.param == "memory":
        made = in_memory()
    else:
        made = on_redis(request.getfixturevalue("shared_redis").url)
    if request.param == "failover":
        made = FailoverRealtime(made, in_memory())
    async with running(made):
        yield made


class Listener:
    def __init__(self) -> None:
        self.events = []

    def __call__(self, event) -> None:
        self.events.append(event)

    @property
    def data(self) -> list[bytes]:
        return [event.data for event in self.events]

    async def until(self, count: int) -> None:
        await until(lambda: len(self.events) >= count)


async def test_a_listener_hears_every_event_once_and_in_order(realtime):
    room, heard = uuid4(), Listener()
    position = await realtime.open_room(room, heard)
    for number in range(50):
        await realtime.publish(room, "chat:message", b'{"n":%d}' % number)
    await heard.until(50)
    assert heard.data == [b'{"n":%d}' % number for number in range(50)]
    assert [event.position.offset for event in heard.events] == [
        position.offset + 1 + number for number in range(50)
    ]
    assert {event.position.epoch for event in heard.events} == {position.epoch}
    assert {event.name for event in heard.events} == {"chat:message"}


async def test_events_published_at_once_keep_one_order(realtime):
    room, heard = uuid4(), Listener()
    await realtime.open_room(room, heard)
    await asyncio.gather(*(realtime.publish(room, "x", b"%d" % n) for n in range(40)))
    await heard.until(40)
    assert sorted(heard.data) == sorted(b"%d" % n for n in range(40))
    offsets = [event.position.offset for event in heard.events]
    assert offsets == sorted(set(offsets))


async def test_rooms_do_not_hear_of_each_other(realtime):
    heard, other = Listener(), Listener()
    here, there = uuid4(), uuid4()
    await realtime.open_room(here, heard)
    await realtime.open_room(there, other)
    await realtime.publish(here, "x", b"1")
    await realtime.publish(there, "x", b"2")
    await heard.until(1)
    await other.until(1)
    assert (heard.data, other.data) == ([b"1"], [b"2"])


async def test_whoever_opens_a_room_is_given_the_end_of_its_log(realtime):
    room = uuid4()
    for number in range(LOG_EVENTS + 5):
        await realtime.publish(room, "x", b"%d" % number)
    heard = Listener()
    position = await realtime.open_room(room, heard)
    assert heard.data == [b"%d" % number for number in range(5, LOG_EVENTS + 5)]
    assert position == heard.events[-1].position
    await realtime.publish(room, "x", b"next")
    await heard.until(LOG_EVENTS + 1)
    assert heard.data[-1] == b"next"


async def test_a_closed_room_is_silent_and_its_log_goes_on(realtime):
    room, first, second = uuid4(), Listener(), Listener()
    await realtime.open_room(room, first)
    await realtime.close_room(room)
    await realtime.publish(room, "x", b"meanwhile")
    await realtime.open_room(room, second)
    assert (first.data, second.data) == ([], [b"meanwhile"])


async def test_data_may_hold_anything_but_a_line_break(realtime):
    room, heard = uuid4(), Listener()
    await realtime.open_room(room, heard)
    odd = '{"a":"\\n ❤️ \\u0000 %s"}'.encode()
    await realtime.publish(room, "x", odd)
    await heard.until(1)
    assert heard.data == [odd]


async def test_presence_counts_viewers_not_tellings(realtime):
    room = uuid4()
    change = await realtime.change_presence(room, ["a", "b"], [])
    assert (sorted(change.joined), change.left, change.viewers, change.peak) == (
        ["a", "b"],
        (),
        2,
        2,
    )
    change = await realtime.change_presence(room, ["b", "c"], ["a", "nobody"])
    assert (change.joined, change.left, change.viewers, change.peak) == (("c",), ("a",), 2, 2)
    change = await realtime.change_presence(room, [], ["b", "c"])
    assert (sorted(change.left), change.viewers, change.peak) == (["b", "c"], 0, 2)
    assert await realtime.viewers(room) == 0
    assert await realtime.viewers(uuid4()) == 0


async def test_presence_told_as_a_whole_replaces_what_was_told(realtime):
    room = uuid4()
    await realtime.change_presence(room, ["a", "b"], [])
    change = await realtime.change_presence(room, ["b", "c"], [], whole=True)
    assert (change.joined, change.left, change.viewers) == (("c",), ("a",), 2)
    change = await realtime.change_presence(room, [], [], whole=True)
    assert (sorted(change.left), change.viewers) == (["b", "c"], 0)


async def test_a_bucket_gives_its_burst_and_no_more(realtime):
    slow = Allowance(burst=10, per_s=0.001)
    key = uuid4().hex
    taken = await asyncio.gather(*(realtime.take(key, slow) for _ in range(30)))
    assert sum(taken) == 10
    assert await realtime.take(uuid4().hex, slow)


async def test_a_bucket_fills_again(realtime):
    quick = Allowance(burst=1, per_s=50.0)
    key = uuid4().hex
    assert await realtime.take(key, quick)
    async with asyncio.timeout(45):
        while not await realtime.take(key, quick):
            await asyncio.sleep(0.005)


# --- several daemons on one Redis


@pytest.fixture
async def two_daemons(shared_redis):
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(running(on_redis(shared_redis.url))) for _ in range(2)
        ]


async def test_daemons_hear_the_same_events_at_the_same_places(two_daemons):
    one, two = two_daemons
    room, heard_one, heard_two = uuid4(), Listener(), Listener()
    await one.open_room(room, heard_one)
    await two.open_room(room, heard_two)
    await asyncio.gather(
        *(daemon.publish(room, "x", b"%d" % n) for n in range(25) for daemon in (one, two))
    )
    await heard_one.until(50)
    await heard_two.until(50)
    assert heard_one.events == heard_two.events


async def test_a_viewer_of_two_daemons_counts_once(two_daemons):
    one, two = two_daemons
    room = uuid4()
    assert (await one.change_presence(room, ["a"], [])).joined == ("a",)
    assert (await two.change_presence(room, ["a"], [])).joined == ()
    assert (await one.change_presence(room, [], ["a"])).left == ()
    assert (await two.change_presence(room, [], ["a"])).left == ("a",)


async def test_the_peak_is_exact_whoever_counts(two_daemons):
    room = uuid4()
    viewers = [f"v{n}" for n in range(40)]
    changes = await asyncio.gather(
        *(
            two_daemons[number % 2].change_presence(room, [viewer], [])
            for number, viewer in enumerate(viewers)
        )
    )
    assert sorted(change.viewers for change in changes) == [*range(1, 41)]
    assert max(change.peak for change in changes) == 40


async def test_a_dead_daemons_viewers_are_released_once(two_daemons, shared_redis):
    alive, other = two_daemons
    dead = on_redis(shared_redis.url)
    room = uuid4()
    await dead.change_presence(room, ["a", "b"], [])
    await alive.change_presence(room, ["b", "c"], [])
    released = []
    async with asyncio.timeout(45):
        while not released:
            await alive.renew_lease()
            for daemon in (alive, other):
                released += [one for one in await daemon.release_expired() if one.stream_id == room]
            await asyncio.sleep(0.05)
    [gone] = released
    assert (gone.viewers, gone.viewers_now) == (("a",), 2)
    assert await alive.viewers(room) == 2
    await dead.close()


async def test_a_daemon_that_lost_its_lease_is_told_so(two_daemons):
    one, two = two_daemons
    room, lost = uuid4(), []
    one.watch(lambda: lost.append(True))
    await one.change_presence(room, ["a"], [])
    async with asyncio.timeout(45):
        while not await two.release_expired():
            await asyncio.sleep(0.05)
    await one.renew_lease()
    assert lost == [True]


async def test_a_closing_daemon_takes_its_viewers_along(shared_redis):
    room = uuid4()
    async with running(on_redis(shared_redis.url)) as other:
        async with running(on_redis(shared_redis.url)) as closing:
            await closing.change_presence(room, ["a"], [])
        assert await other.viewers(room) == 0


async def test_buckets_are_shared(two_daemons):
    slow, key = Allowance(burst=6, per_s=0.001), uuid4().hex
    taken = await asyncio.gather(
        *(daemon.take(key, slow) for _ in range(10) for daemon in two_daemons)
    )
    assert sum(taken) == 6


# --- Redis lost


@asynccontextmanager
async def failing_over(url: str):
    async with running(FailoverRealtime(on_redis(url), in_memory())) as made:
        yield made


async def test_a_daemon_goes_on_alone_and_comes_back(own_redis):
    room, heard, lost = uuid4(), Listener(), []
    async with failing_over(own_redis.url) as realtime:
        realtime.watch(lambda: lost.append(True))
        assert realtime.is_shared
        await realtime.open_room(room, heard)
        await realtime.publish(room, "x", b"shared")
        await realtime.change_presence(room, ["a"], [])
        await heard.until(1)
        own_redis.kill()
        await realtime.publish(room, "x", b"alone")
        await heard.until(2)
        assert not realtime.is_shared
        assert lost
        assert (await realtime.change_presence(room, ["a", "b"], [], whole=True)).viewers == 2
        assert await realtime.take("k", Allowance(1, 0.1))
        late = Listener()
        await realtime.open_room(uuid4(), late)
        told = len(lost)
        own_redis.start()
        await until(lambda: realtime.is_shared)
        assert len(lost) > told
        await realtime.publish(room, "x", b"again")
        await heard.until(3)
        assert heard.data == [b"shared", b"alone", b"again"]
        assert len({event.position.epoch for event in heard.events}) == 3


async def test_rooms_that_are_opened_while_redis_comes_and_goes_cost_nobody_the_daemon(own_redis):
    """The connection that listens is lost at any moment, also between a wish and its sending."""
    losses = int(os.environ.get("GOLIVE_TEST_REDIS_LOSSES", "3"))
    async with failing_over(own_redis.url) as realtime:
        for _ in range(losses):
            opening = [
                asyncio.create_task(realtime.open_room(uuid4(), Listener())) for _ in range(20)
            ]
            own_redis.kill()
            await asyncio.gather(*opening)
            await until(lambda: not realtime.is_shared)
            late, room = Listener(), uuid4()
            await realtime.open_room(room, late)
            own_redis.start()
            await until(lambda: realtime.is_shared)
            await realtime.publish(room, "x", b"again")
            await late.until(1)


async def test_two_daemons_find_each_other_again(own_redis):
    room, heard = uuid4(), Listener()
    async with failing_over(own_redis.url) as one, failing_over(own_redis.url) as two:
        await one.open_room(room, heard)
        own_redis.kill()
        await until(lambda: not one.is_shared and not two.is_shared)
        own_redis.start()
        await until(lambda: one.is_shared and two.is_shared)
        await two.publish(room, "x", b"from the other")
        await heard.until(1)
        assert heard.data == [b"from the other"]


async def test_a_daemon_starts_without_redis(own_redis):
    own_redis.kill()
    heard, room = Listener(), uuid4()
    async with failing_over(own_redis.url) as realtime:
        await realtime.open_room(room, heard)
        await realtime.publish(room, "x", b"alone")
        assert heard.data == [b"alone"]
        own_redis.start()
        await until(lambda: realtime.is_shared)
        await realtime.publish(room, "x", b"shared")
        await heard.until(2)


async def test_a_log_that_went_on_meanwhile_is_caught_up_with(own_redis):
    """The listening connection is cut; the log, and the other daemon, go on."""
    room, heard = uuid4(), Listener()
    async with running(on_redis(own_redis.url)) as one, running(on_redis(own_redis.url)) as two:
        await one.open_room(room, heard)
        await one.publish(room, "x", b"0")
        await heard.until(1)
        await two._redis.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        for number in range(1, 10):
            await two.publish(room, "x", b"%d" % number)
        await heard.until(10)
        assert heard.data == [b"%d" % number for number in range(10)]


async def test_a_daemon_that_closes_leaves_no_connection_behind(own_redis):
    realtime, room = on_redis(own_redis.url), uuid4()
    async with running(realtime):
        asked = [asyncio.create_task(realtime.publish(room, "x", b"1")) for _ in range(20)]
        await asyncio.sleep(0)
    await asyncio.gather(*asked, return_exceptions=True)
    with pytest.raises(RealtimeUnavailable):
        await realtime.publish(room, "x", b"too late")
    async with Redis.from_url(own_redis.url) as client, asyncio.timeout(45):
        while len(await client.client_list()) > 1:
            await asyncio.sleep(0.01)
