"""Queues the word that a stream has gone live, for those who want it and may watch.

Going live counts the recipients and notes that they are to be told; who they are is looked up
afterwards, some at a time (`notification_queue`), so that a host with many followers is answered
as fast as any other.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, func, insert, intersect, select, union
from sqlalchemy.ext.asyncio import AsyncConnection

from controller.domain.geography import Position
from controller.domain.notifications import STREAM_LIVE
from controller.domain.streams import Audience, Stream
from controller.stores.audience import is_near, position_of
from controller.stores.notification_schema import notification_fanouts
from controller.stores.schema import follows, users


async def queue_stream_live(connection: AsyncConnection, stream: Stream, at: datetime) -> int:
    """Note that the stream's start is to be told; answers to how many people."""
    options = stream.options
    if not options.notify_followers and not options.notify_neighborhood:
        return 0
    everyone = recipients(stream, await position_of(connection, stream.owner_id), at).subquery()
    counting = select(func.count()).select_from(everyone)
    queued: int = (await connection.execute(counting)).scalar_one()
    if queued:
        await connection.execute(
            insert(notification_fanouts).values(
                stream_id=stream.id, kind=STREAM_LIVE, queued=queued, expanded=0, queued_at=at
            )
        )
    return queued


def recipients(
    stream: Stream, host_at: Position | None, at: datetime, after: UUID | None = None
) -> Select[Any]:
    """Each once, by id: who wants to be told, may watch, and comes `after` the given user.

    at: who follows only since then has missed it.
    """

    def followers() -> Select[Any]:
        who = follows.c.follower_id
        following = and_(follows.c.host_id == stream.owner_id, follows.c.created_at <= at)
        return select(who.label("user_id")).where(following, *([who > after] if after else []))

    def neighbors() -> Select[Any]:
        who = users.c.id
        near = and_(is_near(host_at), who != stream.owner_id)
        return select(who.label("user_id")).where(near, *([who > after] if after else []))

    options = stream.options
    wanted: list[Callable[[], Select[Any]]] = []
    if options.notify_followers:
        wanted.append(followers)
    if options.notify_neighborhood:
        wanted.append(neighbors)
    told = union(*(some() for some in wanted)) if len(wanted) > 1 else wanted[0]()
    # Nobody is called to a door that stays shut.
    allowed = {Audience.FOLLOWERS: followers, Audience.NEIGHBORHOOD: neighbors}
    if options.audience in allowed:
        told_ids = told.subquery()
        may = allowed[options.audience]()
        told = intersect(select(told_ids.c.user_id), may)
    chosen = told.subquery()
    return select(chosen.c.user_id).order_by(chosen.c.user_id)
