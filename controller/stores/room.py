"""What of a room outlives it: figures, messages, rules and the moderators' log."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from controller.domain.ports import Clock
from controller.domain.room import (
    HISTORY_MESSAGES,
    ActivePin,
    ChatMessage,
    KeptRoom,
    Moderation,
    PinnedProduct,
    RoomFigures,
    RoomRules,
)
from controller.stores.database import Database
from controller.stores.room_figures import add_figures, mark_gone, sum_up
from controller.stores.room_moderation import carry_out
from controller.stores.room_schema import (
    chat_messages,
    room_moderations,
    room_moderators,
    room_rules,
    room_sanctions,
)
from controller.stores.rows import chat_message_from
from controller.stores.schema import (
    product_tags,
    streams,
)
from controller.stores.showcase_schema import product_pins
from controller.stores.statements import lock_stream
from controller.stores.watching import note_alive

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
                active_pin=await _active_pin(connection, stream_id),
            )

    async def record(self, stream_id: UUID, figures: RoomFigures) -> None:
        """See `RoomStore.record`; StreamNotFound."""
        async with self._database.write() as connection:
            await add_figures(connection, stream_id, figures, self._clock.now())

    async def beat(self, holder: str, at: datetime) -> None:
        """See `RoomStore.beat`."""
        async with self._database.write() as connection:
            await note_alive(connection, holder, at)

    async def sum_up(self, stream_id: UUID) -> None:
        """See `RoomStore.sum_up`."""
        async with self._database.write() as connection:
            await sum_up(connection, stream_id)

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

    async def set_viewers_now(
        self, stream_id: UUID, viewers: int, gone: Sequence[str] = ()
    ) -> None:
        """See `RoomStore.set_viewers_now`."""
        now = self._clock.now()
        async with self._database.write() as connection:
            await mark_gone(connection, stream_id, gone, now)
            await connection.execute(
                update(streams).where(streams.c.id == stream_id).values(viewers_now=viewers)
            )


def _oldest_first(rows: Sequence[Row[Any]]) -> tuple[ChatMessage, ...]:
    return tuple(chat_message_from(row) for row in reversed(rows))


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
        pinned = None if pinned_row is None else chat_message_from(pinned_row)
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


async def _active_pin(connection: AsyncConnection, stream_id: UUID) -> ActivePin | None:
    query = select(product_pins).where(
        product_pins.c.stream_id == stream_id, product_pins.c.media_until.is_(None)
    )
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else ActivePin(row.product_id, row.media_at)
