"""People, who follows whom, and their devices."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, delete, exists, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from controller.domain.access import Standing
from controller.domain.geography import Position, is_neighbor, unit_vector
from controller.domain.people import Device, Identity, User, UserChanges
from controller.domain.ports import Clock
from controller.errors import CannotFollowSelf, UserNotFound
from controller.stores.database import Database
from controller.stores.rows import user_from
from controller.stores.schema import follows, push_devices, users
from controller.stores.statements import insert_into


class SqlUsers:
    """The `UserStore` over either database."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def ensure(self, identity: Identity) -> None:
        """See `UserStore.ensure`."""
        now = self._clock.now()
        async with self._database.write() as connection:
            statement = insert_into(connection, users).values(
                id=identity.user_id,
                username=identity.username,
                role=identity.role,
                avatar_url=identity.avatar_url,
                created_at=now,
                updated_at=now,
            )
            await connection.execute(
                statement.on_conflict_do_update(
                    index_elements=[users.c.id],
                    set_={"role": statement.excluded.role, "updated_at": now},
                    where=users.c.role != statement.excluded.role,
                )
            )

    async def get(self, user_id: UUID) -> User:
        """See `UserStore.get`."""
        async with self._database.read() as connection:
            found = await connection.execute(select(users).where(users.c.id == user_id))
            return _found(found.one_or_none())

    async def with_username(self, username: str) -> Sequence[User]:
        """See `UserStore.with_username`."""
        query = (
            select(users)
            .where(users.c.username == username)
            .order_by(users.c.created_at, users.c.id)
        )
        async with self._database.read() as connection:
            return [user_from(row) for row in await connection.execute(query)]

    async def change(self, user_id: UUID, changes: UserChanges) -> User:
        """See `UserStore.change`."""
        values: dict[str, Any] = {"updated_at": self._clock.now()}
        if "username" in changes.sent:
            values["username"] = changes.username
        if "avatar_url" in changes.sent:
            values["avatar_url"] = changes.avatar_url
        if "position" in changes.sent:
            values |= _place(changes.position)
        async with self._database.write() as connection:
            changed = await connection.execute(
                update(users).where(users.c.id == user_id).values(**values).returning(users)
            )
            return _found(changed.one_or_none())

    async def follow(self, follower_id: UUID, host_id: UUID) -> None:
        """See `UserStore.follow`."""
        if follower_id == host_id:
            raise CannotFollowSelf
        async with self._database.write() as connection:
            await _require_user(connection, host_id)
            await connection.execute(
                insert_into(connection, follows)
                .values(follower_id=follower_id, host_id=host_id, created_at=self._clock.now())
                .on_conflict_do_nothing()
            )

    async def unfollow(self, follower_id: UUID, host_id: UUID) -> None:
        """See `UserStore.unfollow`."""
        async with self._database.write() as connection:
            await _require_user(connection, host_id)
            await connection.execute(
                delete(follows).where(
                    follows.c.follower_id == follower_id, follows.c.host_id == host_id
                )
            )

    async def standing(self, viewer_id: UUID, host_id: UUID) -> Standing:
        """See `UserStore.standing`."""
        follow = exists().where(follows.c.follower_id == viewer_id, follows.c.host_id == host_id)
        places = select(users.c.id, users.c.latitude, users.c.longitude).where(
            users.c.id.in_([viewer_id, host_id]), users.c.latitude.is_not(None)
        )
        async with self._database.read() as connection:
            does_follow = (await connection.execute(select(follow))).scalar_one()
            positions = {
                row.id: Position(row.latitude, row.longitude)
                for row in await connection.execute(places)
            }
        near = is_neighbor(positions.get(host_id), positions.get(viewer_id))
        return Standing(follows=bool(does_follow), is_neighbor=near)

    async def put_device(self, device: Device) -> None:
        """See `UserStore.put_device`."""
        values = {
            "kind": device.kind,
            "address": device.address,
            "updated_at": self._clock.now(),
        }
        async with self._database.write() as connection:
            await connection.execute(
                insert_into(connection, push_devices)
                .values(user_id=device.user_id, id=device.id, **values)
                .on_conflict_do_update(
                    index_elements=[push_devices.c.user_id, push_devices.c.id], set_=values
                )
            )

    async def delete_device(self, user_id: UUID, device_id: UUID) -> None:
        """See `UserStore.delete_device`."""
        async with self._database.write() as connection:
            await connection.execute(
                delete(push_devices).where(
                    push_devices.c.user_id == user_id, push_devices.c.id == device_id
                )
            )

    async def devices_of(self, user_id: UUID) -> Sequence[Device]:
        """The user's push targets, for those who deliver."""
        query = (
            select(push_devices)
            .where(push_devices.c.user_id == user_id)
            .order_by(push_devices.c.updated_at.desc(), push_devices.c.id)
        )
        async with self._database.read() as connection:
            return [
                Device(id=row.id, user_id=row.user_id, kind=row.kind, address=row.address)
                for row in await connection.execute(query)
            ]


def _place(position: Position | None) -> dict[str, float | None]:
    """The columns that say where somebody is."""
    if position is None:
        return dict.fromkeys(("latitude", "longitude", "unit_x", "unit_y", "unit_z"))
    point = unit_vector(position)
    return {
        "latitude": position.latitude,
        "longitude": position.longitude,
        "unit_x": point.x,
        "unit_y": point.y,
        "unit_z": point.z,
    }


def _found(row: Row[Any] | None) -> User:
    if row is None:
        raise UserNotFound
    return user_from(row)


async def _require_user(connection: AsyncConnection, user_id: UUID) -> None:
    found = await connection.execute(select(users.c.id).where(users.c.id == user_id))
    if found.one_or_none() is None:
        raise UserNotFound
