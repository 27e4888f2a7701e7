"""The audience rules as SQL: the same formula as `controller.domain.geography`, in the database."""

import math
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, false, or_, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from controller.domain.geography import (
    EARTH_RADIUS_M,
    NEIGHBORHOOD_CHORD,
    NEIGHBORHOOD_RADIUS_M,
    Position,
    unit_vector,
)
from controller.domain.people import Identity
from controller.domain.streams import Audience
from controller.stores.schema import follows, streams, users

# A little more than the radius: the box only narrows down, the great circle decides.
_BOX_DEG = math.degrees(NEIGHBORHOOD_RADIUS_M / EARTH_RADIUS_M) * 1.001
_BOX_CHORD = NEIGHBORHOOD_CHORD * 1.001


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
    here = unit_vector(centre)
    sides = ((users.c.unit_x, here.x), (users.c.unit_y, here.y), (users.c.unit_z, here.z))
    x, y, z = (column - at for column, at in sides)
    return and_(
        # What an index finds. In space a box has no seam at the date line and no pole.
        users.c.latitude.between(centre.latitude - _BOX_DEG, centre.latitude + _BOX_DEG),
        *(column.between(at - _BOX_CHORD, at + _BOX_CHORD) for column, at in sides),
        x * x + y * y + z * z <= NEIGHBORHOOD_CHORD * NEIGHBORHOOD_CHORD,
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
