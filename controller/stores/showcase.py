"""Pins, and what was shown when."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from controller.domain.ports import Clock
from controller.domain.showcase import CueKind, Moment, ProductCue, ProductPin
from controller.domain.states import StreamStatus
from controller.errors import StreamNotLive
from controller.stores.database import Database
from controller.stores.schema import product_tags, streams
from controller.stores.showcase_schema import product_pins
from controller.stores.statements import lock_stream
from controller.stores.stream_products import attached_product


class SqlShowcase:
    """The `ShowcaseStore` over either database."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def pin(self, pin: ProductPin) -> None:
        """See `ShowcaseStore.pin`."""
        async with self._database.write() as connection:
            await _lock_live(connection, pin.stream_id)
            await attached_product(connection, pin.stream_id, pin.product_id)
            row = await _shown(connection, pin.stream_id)
            if row is not None and row.product_id == pin.product_id:
                return
            if row is not None:
                await self._end(connection, row, pin.since)
            await connection.execute(
                insert(product_pins).values(
                    id=pin.id,
                    stream_id=pin.stream_id,
                    product_id=pin.product_id,
                    timestamp_s=pin.timestamp_s,
                    media_at=pin.since.at,
                    stream_time_s=pin.since.stream_time_s,
                    changed_at=self._clock.now(),
                )
            )

    async def unpin(self, stream_id: UUID, product_id: UUID, until: Moment) -> ProductPin | None:
        """See `ShowcaseStore.unpin`."""
        async with self._database.write() as connection:
            await _lock_live(connection, stream_id)
            row = await _shown(connection, stream_id)
            if row is None or row.product_id != product_id:
                return None
            await self._end(connection, row, until)
            return _pin_from(row, until)

    async def shown(self, stream_id: UUID) -> ProductPin | None:
        """See `ShowcaseStore.shown`."""
        async with self._database.read() as connection:
            row = await _shown(connection, stream_id)
        return None if row is None else _pin_from(row, None)

    async def cues(
        self, stream_ids: Sequence[UUID], since: datetime | None = None
    ) -> Sequence[ProductCue]:
        """See `ShowcaseStore.cues`."""
        if not stream_ids:
            return []
        tags = (
            select(product_tags, streams.c.started_at)
            .join(streams, streams.c.id == product_tags.c.stream_id)
            .where(product_tags.c.stream_id.in_(stream_ids))
        )
        pins = select(product_pins).where(product_pins.c.stream_id.in_(stream_ids))
        if since is not None:
            tags = tags.where(product_tags.c.created_at >= since)
            pins = pins.where(product_pins.c.changed_at >= since)
        async with self._database.read() as connection:
            found = [_tag_cue(row) for row in await connection.execute(tags)]
            found += [_pin_cue(row) for row in await connection.execute(pins)]
        return sorted(found, key=lambda cue: (cue.at, cue.id))

    async def _end(self, connection: AsyncConnection, row: Row[Any], until: Moment) -> None:
        await connection.execute(
            update(product_pins)
            .where(product_pins.c.id == row.id)
            .values(
                media_until=max(until.at, row.media_at),
                stream_until_s=until.stream_time_s,
                changed_at=self._clock.now(),
            )
        )


async def _lock_live(connection: AsyncConnection, stream_id: UUID) -> None:
    stream = await lock_stream(connection, stream_id)
    if stream.status is not StreamStatus.LIVE:
        raise StreamNotLive


async def _shown(connection: AsyncConnection, stream_id: UUID) -> Row[Any] | None:
    query = select(product_pins).where(
        product_pins.c.stream_id == stream_id, product_pins.c.media_until.is_(None)
    )
    return (await connection.execute(query)).one_or_none()


def _pin_from(row: Row[Any], until: Moment | None) -> ProductPin:
    since = Moment(row.media_at, row.stream_time_s)
    return ProductPin(row.id, row.stream_id, row.product_id, row.timestamp_s, since, until)


def _tag_cue(row: Row[Any]) -> ProductCue:
    at = row.media_at
    if at is None:  # from before it was kept
        at = (row.started_at or row.created_at) + timedelta(seconds=row.timestamp_s)
    return ProductCue(
        row.id, row.stream_id, row.product_id, CueKind.TAG, at, None, x=row.x, y=row.y
    )


def _pin_cue(row: Row[Any]) -> ProductCue:
    return ProductCue(
        row.id, row.stream_id, row.product_id, CueKind.PIN, row.media_at, row.media_until
    )
