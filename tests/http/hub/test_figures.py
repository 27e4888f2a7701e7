"""What happens in a room is what the API tells about its stream: over the real stores."""

import asyncio
from uuid import uuid4

import pytest
from sqlalchemy import insert

from controller.domain.paging import PageRequest
from controller.domain.states import EndReason, IngestState, StreamStatus
from controller.domain.streams import Audience
from controller.hub.limits import HubLimits
from controller.hub.realtime_memory import MemoryRealtime
from controller.hub.service import RoomCollaborators, RoomService
from controller.hub.viewing_sessions import ViewingSessions
from controller.stores.migration import migrate
from controller.stores.opening import open_stores
from controller.stores.quality import SqlQuality
from controller.stores.room import SqlRooms
from controller.stores.schema import streams
from tests.http.hub.running_hub import WallTime
from tests.support.waiting import until
from tests.unit.controller.hub.doubles import AlwaysReady, RecordingWire, a_user


@pytest.fixture
async def stores(tmp_path):
    url = f"sqlite:///{tmp_path}/golive.db"
    await migrate(url)
    opened = open_stores(url, WallTime())
    yield opened
    await opened.database.close()


async def a_live_stream(stores, host):
    await stores.users.ensure(host)
    now, stream_id = WallTime().now(), uuid4()
    async with stores.database.write() as connection:
        await connection.execute(
            insert(streams).values(
                id=stream_id, owner_id=host.user_id, title="t", category="c",
                status=StreamStatus.LIVE, ingest_state=IngestState.CONNECTED,
                ingest_state_since=now, stream_type="live", audience=Audience.EVERYONE,
                estimated_duration_min=30, notify_followers=True, notify_neighborhood=False,
                enable_chat=True, enable_comments=True, record_stream=True,
                created_at=now, updated_at=now, started_at=now,
            )
        )  # fmt: skip
    return await stores.streams.get(stream_id)


async def test_the_streams_counters_are_those_of_its_room(stores):
    time, limits = WallTime(), HubLimits(tick_s=0.05)
    given = RoomCollaborators(
        stores.streams,
        stores.users,
        SqlRooms(stores.database, time),
        AlwaysReady(),
        time,
        ViewingSessions(b"v" * 32),
        SqlQuality(stores.database),
    )
    realtime = MemoryRealtime(time.monotonic_s, limits.log_events)
    service = RoomService(given, realtime, limits, time)
    background = asyncio.create_task(service.run())
    host, ann = a_user("host"), a_user("ann")
    stream = await a_live_stream(stores, host)
    await stores.users.ensure(ann)
    data = {"stream_id": str(stream.id)}
    hub = service.hub
    tabs = [hub.connect(RecordingWire(), ann, str(ann.user_id)) for _ in range(2)]
    guest = hub.connect(RecordingWire(), None, "anon-1")
    for connection in (*tabs, guest):
        await hub.handle(connection, "stream_join", data)
    await hub.handle(tabs[0], "stream_chat", {**data, "message": "hello"})
    await hub.handle(tabs[0], "stream_reaction", {**data, "emoji": "❤️"})
    hub.disconnect(guest)

    async def counters():
        return (await stores.streams.get(stream.id)).counters

    async def written():
        now = await counters()
        return now.viewers_now == 1 and now.chat_messages == 1

    await until(written, "the figures were written")
    found = await counters()
    assert (found.peak_viewers, found.unique_viewers, found.total_views) == (2, 2, 2)
    assert found.total_likes == 1
    await hub.settle(stream.id)
    await service.announcer.ended(await stores.streams.end(stream.id, EndReason.HOST))
    assert (await counters()).average_watch_time_s > 0
    _, total = await stores.engagement.viewers(stream.id, PageRequest(10, None))
    assert total == 1
    assert (await stores.engagement.figures(stream.id)).reactions == {"❤️": 1}
    for connection in tabs:
        hub.disconnect(connection)
    await service.close()
    background.cancel()
    await asyncio.wait([background])
    assert (await counters()).viewers_now == 0
