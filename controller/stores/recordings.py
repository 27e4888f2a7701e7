"""Recordings: what has become of each, and the rules that are its own."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from controller.domain.ports import Clock
from controller.domain.recordings import Recording, RecordingState
from controller.domain.webhooks import WebhookEvent, stream_event
from controller.stores.database import Database
from controller.stores.outbox import tell
from controller.stores.rows import stream_from
from controller.stores.schema import recordings
from controller.stores.statements import insert_into, lock_stream

_KEPT = (RecordingState.READY, RecordingState.UNSAVED)
_GONE = RecordingState.DELETED


class SqlRecordings:
    """The `RecordingStore` over either database."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def find(self, stream_id: UUID) -> Recording | None:
        """See `RecordingStore.find`."""
        query = select(recordings).where(recordings.c.stream_id == stream_id)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).one_or_none()
        return None if row is None else _recording_from(row)

    async def begin(self, stream_id: UUID, state: RecordingState) -> Recording:
        """See `RecordingStore.begin`."""
        now = self._clock.now()
        async with self._database.write() as connection:
            values = {"stream_id": stream_id, "state": state, "size_bytes": 0, "updated_at": now}
            # Of a stream that had only a rule of its own until now, the state begins here.
            begun = insert_into(connection, recordings).values(**values)
            await connection.execute(
                begun.on_conflict_do_update(
                    index_elements=["stream_id"],
                    set_={"state": state, "updated_at": now},
                    where=recordings.c.state == RecordingState.PENDING,
                )
            )
            query = select(recordings).where(recordings.c.stream_id == stream_id)
            return _recording_from((await connection.execute(query)).one())

    async def change(self, recording: Recording, was: RecordingState) -> bool:
        """See `RecordingStore.change`."""
        async with self._database.write() as connection:
            changed = await connection.execute(
                update(recordings)
                .where(recordings.c.stream_id == recording.stream_id, recordings.c.state == was)
                .values(
                    state=recording.state,
                    size_bytes=recording.size_bytes,
                    finished_at=recording.finished_at,
                    save_until=recording.save_until,
                    updated_at=self._clock.now(),
                )
                .returning(recordings.c.stream_id)
            )
            is_changed = changed.one_or_none() is not None
            if is_changed and recording.state is RecordingState.READY:
                await self._tell_ready(connection, recording)
            return is_changed

    async def _tell_ready(self, connection: AsyncConnection, recording: Recording) -> None:
        stream = stream_from(await lock_stream(connection, recording.stream_id))
        event = stream_event(
            WebhookEvent.RECORDING_READY,
            stream,
            vodUrl=stream.vod_url,
            duration=stream.duration_s,
            sizeBytes=recording.size_bytes,
        )
        await tell(connection, event, self._clock.now())

    async def set_keep_days(self, stream_id: UUID, keep_days: int | None) -> None:
        """See `RecordingStore.set_keep_days`."""
        now = self._clock.now()
        async with self._database.write() as connection:
            ruled = insert_into(connection, recordings).values(
                stream_id=stream_id,
                state=RecordingState.PENDING,
                size_bytes=0,
                keep_days=keep_days,
                updated_at=now,
            )
            await connection.execute(
                ruled.on_conflict_do_update(
                    index_elements=["stream_id"], set_={"keep_days": keep_days, "updated_at": now}
                )
            )

    async def kept(self) -> Sequence[Recording]:
        """See `RecordingStore.kept`."""
        query = (
            select(recordings)
            .where(
                recordings.c.state.in_(_KEPT)
                | ((recordings.c.state == _GONE) & (recordings.c.size_bytes > 0)),
                recordings.c.finished_at.is_not(None),
            )
            .order_by(recordings.c.finished_at, recordings.c.stream_id)
        )
        async with self._database.read() as connection:
            return [_recording_from(row) for row in await connection.execute(query)]


def _recording_from(row: Row[Any]) -> Recording:
    return Recording(
        stream_id=row.stream_id,
        state=row.state,
        size_bytes=row.size_bytes,
        keep_days=row.keep_days,
        finished_at=row.finished_at,
        save_until=row.save_until,
    )
