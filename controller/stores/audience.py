"""The audience rules as SQL: the same formula as `controller.domain.people`, in the database."""

import math
from uuid import UUID

from sqlalchemy import ColumnElement, and_, case, exists, false, func, or_, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from controller.domain.people import (
    METRES_PER_DEGREE,
    NEIGHBORHOOD_RADIUS_M,
    Identity,
    Position,
)
from controller.domain.streams import Audience
from controller.stores.schema import follows, streams, users

HALF_TURN_DEG = 180.0


async def position_of(connection: AsyncConnection, user_id: UUID) -> Position | None:
    """Where the user says to be."""
    query = select(users.c.latitude, users.c.longitude).where(
        users.c.id == user_id, users.c.latitude.is_not(None)
    )
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else Position(row.latitude, row.longitude)


def is_near(centre: Position | None) -> ColumnElement[bool]:
    """True for the rows of `users` within the neighborhood of `centre`."""
    if centre is None:
        return false()
    # The narrow band of latitudes is what the index can find; the circle decides.
    band_deg = NEIGHBORHOOD_RADIUS_M / METRES_PER_DEGREE * 1.001
    apart_deg = func.abs(users.c.longitude - centre.longitude)
    east_deg = case((apart_deg > HALF_TURN_DEG, 2 * HALF_TURN_DEG - apart_deg), else_=apart_deg)
    east_m = east_deg * (METRES_PER_DEGREE * math.cos(math.radians(centre.latitude)))
    north_m = (users.c.latitude - centre.latitude) * METRES_PER_DEGREE
    return and_(
        users.c.latitude.between(centre.latitude - band_deg, centre.latitude + band_deg),
        north_m * north_m + east_m * east_m <= NEIGHBORHOOD_RADIUS_M**2,
    )


def follows_host(follower: UUID, host: ColumnElement[UUID]) -> ColumnElement[bool]:
    """True when `follower` follows the user in column `host`."""
    return exists().where(follows.c.follower_id == follower, follows.c.host_id == host)


def visible_to(viewer: Identity | None, position: Position | None) -> ColumnElement[bool]:
    """True for the rows of `streams` (joined with their hosts) whose audience has the viewer."""
    if viewer is None:
        return streams.c.audience == Audience.EVERYONE
    if viewer.is_admin:
        return true()
    return or_(
        streams.c.audience == Audience.EVERYONE,
        streams.c.owner_id == viewer.user_id,
        and_(
            streams.c.audience == Audience.FOLLOWERS,
            follows_host(viewer.user_id, streams.c.owner_id),
        ),
        and_(streams.c.audience == Audience.NEIGHBORHOOD, is_near(position)),
    )
