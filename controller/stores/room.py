"""What of a room outlives it: figures, messages, rules and the moderators' log."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, case, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from controller.domain.ports import Clock
from controller.domain.room import (
    HISTORY_MESSAGES,
    ChatMessage,
    KeptRoom,
    Moderation,
    PinnedProduct,
    RoomFigures,
    RoomRules,
)
from controller.stores.database import Database
from controller.stores.room_moderation import carry_out
from controller.stores.room_schema import (
    chat_messages,
    room_moderations,
    room_moderators,
    room_rules,
    room_sanctions,
    room_visits,
)
from controller.stores.schema import (
    product_tags,
    stream_reactions,
    stream_viewer_samples,
    stream_viewers,
    streams,
    users,
)
from controller.stores.statements import insert_into, lock_stream

_ROWS_AT_ONCE = 500
_MOST_HELD = 200


class SqlRooms:
    """The `RoomStore` over either database."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def load(self, stream_id: UUID) -> KeptRoom:
        """See `RoomStore.load`."""
        last = (
            select(chat_messages)
            .where(chat_messages.c.stream_id == stream_id, chat_messages.c.deleted_at.is_(None))
            .order_by(chat_messages.c.sent_at.desc(), chat_messages.c.id.desc())
        )
        said = last.where(chat_messages.c.is_held.is_(False)).limit(HISTORY_MESSAGES)
        held = last.where(chat_messages.c.is_held.is_(True)).limit(_MOST_HELD)
        async with self._database.read() as connection:
            return KeptRoom(
                history=_oldest_first((await connection.execute(said)).all()),
                held=_oldest_first((await connection.execute(held)).all()),
                rules=await _rules(connection, stream_id),
                pinned_product=await _pinned_product(connection, stream_id),
            )

    async def record(self, stream_id: UUID, figures: RoomFigures) -> None:
        """See `RoomStore.record`; StreamNotFound."""
        async with self._database.write() as connection:
            row = await lock_stream(connection, stream_id)
            fresh = await _add_visits(connection, stream_id, figures)
            said = await _add_messages(connection, figures)
            await _add_leavings(connection, stream_id, figures)
            await _add_reactions(connection, stream_id, figures)
            await _add_sample(connection, stream_id, figures)
            watched_s = await _add_watch_time(connection, stream_id, figures.watched_s)
            unique = row.unique_viewers + fresh
            peak = streams.c.peak_viewers
            await connection.execute(
                update(streams)
                .where(streams.c.id == stream_id)
                .values(
                    viewers_now=figures.viewers_now,
                    total_views=streams.c.total_views + len(figures.visits),
                    peak_viewers=case(
                        (peak < figures.peak_viewers, figures.peak_viewers), else_=peak
                    ),
                    unique_viewers=unique,
                    total_likes=streams.c.total_likes + sum(figures.reactions.values()),
                    chat_messages=streams.c.chat_messages + said,
                    average_watch_time_s=watched_s / unique if unique else 0.0,
                )
            )

    async def moderate(self, moderation: Moderation) -> None:
        """See `RoomStore.moderate`; StreamNotFound."""
        async with self._database.write() as connection:
            await lock_stream(connection, moderation.stream_id)
            await carry_out(connection, moderation)
            values = {
                column.name: getattr(moderation, column.name)
                for column in room_moderations.columns
                if column.name != "words"
            }
            await connection.execute(
                insert(room_moderations).values(**values, words=[*moderation.words])
            )

    async def moderation_log(self, stream_id: UUID) -> Sequence[Moderation]:
        """See `RoomStore.moderation_log`."""
        query = (
            select(room_moderations)
            .where(room_moderations.c.stream_id == stream_id)
            .order_by(room_moderations.c.at, room_moderations.c.id)
        )
        async with self._database.read() as connection:
            return [
                Moderation(**{**row._mapping, "words": tuple(row.words)})  # noqa: SLF001
                for row in await connection.execute(query)
            ]

    async def streams_with_viewers(self) -> Sequence[UUID]:
        """See `RoomStore.streams_with_viewers`."""
        query = select(streams.c.id).where(streams.c.viewers_now > 0)
        async with self._database.read() as connection:
            return (await connection.execute(query)).scalars().all()

    async def set_viewers_now(self, stream_id: UUID, viewers: int) -> None:
        """See `RoomStore.set_viewers_now`."""
        async with self._database.write() as connection:
            await connection.execute(
                update(streams).where(streams.c.id == stream_id).values(viewers_now=viewers)
            )


def _oldest_first(rows: Sequence[Row[Any]]) -> tuple[ChatMessage, ...]:
    return tuple(_message_from(row) for row in reversed(rows))


def _message_from(row: Row[Any]) -> ChatMessage:
    return ChatMessage(
        id=row.id,
        stream_id=row.stream_id,
        user_id=row.user_id,
        username=row.username,
        avatar_url=row.avatar_url,
        text=row.text,
        sent_at=row.sent_at,
        stream_time_s=row.stream_time_s,
        is_held=row.is_held,
    )


async def _rules(connection: AsyncConnection, stream_id: UUID) -> RoomRules:
    found = select(room_rules).where(room_rules.c.stream_id == stream_id)
    row = (await connection.execute(found)).one_or_none()
    moderators = select(room_moderators.c.user_id).where(room_moderators.c.stream_id == stream_id)
    sanctions = select(room_sanctions.c.viewer, room_sanctions.c.until).where(
        room_sanctions.c.stream_id == stream_id
    )
    pinned = None
    if row is not None and row.pinned_message_id is not None:
        message = select(chat_messages).where(
            chat_messages.c.id == row.pinned_message_id, chat_messages.c.deleted_at.is_(None)
        )
        pinned_row = (await connection.execute(message)).one_or_none()
        pinned = None if pinned_row is None else _message_from(pinned_row)
    return RoomRules(
        slow_mode_s=0 if row is None else row.slow_mode_s,
        pinned_message=pinned,
        blocked_words=() if row is None else tuple(row.blocked_words),
        moderators=frozenset((await connection.execute(moderators)).scalars()),
        sanctions={one.viewer: one.until for one in await connection.execute(sanctions)},
    )


async def _pinned_product(connection: AsyncConnection, stream_id: UUID) -> PinnedProduct | None:
    query = (
        select(product_tags)
        .where(product_tags.c.stream_id == stream_id)
        .order_by(product_tags.c.created_at.desc(), product_tags.c.id.desc())
        .limit(1)
    )
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else PinnedProduct(row.product_id, row.x, row.y, row.timestamp_s)


async def _add_visits(connection: AsyncConnection, stream_id: UUID, figures: RoomFigures) -> int:
    """How many of the visitors are here for the first time."""
    first = {visit.viewer: visit for visit in reversed(figures.visits)}
    fresh = 0
    for some in _chunks([*first.values()]):
        statement = insert_into(connection, room_visits).values(
            [
                {
                    "stream_id": stream_id,
                    "viewer": visit.viewer,
                    "first_joined_at": visit.joined_at,
                    "watched_s": 0.0,
                }
                for visit in some
            ]
        )
        inserted = await connection.execute(
            statement.on_conflict_do_nothing().returning(room_visits.c.viewer)
        )
        fresh += len(inserted.all())
    wanted = {visit.user_id: visit for visit in figures.visits if visit.user_id is not None}
    for ids in _chunks([*wanted]):
        known = await connection.execute(select(users.c.id).where(users.c.id.in_(ids)))
        rows = [
            {"stream_id": stream_id, "user_id": user_id, "joined_at": wanted[user_id].joined_at}
            for user_id in known.scalars()
        ]
        if rows:
            upsert = insert_into(connection, stream_viewers).values(rows)
            await connection.execute(
                upsert.on_conflict_do_update(
                    index_elements=["stream_id", "user_id"], set_={"left_at": None}
                )
            )
    return fresh


async def _add_leavings(connection: AsyncConnection, stream_id: UUID, figures: RoomFigures) -> None:
    for leaving in figures.leavings:
        await connection.execute(
            update(room_visits)
            .where(room_visits.c.stream_id == stream_id, room_visits.c.viewer == leaving.viewer)
            .values(
                last_left_at=leaving.left_at,
                watched_s=room_visits.c.watched_s + leaving.watched_s,
            )
        )
        if leaving.user_id is not None:
            await connection.execute(
                update(stream_viewers)
                .where(
                    stream_viewers.c.stream_id == stream_id,
                    stream_viewers.c.user_id == leaving.user_id,
                )
                .values(left_at=leaving.left_at)
            )


async def _add_messages(connection: AsyncConnection, figures: RoomFigures) -> int:
    """How many messages are new, and not held."""
    said = 0
    names = [column.name for column in chat_messages.columns if column.name != "deleted_at"]
    for some in _chunks(figures.messages):
        statement = insert_into(connection, chat_messages).values(
            [{name: getattr(message, name) for name in names} for message in some]
        )
        inserted = await connection.execute(
            statement.on_conflict_do_nothing().returning(chat_messages.c.is_held)
        )
        said += sum(not is_held for is_held in inserted.scalars())
    return said


async def _add_reactions(
    connection: AsyncConnection, stream_id: UUID, figures: RoomFigures
) -> None:
    for emoji, count in figures.reactions.items():
        statement = insert_into(connection, stream_reactions).values(
            stream_id=stream_id, emoji=emoji, count=count
        )
        await connection.execute(
            statement.on_conflict_do_update(
                index_elements=["stream_id", "emoji"],
                set_={"count": stream_reactions.c.count + count},
            )
        )


async def _add_sample(connection: AsyncConnection, stream_id: UUID, figures: RoomFigures) -> None:
    if figures.sample_at is not None:
        statement = insert_into(connection, stream_viewer_samples).values(
            stream_id=stream_id, at=figures.sample_at, viewers=figures.viewers_now
        )
        await connection.execute(
            statement.on_conflict_do_update(
                index_elements=["stream_id", "at"], set_={"viewers": figures.viewers_now}
            )
        )


async def _add_watch_time(connection: AsyncConnection, stream_id: UUID, watched_s: float) -> float:
    """The stream's watch time in all, in viewer seconds."""
    statement = insert_into(connection, room_rules).values(
        stream_id=stream_id, slow_mode_s=0, blocked_words=[], watched_s=watched_s
    )
    total = await connection.execute(
        statement.on_conflict_do_update(
            index_elements=["stream_id"],
            set_={"watched_s": room_rules.c.watched_s + watched_s},
        ).returning(func.coalesce(room_rules.c.watched_s, 0.0))
    )
    return float(total.scalar_one())


def _chunks(items: Sequence[Any]) -> Iterable[Sequence[Any]]:
    return (items[at : at + _ROWS_AT_ONCE] for at in range(0, len(items), _ROWS_AT_ONCE))
