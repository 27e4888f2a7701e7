"""What sellers sell."""

from typing import Any
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from controller.domain.paging import Cursor, Page, PageRequest
from controller.domain.ports import Clock
from controller.domain.products import Product
from controller.domain.states import StreamStatus
from controller.errors import NotYourProduct, ProductNotFound
from controller.stores.database import Database
from controller.stores.rows import product_from
from controller.stores.schema import products, stream_products, streams
from controller.stores.statements import before, insert_into


class SqlProducts:
    """The `ProductStore` over either database."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def put(self, product: Product) -> tuple[Product, bool]:
        """See `ProductStore.put`. Putting a deleted product again brings it back as new."""
        described: dict[str, Any] = {
            "title": product.title,
            "price": product.price,
            "currency": product.currency,
            "image_urls": list(product.image_urls),
            "is_available": product.is_available,
            "updated_at": product.updated_at,
        }
        async with self._database.write() as connection:
            inserted = await connection.execute(
                insert_into(connection, products)
                .values(
                    id=product.id,
                    seller_id=product.seller_id,
                    created_at=product.created_at,
                    **described,
                )
                .on_conflict_do_nothing()
                .returning(products)
            )
            row = inserted.one_or_none()
            if row is not None:
                return product_from(row), True
            was_deleted = await _lock_own(connection, product.id, product.seller_id)
            if was_deleted:
                described |= {"deleted_at": None, "created_at": product.created_at}
            changed = await connection.execute(
                update(products)
                .where(products.c.id == product.id)
                .values(**described)
                .returning(products)
            )
            return product_from(changed.one()), was_deleted

    async def get(self, product_id: UUID) -> Product:
        """See `ProductStore.get`."""
        query = select(products).where(products.c.id == product_id, products.c.deleted_at.is_(None))
        async with self._database.read() as connection:
            row = (await connection.execute(query)).one_or_none()
        if row is None:
            raise ProductNotFound
        return product_from(row)

    async def of_seller(self, seller_id: UUID, page: PageRequest) -> Page[Product]:
        """See `ProductStore.of_seller`."""
        query = select(products).where(
            products.c.seller_id == seller_id, products.c.deleted_at.is_(None)
        )
        if page.after is not None:
            query = query.where(before(products.c.created_at, products.c.id, page.after))
        query = query.order_by(products.c.created_at.desc(), products.c.id.desc())
        async with self._database.read() as connection:
            rows = (await connection.execute(query.limit(page.limit + 1))).all()
        shown = [product_from(row) for row in rows[: page.limit]]
        following = None
        if len(rows) > page.limit:
            following = Cursor(at=shown[-1].created_at, id=shown[-1].id)
        return Page(shown, following)

    async def delete(self, product_id: UUID, seller_id: UUID) -> None:
        """See `ProductStore.delete`. Scheduled streams lose the product, past ones keep it."""
        scheduled = select(streams.c.id).where(streams.c.status == StreamStatus.SCHEDULED)
        async with self._database.write() as connection:
            if await _lock_own(connection, product_id, seller_id):
                raise ProductNotFound
            await connection.execute(
                update(products)
                .where(products.c.id == product_id)
                .values(deleted_at=self._clock.now())
            )
            await connection.execute(
                delete(stream_products).where(
                    stream_products.c.product_id == product_id,
                    stream_products.c.stream_id.in_(scheduled),
                )
            )


async def _lock_own(connection: AsyncConnection, product_id: UUID, seller_id: UUID) -> bool:
    """Hold the seller's own product; True when it is deleted. ProductNotFound, NotYourProduct."""
    query = (
        select(products.c.seller_id, products.c.deleted_at)
        .where(products.c.id == product_id)
        .with_for_update()
    )
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        raise ProductNotFound
    if row.seller_id != seller_id:
        raise NotYourProduct
    return row.deleted_at is not None
