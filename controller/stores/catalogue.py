"""Streams as readers see them: with host and products, page by page, within their audience."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, select

from controller.domain.descriptions import DescribedStream
from controller.domain.geography import Position
from controller.domain.paging import Cursor, Page, PageRequest
from controller.domain.people import Identity, User
from controller.domain.products import Product
from controller.domain.streams import StreamFilter
from controller.errors import StreamNotFound
from controller.stores.audience import position_of, visible_to
from controller.stores.database import Database
from controller.stores.rows import stream_from
from controller.stores.schema import streams, users
from controller.stores.statements import before
from controller.stores.stream_products import products_by_stream, products_of

_HOST_COLUMNS = [column.label(f"host_{column.name}") for column in users.c]
_DESCRIBED = select(streams, *_HOST_COLUMNS).join(users, users.c.id == streams.c.owner_id)


class SqlCatalogue:
    """The `StreamCatalogue` over either database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def describe(self, stream_id: UUID) -> DescribedStream:
        """See `StreamCatalogue.describe`."""
        async with self._database.read() as connection:
            found = await connection.execute(_DESCRIBED.where(streams.c.id == stream_id))
            row = found.one_or_none()
            if row is None:
                raise StreamNotFound
            return _described(row, await products_of(connection, stream_id))

    async def find(
        self, which: StreamFilter, viewer: Identity | None, page: PageRequest
    ) -> Page[DescribedStream]:
        """See `StreamCatalogue.find`."""
        async with self._database.read() as connection:
            position = None if viewer is None else await position_of(connection, viewer.user_id)
            query = _listing(which, viewer, position, page)
            rows = (await connection.execute(query)).all()
            shown = rows[: page.limit]
            products = await products_by_stream(connection, [row.id for row in shown])
        following = None
        if len(rows) > page.limit:
            following = Cursor(at=shown[-1].created_at, id=shown[-1].id)
        return Page([_described(row, products[row.id]) for row in shown], following)

    async def products_of(self, stream_id: UUID) -> Sequence[Product]:
        """See `StreamCatalogue.products_of`."""
        async with self._database.read() as connection:
            return await products_of(connection, stream_id)


def _listing(
    which: StreamFilter, viewer: Identity | None, position: Position | None, page: PageRequest
) -> Select[Any]:
    query = _DESCRIBED.where(visible_to(viewer, position))
    if which.status is not None:
        query = query.where(streams.c.status == which.status)
    if which.category is not None:
        query = query.where(streams.c.category == which.category)
    if which.owner_id is not None:
        query = query.where(streams.c.owner_id == which.owner_id)
    if page.after is not None:
        query = query.where(before(streams.c.created_at, streams.c.id, page.after))
    # One row more than shown tells whether there is a next page.
    return query.order_by(streams.c.created_at.desc(), streams.c.id.desc()).limit(page.limit + 1)


def _described(row: Row[Any], products: Sequence[Product]) -> DescribedStream:
    position = None
    if row.host_latitude is not None:
        position = Position(row.host_latitude, row.host_longitude)
    owner = User(
        id=row.host_id,
        username=row.host_username,
        role=row.host_role,
        created_at=row.host_created_at,
        avatar_url=row.host_avatar_url,
        position=position,
    )
    return DescribedStream(stream_from(row), owner, products)
