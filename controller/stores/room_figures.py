"""What rooms have counted, as statements: added up in the caller's transaction."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Update, bindparam, case, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from controller.domain.room import RoomFigures
from controller.stores.outbox import tell_milestones
from controller.stores.room_schema import chat_messages, room_visits
from controller.stores.rows import stream_from
from controller.stores.schema import stream_reactions, stream_viewers, streams, users
from controller.stores.showcase_schema import reaction_moments
from controller.stores.statements import insert_into, lock_stream
from controller.stores.watching import add_stays, is_news, read_watched

_ROWS_AT_ONCE = 500


async def add_figures(
    connection: AsyncConnection, stream_id: UUID, figures: RoomFigures, now: datetime
) -> None:
    """Add to the stream's figures unless that was done before; StreamNotFound."""
    row = await lock_stream(connection, stream_id)
    if figures.number and not await is_news(connection, stream_id, figures.holder, figures.number):
        return
    # In the end the peak is computed: what a daemon has seen of it is news while it is live.
    seen = figures.peak_viewers if row.ended_at is None else 0
    await tell_milestones(connection, stream_from(row), seen, now)
    fresh = await _add_visits(connection, stream_id, figures)
    said = await _add_messages(connection, figures)
    await _add_leavings(connection, stream_id, figures)
    await add_stays(connection, stream_id, figures)
    await _add_reactions(connection, stream_id, figures)
    await _add_reaction_moments(connection, stream_id, figures)
    peak, viewers_now = streams.c.peak_viewers, figures.viewers_now
    await connection.execute(
        update(streams)
        .where(streams.c.id == stream_id)
        .values(
            viewers_now=streams.c.viewers_now if viewers_now is None else viewers_now,
            total_views=streams.c.total_views + len(figures.visits),
            peak_viewers=case((peak < seen, seen), else_=peak),
            unique_viewers=streams.c.unique_viewers + fresh,
            total_likes=streams.c.total_likes + sum(figures.reactions.values()),
            chat_messages=streams.c.chat_messages + said,
        )
    )


async def sum_up(connection: AsyncConnection, stream_id: UUID) -> None:
    """Peak and average watch time anew, from the stays; StreamNotFound.

    While it is live the peak does not fall below what was told of it.
    """
    row = await lock_stream(connection, stream_id)
    if row.started_at is None:
        return
    watched = await read_watched(connection, stream_id, row.started_at, row.ended_at)
    if watched is None:
        return
    told = row.peak_viewers
    await connection.execute(
        update(streams)
        .where(streams.c.id == stream_id)
        .values(
            peak_viewers=watched.peak_viewers if row.ended_at else max(told, watched.peak_viewers),
            average_watch_time_s=watched.watched_s / max(1, row.unique_viewers),
        )
    )


async def mark_gone(
    connection: AsyncConnection, stream_id: UUID, viewers: Sequence[str], now: datetime
) -> None:
    """Note when viewers went whose daemon could not."""
    for some in _chunks(viewers):
        await connection.execute(
            _visit_of(stream_id).values(last_left_at=now), [{"of": one} for one in some]
        )
    await _mark_left(connection, stream_id, dict.fromkeys(map(_user_id, viewers), now))


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
                    "country": visit.country,
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
    if figures.leavings:
        rows = [{"of": one.viewer, "at": one.left_at} for one in figures.leavings]
        left = _visit_of(stream_id).values(last_left_at=bindparam("at"))
        await connection.execute(left, rows)
    await _mark_left(connection, stream_id, {one.user_id: one.left_at for one in figures.leavings})


async def _mark_left(
    connection: AsyncConnection, stream_id: UUID, left_at: Mapping[UUID | None, datetime]
) -> None:
    rows = [{"whose": user_id, "at": at} for user_id, at in left_at.items() if user_id is not None]
    if rows:
        of_user = update(stream_viewers).where(
            stream_viewers.c.stream_id == stream_id,
            stream_viewers.c.user_id == bindparam("whose"),
        )
        await connection.execute(of_user.values(left_at=bindparam("at")), rows)


def _visit_of(stream_id: UUID) -> Update:
    return update(room_visits).where(
        room_visits.c.stream_id == stream_id, room_visits.c.viewer == bindparam("of")
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


async def _add_reaction_moments(
    connection: AsyncConnection, stream_id: UUID, figures: RoomFigures
) -> None:
    rows = [
        {"stream_id": stream_id, "at_s": at_s, "emoji": emoji, "count": count}
        for (at_s, emoji), count in figures.reaction_moments.items()
    ]
    for some in _chunks(rows):
        statement = insert_into(connection, reaction_moments).values(some)
        await connection.execute(
            statement.on_conflict_do_update(
                index_elements=["stream_id", "at_s", "emoji"],
                set_={"count": reaction_moments.c.count + statement.excluded.count},
            )
        )


def _user_id(viewer: str) -> UUID | None:
    try:
        return UUID(viewer)
    except ValueError:
        return None


def _chunks(items: Sequence[Any]) -> Iterable[Sequence[Any]]:
    return (items[at : at + _ROWS_AT_ONCE] for at in range(0, len(items), _ROWS_AT_ONCE))
