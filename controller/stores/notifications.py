"""Queues the word that a stream has gone live, for those who want it and may watch."""

from datetime import datetime

from sqlalchemy import ColumnElement, and_, exists, false, literal, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from controller.domain.streams import Audience, Stream
from controller.stores.audience import is_near, position_of
from controller.stores.column_types import UtcDateTime
from controller.stores.schema import follows, notifications, users

STREAM_LIVE = "stream_live"


async def queue_stream_live(connection: AsyncConnection, stream: Stream, at: datetime) -> int:
    """One row for each recipient; answers how many there are."""
    options = stream.options
    if not options.notify_followers and not options.notify_neighborhood:
        return 0
    near = is_near(await position_of(connection, stream.owner_id))
    following = exists().where(
        follows.c.follower_id == users.c.id, follows.c.host_id == stream.owner_id
    )
    wanted: list[ColumnElement[bool]] = [false()]
    if options.notify_followers:
        wanted.append(following)
    if options.notify_neighborhood:
        wanted.append(near)
    conditions = [users.c.id != stream.owner_id, or_(*wanted)]
    # Nobody is called to a door that stays shut.
    if options.audience is Audience.FOLLOWERS:
        conditions.append(following)
    elif options.audience is Audience.NEIGHBORHOOD:
        conditions.append(near)
    recipients = select(
        literal(stream.id),
        users.c.id,
        literal(STREAM_LIVE),
        literal(at, UtcDateTime()),
    ).where(and_(*conditions))
    queued = await connection.execute(
        notifications.insert().from_select(
            ["stream_id", "user_id", "kind", "queued_at"], recipients
        )
    )
    return queued.rowcount
