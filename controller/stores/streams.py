"""Streams and their states."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from controller.domain.access import PlaybackFacts
from controller.domain.ports import Clock
from controller.domain.products import Product
from controller.domain.publications import StoredKey
from controller.domain.states import (
    INGEST_TRANSITIONS,
    STATUS_TRANSITIONS,
    EndReason,
    IngestState,
    StreamStatus,
)
from controller.domain.streams import (
    CHANGEABLE,
    CreatedStream,
    IdempotentCall,
    StatusChange,
    Stream,
    StreamChanges,
    WentLive,
)
from controller.domain.webhooks import WebhookEvent, stream_event
from controller.errors import (
    ControllerError,
    IllegalIngestState,
    StreamNotEditable,
    StreamNotFound,
    StreamNotLive,
    StreamNotScheduled,
    StreamWithoutProducts,
)
from controller.stores.creation import insert_stream
from controller.stores.database import Database
from controller.stores.derived_schema import clips, stream_derivations
from controller.stores.notifications import queue_stream_live
from controller.stores.outbox import tell, tell_encoder
from controller.stores.rows import stream_from
from controller.stores.schema import status_changes, streams
from controller.stores.statements import lock_stream
from controller.stores.stream_products import attach, count_for_sale, detach

_OF_RECORDING = ("vod_url", "mp4_url", "poster_url", "storyboard_url", "thumbnail_url")


class SqlStreams:
    """The `StreamStore` over either database."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def create(
        self,
        stream: Stream,
        product_ids: Sequence[UUID],
        key: StoredKey,
        idempotency: IdempotentCall | None = None,
    ) -> CreatedStream:
        """See `StreamStore.create`."""
        async with self._database.write() as connection:
            return await insert_stream(connection, stream, product_ids, key, idempotency)

    async def get(self, stream_id: UUID) -> Stream:
        """See `StreamStore.get`."""
        async with self._database.read() as connection:
            query = select(streams).where(streams.c.id == stream_id)
            return _found((await connection.execute(query)).one_or_none())

    async def update(self, stream_id: UUID, changes: StreamChanges) -> Stream:
        """See `StreamStore.update`."""
        unknown = set(changes.values) - CHANGEABLE
        if unknown:
            raise ValueError(f"not changeable: {sorted(unknown)}")
        async with self._database.write() as connection:
            changed = await connection.execute(
                update(streams)
                .where(streams.c.id == stream_id, streams.c.status == StreamStatus.SCHEDULED)
                .values(**changes.values, updated_at=self._clock.now())
                .returning(streams)
            )
            row = changed.one_or_none()
            if row is None:
                await lock_stream(connection, stream_id)
                raise StreamNotEditable
            return stream_from(row)

    async def attach_products(
        self, stream_id: UUID, product_ids: Sequence[UUID]
    ) -> Sequence[Product]:
        """See `StreamStore.attach_products`."""
        async with self._database.write() as connection:
            return await attach(connection, stream_id, product_ids, self._clock.now())

    async def detach_product(self, stream_id: UUID, product_id: UUID) -> Sequence[Product]:
        """See `StreamStore.detach_product`."""
        async with self._database.write() as connection:
            return await detach(connection, stream_id, product_id, self._clock.now())

    async def go_live(self, stream_id: UUID) -> WentLive:
        """See `StreamStore.go_live`."""
        now = self._clock.now()
        async with self._database.write() as connection:
            stream = await self._enter(
                connection, stream_id, StreamStatus.LIVE, StreamNotScheduled, {"started_at": now}
            )
            if await count_for_sale(connection, stream_id) == 0:
                raise StreamWithoutProducts
            queued = await queue_stream_live(connection, stream, now)
            await tell(connection, stream_event(WebhookEvent.STREAM_LIVE, stream), now)
        return WentLive(stream=stream, notifications_queued=queued)

    async def end(self, stream_id: UUID, reason: EndReason) -> Stream:
        """See `StreamStore.end`."""
        now = self._clock.now()
        async with self._database.write() as connection:
            before = await lock_stream(connection, stream_id)
            if before.started_at is None:
                raise StreamNotLive
            values = {
                "ended_at": now,
                "end_reason": reason,
                "duration_s": max(0, int((now - before.started_at).total_seconds())),
                **_finished(now),
            }
            stream = await self._enter(
                connection, stream_id, StreamStatus.ENDED, StreamNotLive, values, reason
            )
            event = stream_event(
                WebhookEvent.STREAM_ENDED, stream, reason=reason.value, duration=stream.duration_s
            )
            await tell(connection, event, now)
            return stream

    async def cancel(self, stream_id: UUID) -> Stream:
        """See `StreamStore.cancel`."""
        values = _finished(self._clock.now())
        async with self._database.write() as connection:
            return await self._enter(
                connection, stream_id, StreamStatus.CANCELLED, StreamNotScheduled, values
            )

    async def set_ingest_state(
        self, stream_id: UUID, from_state: IngestState, to_state: IngestState
    ) -> Stream:
        """See `StreamStore.set_ingest_state`."""
        if to_state not in INGEST_TRANSITIONS[from_state]:
            raise IllegalIngestState
        now = self._clock.now()
        async with self._database.write() as connection:
            changed = await connection.execute(
                update(streams)
                .where(streams.c.id == stream_id, streams.c.ingest_state == from_state)
                .values(ingest_state=to_state, ingest_state_since=now, updated_at=now)
                .returning(streams)
            )
            row = changed.one_or_none()
            if row is None:
                await lock_stream(connection, stream_id)
                raise IllegalIngestState
            stream = stream_from(row)
            await tell_encoder(connection, stream, from_state, now)
            return stream

    async def set_vod(self, stream_id: UUID, url: str) -> Stream:
        """See `StreamStore.set_vod`."""
        async with self._database.write() as connection:
            changed = await connection.execute(
                update(streams)
                .where(streams.c.id == stream_id)
                .values(vod_url=url, updated_at=self._clock.now())
                .returning(streams)
            )
            return _found(changed.one_or_none())

    async def forget_vod(self, stream_id: UUID) -> None:
        """See `StreamStore.forget_vod`."""
        nowhere = dict.fromkeys(_OF_RECORDING)
        async with self._database.write() as connection:
            await connection.execute(
                update(streams)
                .where(streams.c.id == stream_id)
                .values(**nowhere, updated_at=self._clock.now())
            )
            for made in (stream_derivations, clips):
                await connection.execute(delete(made).where(made.c.stream_id == stream_id))

    async def live_streams(self) -> Sequence[Stream]:
        """See `StreamStore.live_streams`."""
        query = (
            select(streams)
            .where(streams.c.status == StreamStatus.LIVE)
            .order_by(streams.c.started_at, streams.c.id)
        )
        async with self._database.read() as connection:
            return [stream_from(row) for row in await connection.execute(query)]

    async def playback_facts(self, stream_id: UUID) -> PlaybackFacts | None:
        """See `StreamStore.playback_facts`."""
        query = select(streams.c.audience, streams.c.status).where(streams.c.id == stream_id)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).one_or_none()
        return None if row is None else PlaybackFacts(stream_id, row.audience, row.status)

    async def history(self, stream_id: UUID) -> Sequence[StatusChange]:
        """Every status that the stream has entered, in order, as committed."""
        query = (
            select(status_changes)
            .where(status_changes.c.stream_id == stream_id)
            .order_by(status_changes.c.id)
        )
        async with self._database.read() as connection:
            return [
                StatusChange(row.stream_id, row.from_status, row.to_status, row.at, row.reason)
                for row in await connection.execute(query)
            ]

    async def _enter(
        self,
        connection: AsyncConnection,
        stream_id: UUID,
        status: StreamStatus,
        refusal: type[ControllerError],
        values: dict[str, Any],
        reason: str | None = None,
    ) -> Stream:
        """The one setter of a status: checks the table, compares and sets, writes the history."""
        now = self._clock.now()
        before = (await lock_stream(connection, stream_id)).status
        if status not in STATUS_TRANSITIONS[before]:
            raise refusal
        changed = await connection.execute(
            update(streams)
            .where(streams.c.id == stream_id, streams.c.status == before)
            .values(status=status, updated_at=now, **values)
            .returning(streams)
        )
        row = changed.one_or_none()
        if row is None:
            raise refusal
        await connection.execute(
            insert(status_changes).values(
                stream_id=stream_id, from_status=before, to_status=status, at=now, reason=reason
            )
        )
        return stream_from(row)


def _finished(now: datetime) -> dict[str, Any]:
    return {"ingest_state": IngestState.FINISHED, "ingest_state_since": now}


def _found(row: Row[Any] | None) -> Stream:
    if row is None:
        raise StreamNotFound
    return stream_from(row)
