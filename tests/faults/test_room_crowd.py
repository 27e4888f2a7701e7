"""A crowd on two daemons and one Redis, one daemon killed in the middle: all counts are exact.

`GOLIVE_TEST_CROWD_S=180 GOLIVE_TEST_CROWD_TABS=2000` for the whole of it.
"""

import asyncio
import os
import resource
import time

import aiohttp
import pytest

from tests.contract.room.redis_server import shared_redis  # noqa: F401 - a fixture
from tests.support.databases import DatabaseFactory, postgres_server
from tests.support.room_crowd import Crowd
from tests.support.room_daemons import StreamApi, room_daemons
from tests.support.tokens import person
from tests.support.waiting import until

MIX_S = float(os.environ.get("GOLIVE_TEST_CROWD_S", "15"))
TABS = int(os.environ.get("GOLIVE_TEST_CROWD_TABS", "200"))
SEED = int(os.environ.get("GOLIVE_TEST_CROWD_SEED", "1"))
ACTIONS_PER_S = min(150.0, TABS / 5)
DOWN_S = 5.0
LEASE_S = 6.0
"""How long a killed daemon's viewers stay counted, at most; a third more until it is noticed."""

LAG_S = LEASE_S * 4 / 3 + 2
MUCH = 1.25


@pytest.fixture
async def database(request, tmp_path):
    factory = DatabaseFactory("postgresql", tmp_path, postgres_server(request.config))
    url = await factory.fresh()
    yield url
    await factory.dispose(url)


@pytest.fixture(autouse=True)
def many_files():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def viewers_are(api: StreamApi, stream: str, viewers: int, what: str) -> None:
    async def they_are() -> bool:
        return await api.viewers(stream) == viewers

    await until(they_are, f"{viewers} viewers {what}, not {await api.viewers(stream)}")


async def warmed_up(api: StreamApi, daemons) -> int:
    """The memory that the first daemon has once as many were there as will be, and have gone.

    All of them on this one, as when the other will be dead.
    """
    stream = await api.live_stream()
    crowd = Crowd(stream, [daemons[0].port], TABS, SEED)
    await crowd.fill()
    await crowd.mix(3.0, ACTIONS_PER_S)
    await crowd.settle()
    await crowd.shrink(0)
    await viewers_are(api, stream, 0, "after the warm-up")
    await api.end(stream)
    return daemons[0].memory_bytes()


@pytest.mark.timeout(int(MIX_S * 2 + 400))
async def test_a_crowd_is_counted_and_served_exactly_though_a_daemon_dies(
    database,
    shared_redis,  # noqa: F811
    tmp_path,
):
    host = person("seller", "host")
    with room_daemons(tmp_path, 2, database, shared_redis.url) as daemons:
        for daemon in daemons:
            await daemon.ready()
        async with aiohttp.ClientSession() as session:
            api = StreamApi(session, daemons[0].url, host)
            before_bytes = await warmed_up(api, daemons)
            stream = await api.live_stream()
            crowd = Crowd(stream, [one.port for one in daemons], TABS, SEED)
            books = crowd.books
            await crowd.fill()
            full = crowd.viewers
            await viewers_are(api, stream, full, "once all are there")

            await crowd.mix(MIX_S / 2, ACTIONS_PER_S)
            killed_s = time.monotonic()
            crowd.dead.add(1)
            daemons[1].kill()
            crowd.start(come_again(crowd, daemons[1]))
            await crowd.mix(MIX_S / 2, ACTIONS_PER_S)
            await asyncio.wait_for(crowd.settle(), 90)

            await last_word(crowd)
            await viewers_are(api, stream, crowd.viewers, "after the mix")
            await crowd.shrink(TABS // 3)
            await viewers_are(api, stream, crowd.viewers, "when most have gone")
            crowd.audit()
            await crowd.shrink(0)
            await viewers_are(api, stream, 0, "when all have gone")
            after_bytes = daemons[0].memory_bytes()
            stats = await api.end(stream)
        logged = [one.text for one in daemons]
    most = books.most_at_once(LAG_S)
    report(books, crowd, stats, full, most, before_bytes, after_bytes)
    assert not books.faults
    assert len(books.epochs) == 1
    assert books.recoveries > 0
    assert full <= stats["peakViewers"] <= most
    assert stats["uniqueViewers"] == len(books.joined)
    assert stats["chatMessages"] == len(set(books.log.values())) == len(books.log) > 0
    # What a daemon took in its last second is lost with it, and nothing else.
    certain = sum(n != 1 or not killed_s - 2.5 < at < killed_s for at, n in books.reactions_taken)
    assert certain <= stats["totalLikes"] <= books.reactions_sent.total()
    assert set(books.refused) <= {"rate_limited"}
    assert after_bytes < before_bytes * MUCH
    assert not any("Traceback" in text for text in logged), logged


async def come_again(crowd: Crowd, daemon) -> None:
    await asyncio.sleep(DOWN_S)
    daemon.start()
    await daemon.ready()
    crowd.dead.discard(1)


async def last_word(crowd: Crowd) -> None:
    """A message after all others; whoever has heard it has been sent everything before it."""
    known = len(crowd.books.log)
    speakers = [tab for tab in crowd.tabs if tab.who.token]
    for speaker in speakers:
        answer = await speaker.call("stream_chat", message="the end")
        if "ack" in answer:
            break
    async with asyncio.timeout(60):
        while len(crowd.books.log) == known:
            await asyncio.sleep(0.02)
        await crowd.until_all_heard(max(crowd.books.log))


def report(books, crowd, stats, full, most, before_bytes, after_bytes) -> None:
    tabs = len(crowd.past) + len(crowd.tabs)
    print(
        f"\n{TABS} connections, {MIX_S:.0f} s: {tabs} tabs of {len(books.joined)} viewers, "
        f"{books.recoveries} recoveries, {len(books.log)} messages, "
        f"{sum(len(tab.heard) for tab in crowd.past)} deliveries of them; "
        f"{len(books.reactions_taken)} reactions acknowledged, {stats['totalLikes']} counted; "
        f"full {full}, peak {stats['peakViewers']}, at most {most} true; refused "
        f"{dict(books.refused)}; memory {before_bytes / 2**20:.1f} → {after_bytes / 2**20:.1f} MiB"
    )
