"""What a stream sells: attached while it is scheduled, in the order of attaching."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from controller.domain.products import Product
from controller.domain.states import StreamStatus
from controller.errors import ProductNotInStream, ProductsNotFound, StreamNotAttachable
from controller.stores.rows import product_from
from controller.stores.schema import products, stream_products, streams
from controller.stores.statements import insert_into, lock_stream


async def attach(
    connection: AsyncConnection, stream_id: UUID, product_ids: Sequence[UUID], at: datetime
) -> Sequence[Product]:
    """Attach what is not yet attached; the whole list."""
    stream = await _lock_scheduled(connection, stream_id)
    wanted = list(dict.fromkeys(product_ids))
    if not await all_for_sale(connection, stream.owner_id, wanted):
        raise ProductsNotFound
    await add_products(connection, stream_id, wanted, at)
    await _touch(connection, stream_id, at)
    return await products_of(connection, stream_id)


async def detach(
    connection: AsyncConnection, stream_id: UUID, product_id: UUID, at: datetime
) -> Sequence[Product]:
    """Detach one; the list without it."""
    await _lock_scheduled(connection, stream_id)
    gone = await connection.execute(
        delete(stream_products).where(
            stream_products.c.stream_id == stream_id, stream_products.c.product_id == product_id
        )
    )
    if gone.rowcount == 0:
        raise ProductNotInStream
    await _touch(connection, stream_id, at)
    return await products_of(connection, stream_id)


async def all_for_sale(
    connection: AsyncConnection, seller_id: UUID, product_ids: Sequence[UUID]
) -> bool:
    """True when each of the (distinct) products exists, is the seller's and is available."""
    if not product_ids:
        return True
    query = select(func.count()).where(
        products.c.id.in_(product_ids),
        products.c.seller_id == seller_id,
        products.c.is_available,
        products.c.deleted_at.is_(None),
    )
    return (await connection.execute(query)).scalar_one() == len(product_ids)


async def add_products(
    connection: AsyncConnection, stream_id: UUID, product_ids: Sequence[UUID], at: datetime
) -> None:
    """Append, skipping what is attached; the caller holds the stream's row."""
    if not product_ids:
        return
    last = select(func.max(stream_products.c.position)).where(
        stream_products.c.stream_id == stream_id
    )
    first = ((await connection.execute(last)).scalar() or 0) + 1
    await connection.execute(
        insert_into(connection, stream_products).on_conflict_do_nothing(),
        [
            {
                "stream_id": stream_id,
                "product_id": product_id,
                "position": position,
                "attached_at": at,
            }
            for position, product_id in enumerate(product_ids, first)
        ],
    )


async def count_for_sale(connection: AsyncConnection, stream_id: UUID) -> int:
    """How many attached products are still in the directory."""
    query = (
        select(func.count())
        .select_from(stream_products.join(products))
        .where(stream_products.c.stream_id == stream_id, products.c.deleted_at.is_(None))
    )
    return (await connection.execute(query)).scalar_one()


async def products_of(connection: AsyncConnection, stream_id: UUID) -> Sequence[Product]:
    """The stream's products."""
    found = await connection.execute(_products_query([stream_id]))
    return [product_from(row) for row in found]


async def products_by_stream(
    connection: AsyncConnection, stream_ids: Sequence[UUID]
) -> dict[UUID, list[Product]]:
    """The products of several streams at once; every id has an entry."""
    grouped: dict[UUID, list[Product]] = {stream_id: [] for stream_id in stream_ids}
    if stream_ids:
        for row in await connection.execute(_products_query(stream_ids)):
            grouped[row.stream_id].append(product_from(row))
    return grouped


async def attached_product(
    connection: AsyncConnection, stream_id: UUID, product_id: UUID
) -> Row[Any]:
    """The product's row if it is attached to the stream; ProductNotInStream."""
    query = (
        select(products)
        .select_from(stream_products.join(products))
        .where(stream_products.c.stream_id == stream_id, products.c.id == product_id)
    )
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        raise ProductNotInStream
    return row


def _products_query(stream_ids: Sequence[UUID]) -> Select[Any]:
    return (
        select(products, stream_products.c.stream_id)
        .select_from(stream_products.join(products))
        .where(stream_products.c.stream_id.in_(stream_ids))
        .order_by(stream_products.c.position, stream_products.c.product_id)
    )


async def _lock_scheduled(connection: AsyncConnection, stream_id: UUID) -> Row[Any]:
    stream = await lock_stream(connection, stream_id)
    if stream.status is not StreamStatus.SCHEDULED:
        raise StreamNotAttachable
    return stream


async def _touch(connection: AsyncConnection, stream_id: UUID, at: datetime) -> None:
    await connection.execute(update(streams).where(streams.c.id == stream_id).values(updated_at=at))
