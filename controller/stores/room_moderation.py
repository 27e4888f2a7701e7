"""Acts of moderation as statements."""

from typing import Any
from uuid import UUID

from sqlalchemy import delete, update
from sqlalchemy.ext.asyncio import AsyncConnection

from controller.domain.room import Moderation, ModerationKind
from controller.stores.room_schema import (
    chat_messages,
    room_moderators,
    room_rules,
    room_sanctions,
)
from controller.stores.schema import streams
from controller.stores.statements import insert_into


async def carry_out(connection: AsyncConnection, act: Moderation) -> None:
    """Make the act so, in the caller's transaction."""
    rules: dict[ModerationKind, dict[str, Any]] = {
        ModerationKind.SLOW_MODE: {"slow_mode_s": act.interval_s},
        ModerationKind.PIN: {"pinned_message_id": act.message_id},
        ModerationKind.UNPIN: {"pinned_message_id": None},
        ModerationKind.BLOCK_WORDS: {"blocked_words": [*act.words]},
    }
    if act.kind in rules:
        await _set_rule(connection, act.stream_id, rules[act.kind])
    elif act.kind is ModerationKind.DELETE:
        await _delete(connection, act)
    elif act.kind is ModerationKind.APPROVE:
        await _approve(connection, act)
    elif act.kind in {ModerationKind.TIMEOUT, ModerationKind.BAN}:
        await _sanction(connection, act)
    elif act.kind is ModerationKind.UNBAN:
        await _lift_sanction(connection, act)
    else:
        await _change_role(connection, act)


async def _delete(connection: AsyncConnection, act: Moderation) -> None:
    await connection.execute(
        update(chat_messages)
        .where(chat_messages.c.id == act.message_id, chat_messages.c.stream_id == act.stream_id)
        .values(deleted_at=act.at)
    )


async def _lift_sanction(connection: AsyncConnection, act: Moderation) -> None:
    await connection.execute(
        delete(room_sanctions).where(
            room_sanctions.c.stream_id == act.stream_id, room_sanctions.c.viewer == act.viewer
        )
    )


async def _change_role(connection: AsyncConnection, act: Moderation) -> None:
    if act.kind is ModerationKind.APPOINT:
        moderator = insert_into(connection, room_moderators).values(
            stream_id=act.stream_id, user_id=act.user_id
        )
        await connection.execute(moderator.on_conflict_do_nothing())
        return
    await connection.execute(
        delete(room_moderators).where(
            room_moderators.c.stream_id == act.stream_id,
            room_moderators.c.user_id == act.user_id,
        )
    )


async def _approve(connection: AsyncConnection, act: Moderation) -> None:
    approved = await connection.execute(
        update(chat_messages)
        .where(
            chat_messages.c.id == act.message_id,
            chat_messages.c.stream_id == act.stream_id,
            chat_messages.c.is_held.is_(True),
        )
        .values(is_held=False)
        .returning(chat_messages.c.id)
    )
    await connection.execute(
        update(streams)
        .where(streams.c.id == act.stream_id)
        .values(chat_messages=streams.c.chat_messages + len(approved.all()))
    )


async def _set_rule(connection: AsyncConnection, stream_id: UUID, values: dict[str, Any]) -> None:
    defaults = {"slow_mode_s": 0, "blocked_words": []}
    rule = insert_into(connection, room_rules).values(stream_id=stream_id, **{**defaults, **values})
    await connection.execute(rule.on_conflict_do_update(index_elements=["stream_id"], set_=values))


async def _sanction(connection: AsyncConnection, act: Moderation) -> None:
    sanction = insert_into(connection, room_sanctions).values(
        stream_id=act.stream_id, viewer=act.viewer, until=act.until
    )
    await connection.execute(
        sanction.on_conflict_do_update(
            index_elements=["stream_id", "viewer"], set_={"until": act.until}
        )
    )
