"""What is kept of a room by the time of the recording."""

from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from controller.domain.replay import (
    REACTION_STEP_S,
    ReactionCount,
    Replay,
    ReplayedPin,
    ReplayedTag,
    Stretch,
)
from controller.domain.room import ChatMessage
from controller.stores.database import Database
from controller.stores.room_schema import chat_messages
from controller.stores.rows import chat_message_from
from controller.stores.schema import product_tags
from controller.stores.showcase_schema import product_pins, reaction_moments

_TAG_SHOWN_S = 10.0
_MOST_ROWS = 5_000


class SqlReplays:
    """The `ReplayStore` over either database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def replay(self, stream_id: UUID, stretch: Stretch, most_messages: int) -> Replay:
        """See `ReplayStore.replay`."""
        async with self._database.read() as connection:
            chat, to_s = await _chat(connection, stream_id, stretch, most_messages)
            covers = Stretch(stretch.from_s, to_s)
            reactions = await connection.execute(_reactions(stream_id, covers))
            tags = await connection.execute(_tags(stream_id, covers))
            pins = await connection.execute(_pins(stream_id, covers))
            return Replay(
                covers,
                chat,
                tuple(ReactionCount(row.at_s, row.emoji, row.count) for row in reactions),
                tuple(ReplayedTag(row.product_id, row.x, row.y, row.at) for row in tags),
                tuple(
                    ReplayedPin(row.product_id, row.stream_time_s, row.stream_until_s)
                    for row in pins
                ),
                more=to_s < stretch.to_s,
            )


async def _chat(
    connection: AsyncConnection, stream_id: UUID, stretch: Stretch, most: int
) -> tuple[tuple[ChatMessage, ...], float]:
    """The messages, and up to where they are all."""
    at = chat_messages.c.stream_time_s
    said = (
        select(chat_messages)
        .where(
            chat_messages.c.stream_id == stream_id,
            chat_messages.c.deleted_at.is_(None),
            chat_messages.c.is_held.is_(False),
            at >= stretch.from_s,
            at < stretch.to_s,
        )
        .order_by(at, chat_messages.c.id)
    )
    rows = (await connection.execute(said.limit(most + 1))).all()
    if len(rows) <= most:
        return tuple(map(chat_message_from, rows)), stretch.to_s
    to_s = rows[most].stream_time_s
    if to_s == rows[0].stream_time_s:  # all at one moment: that one is answered whole
        rows = (await connection.execute(said.where(at == to_s).limit(_MOST_ROWS))).all()
        later = select(func.min(at)).where(chat_messages.c.stream_id == stream_id, at > to_s)
        following = (await connection.execute(later)).scalar()
        to_s = stretch.to_s if following is None else min(following, stretch.to_s)
        return tuple(map(chat_message_from, rows)), to_s
    return tuple(chat_message_from(row) for row in rows if row.stream_time_s < to_s), to_s


def _reactions(stream_id: UUID, covers: Stretch) -> Select[Any]:
    return (
        select(reaction_moments)
        .where(
            reaction_moments.c.stream_id == stream_id,
            reaction_moments.c.at_s > covers.from_s - REACTION_STEP_S,
            reaction_moments.c.at_s < covers.to_s,
        )
        .order_by(reaction_moments.c.at_s, reaction_moments.c.emoji)
        .limit(_MOST_ROWS)
    )


def _tags(stream_id: UUID, covers: Stretch) -> Select[Any]:
    at = func.coalesce(product_tags.c.stream_time_s, product_tags.c.timestamp_s).label("at")
    return (
        select(product_tags.c.product_id, product_tags.c.x, product_tags.c.y, at)
        .where(
            product_tags.c.stream_id == stream_id,
            at > covers.from_s - _TAG_SHOWN_S,
            at < covers.to_s,
        )
        .order_by(at, product_tags.c.id)
        .limit(_MOST_ROWS)
    )


def _pins(stream_id: UUID, covers: Stretch) -> Select[Any]:
    pins = product_pins.c
    return (
        select(product_pins)
        .where(
            pins.stream_id == stream_id,
            pins.stream_time_s < covers.to_s,
            or_(pins.media_until.is_(None), pins.stream_until_s > covers.from_s),
        )
        .order_by(pins.stream_time_s, pins.id)
        .limit(_MOST_ROWS)
    )
