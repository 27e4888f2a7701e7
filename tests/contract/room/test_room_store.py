"""What of a room outlives it, on both databases."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import insert, inspect, select

from controller.domain.paging import PageRequest
from controller.domain.people import Identity, Role
from controller.domain.room import (
    ChatMessage,
    Leaving,
    Moderation,
    ModerationKind,
    RoomFigures,
    Visit,
)
from controller.domain.states import IngestState, StreamStatus
from controller.domain.streams import Audience
from controller.errors import StreamNotFound
from controller.stores import room_schema
from controller.stores.opening import open_stores
from controller.stores.room import SqlRooms
from controller.stores.room_schema import room_visits
from controller.stores.schema import metadata, stream_viewers, streams

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class Clock:
    def now(self) -> datetime:
        return NOW


@pytest.fixture
async def stores(database_url):
    opened = open_stores(database_url, Clock())
    yield opened
    await opened.database.close()


@pytest.fixture
def rooms(stores) -> SqlRooms:
    return SqlRooms(stores.database, Clock())


@pytest.fixture
async def users(stores) -> list[UUID]:
    people = [Identity(uuid4(), f"user{n}", Role.BOTH) for n in range(3)]
    for one in people:
        await stores.users.ensure(one)
    return [one.user_id for one in people]


@pytest.fixture
async def stream_id(stores, users) -> UUID:
    made = uuid4()
    async with stores.database.write() as connection:
        await connection.execute(
            insert(streams).values(
                id=made,
                owner_id=users[0],
                title="t",
                category="c",
                status=StreamStatus.LIVE,
                ingest_state=IngestState.CONNECTED,
                ingest_state_since=NOW,
                stream_type="live",
                audience=Audience.EVERYONE,
                estimated_duration_min=30,
                notify_followers=True,
                notify_neighborhood=False,
                enable_chat=True,
                enable_comments=True,
                record_stream=True,
                created_at=NOW,
                updated_at=NOW,
                started_at=NOW,
            )
        )
    return made


def a_message(stream_id: UUID, number: int = 0, **fields) -> ChatMessage:
    return ChatMessage(
        id=uuid4(),
        stream_id=stream_id,
        user_id=uuid4(),
        username="ann",
        avatar_url=None,
        text=f"message {number} ❤️",
        sent_at=NOW + timedelta(seconds=number),
        stream_time_s=float(number),
        **fields,
    )


def an_act(stream_id: UUID, kind: ModerationKind, **fields) -> Moderation:
    return Moderation(uuid4(), stream_id, uuid4(), kind, NOW, **fields)


async def test_figures_add_up(stores, rooms, stream_id, users):
    visits = (Visit(str(users[1]), users[1], NOW, 1, "DE"), Visit("anon-1", None, NOW, 2))
    message, held = a_message(stream_id), a_message(stream_id, 1, is_held=True)
    await rooms.record(
        stream_id, RoomFigures(2, 5, visits, (), {"❤️": 3, "🔥": 1}, (message, held), "one", 1)
    )
    later = NOW + timedelta(seconds=20)
    await rooms.record(
        stream_id,
        RoomFigures(
            viewers_now=1,
            peak_viewers=3,
            visits=(Visit("anon-1", None, later, 1, "FR"), Visit("anon-2", None, later, 2, "FR")),
            leavings=(Leaving(str(users[1]), users[1], NOW, later, 1),),
            reactions={"❤️": 2},
            messages=(message,),  # once more, after an answer that was lost
            holder="other",
            number=1,
        ),
    )
    counters = (await stores.streams.get(stream_id)).counters
    assert (counters.viewers_now, counters.peak_viewers) == (1, 5)
    assert (counters.total_views, counters.unique_viewers) == (4, 3)
    assert (counters.total_likes, counters.chat_messages) == (6, 1)
    figures = await stores.engagement.figures(stream_id)
    assert figures.reactions == {"❤️": 5, "🔥": 1}
    assert figures.geography == {"DE": 1, "FR": 1}
    page, total = await stores.engagement.viewers(stream_id, PageRequest(10, None))
    assert (total, [one.user_id for one in page.items]) == (1, [users[1]])


async def test_what_is_told_twice_is_added_once(stores, rooms, stream_id):
    told = RoomFigures(
        1, 1, (Visit("anon-1", None, NOW, 1),), reactions={"🔥": 2}, holder="one", number=7
    )
    await rooms.record(stream_id, told)
    for again in (told, replace(told, number=6)):
        await rooms.record(stream_id, again)
    await asyncio.gather(*(rooms.record(stream_id, replace(told, number=8)) for _ in range(4)))
    counters = (await stores.streams.get(stream_id)).counters
    assert (counters.total_likes, counters.total_views, counters.unique_viewers) == (4, 2, 1)
    await rooms.record(stream_id, replace(told, holder="other"))
    assert (await stores.streams.get(stream_id)).counters.total_likes == 6


async def test_a_viewer_who_is_not_in_the_directory_spoils_nothing(stores, rooms, stream_id):
    stranger = uuid4()
    await rooms.record(stream_id, RoomFigures(1, 1, (Visit(str(stranger), stranger, NOW),)))
    assert (await stores.streams.get(stream_id)).counters.unique_viewers == 1


async def test_writers_at_once_lose_nothing(stores, rooms, stream_id):
    await asyncio.gather(
        *(
            rooms.record(
                stream_id,
                RoomFigures(n, n, (Visit(f"anon-{n % 7}", None, NOW),), reactions={"🔥": 1}),
            )
            for n in range(20)
        )
    )
    counters = (await stores.streams.get(stream_id)).counters
    assert (counters.peak_viewers, counters.unique_viewers) == (19, 7)
    assert (counters.total_views, counters.total_likes) == (20, 20)


async def test_many_records_fit_in_one_write(stores, rooms, stream_id):
    visits = tuple(Visit(f"anon-{n}", None, NOW) for n in range(1_200))
    messages = tuple(a_message(stream_id, n) for n in range(1_100))
    await rooms.record(stream_id, RoomFigures(1_200, 1_200, visits, messages=messages))
    counters = (await stores.streams.get(stream_id)).counters
    assert (counters.unique_viewers, counters.chat_messages) == (1_200, 1_100)


async def test_a_room_starts_from_its_last_messages(rooms, stream_id):
    messages = [a_message(stream_id, n) for n in range(105)]
    held = a_message(stream_id, 200, is_held=True)
    await rooms.record(stream_id, RoomFigures(0, 0, messages=(*messages, held)))
    await rooms.moderate(an_act(stream_id, ModerationKind.DELETE, message_id=messages[-1].id))
    kept = await rooms.load(stream_id)
    assert kept.history == tuple(messages[4:104])
    assert kept.held == (held,)


async def test_rules_are_kept_and_audited(stores, rooms, stream_id, users):
    message, held = a_message(stream_id), a_message(stream_id, 1, is_held=True)
    await rooms.record(stream_id, RoomFigures(0, 0, messages=(message, held)))
    until = NOW + timedelta(seconds=60)
    kinds = ModerationKind
    acts = [
        an_act(stream_id, kinds.SLOW_MODE, interval_s=5),
        an_act(stream_id, kinds.PIN, message_id=message.id),
        an_act(stream_id, kinds.BLOCK_WORDS, words=("spam", "scam")),
        an_act(stream_id, kinds.APPOINT, user_id=users[1], viewer=str(users[1])),
        an_act(stream_id, kinds.BAN, viewer="anon-1", reason="rude"),
        an_act(stream_id, kinds.TIMEOUT, viewer=str(users[2]), user_id=users[2], until=until),
        an_act(stream_id, kinds.APPROVE, message_id=held.id),
    ]
    acts = [replace(act, at=NOW + timedelta(seconds=n)) for n, act in enumerate(acts)]
    for act in acts:
        await rooms.moderate(act)
    kept = await rooms.load(stream_id)
    assert kept.rules.slow_mode_s == 5
    assert kept.rules.pinned_message == message
    assert kept.rules.blocked_words == ("spam", "scam")
    assert kept.rules.moderators == {users[1]}
    assert kept.rules.sanctions == {"anon-1": None, str(users[2]): until}
    assert [one.id for one in kept.history] == [message.id, held.id]
    assert (await stores.streams.get(stream_id)).counters.chat_messages == 2
    for act in (
        an_act(stream_id, kinds.UNBAN, viewer="anon-1"),
        an_act(stream_id, kinds.DISMISS, user_id=users[1]),
        an_act(stream_id, kinds.UNPIN),
    ):
        acts.append(replace(act, at=NOW + timedelta(seconds=len(acts))))
        await rooms.moderate(acts[-1])
    rules = (await rooms.load(stream_id)).rules
    assert rules.pinned_message is None
    assert rules.moderators == frozenset()
    assert rules.sanctions == {str(users[2]): until}
    assert await rooms.moderation_log(stream_id) == acts


async def test_present_viewers_can_be_set_right(stores, rooms, stream_id):
    assert await rooms.streams_with_viewers() == []
    await rooms.set_viewers_now(stream_id, 7)
    assert await rooms.streams_with_viewers() == [stream_id]


async def test_who_went_with_a_dead_daemon_has_left(stores, rooms, stream_id, users):
    viewer = str(users[1])
    visits = (Visit(viewer, users[1], NOW), Visit("anon-1", None, NOW), Visit("anon-2", None, NOW))
    await rooms.record(stream_id, RoomFigures(3, 3, visits))
    await rooms.set_viewers_now(stream_id, 1, [viewer, "anon-1", "anon-unknown"])
    assert (await stores.streams.get(stream_id)).counters.viewers_now == 1
    async with stores.database.read() as connection:
        gone = select(room_visits.c.viewer).where(room_visits.c.last_left_at.is_not(None))
        assert set((await connection.execute(gone)).scalars()) == {viewer, "anon-1"}
        rows = await connection.execute(select(stream_viewers.c.left_at))
        assert [at is not None for at in rows.scalars()] == [True]


async def test_a_stream_that_is_gone_is_said_to_be(rooms):
    with pytest.raises(StreamNotFound):
        await rooms.record(uuid4(), RoomFigures(0, 0))


async def test_the_migration_makes_the_tables_as_the_code_knows_them(stores):
    tables = [
        name
        for name, value in vars(room_schema).items()
        if name in metadata.tables and value is not None
    ]
    assert len(tables) == 6

    def found(connection, table):
        return {column["name"] for column in inspect(connection).get_columns(table)}

    async with stores.database.read() as connection:
        for table in tables:
            columns = await connection.run_sync(found, table)
            assert columns == {column.name for column in metadata.tables[table].columns}
            await connection.execute(select(metadata.tables[table]))
