"""Stream keys: found by their keyed hash, one active per stream, revoked ones remembered."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import and_, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from controller.domain.ports import Clock
from controller.domain.publications import KeyMatch, KeyState, StoredKey
from controller.domain.states import StreamStatus
from controller.errors import KeyNotRotatable
from controller.stores.database import Database
from controller.stores.rehearsal_schema import rehearsals
from controller.stores.rehearsals import end_rehearsal
from controller.stores.rows import key_from
from controller.stores.schema import stream_keys, streams
from controller.stores.statements import lock_stream

_KEY_MATTERS = frozenset({StreamStatus.SCHEDULED, StreamStatus.LIVE})


class SqlStreamKeys:
    """The `KeyStore` over either database."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def find(self, lookup_hash: str) -> KeyMatch | None:
        """See `KeyStore.find`."""
        is_rehearsed = and_(
            rehearsals.c.stream_id == streams.c.id,
            rehearsals.c.ended_at.is_(None),
            rehearsals.c.expires_at > self._clock.now(),
            streams.c.status == StreamStatus.SCHEDULED,
        )
        query = (
            select(
                stream_keys.c.id.label("key_id"),
                stream_keys.c.revoked_at,
                streams.c.id,
                streams.c.owner_id,
                streams.c.status,
                streams.c.ingest_state,
                streams.c.record_stream,
                rehearsals.c.id.label("rehearsal_id"),
            )
            .select_from(stream_keys.join(streams).outerjoin(rehearsals, is_rehearsed))
            .where(stream_keys.c.lookup_hash == lookup_hash)
        )
        async with self._database.read() as connection:
            row = (await connection.execute(query)).one_or_none()
        if row is None:
            return None
        return KeyMatch(
            key_id=row.key_id,
            key_state=KeyState.ACTIVE if row.revoked_at is None else KeyState.REVOKED,
            stream_id=row.id,
            owner_id=row.owner_id,
            stream_status=row.status,
            ingest_state=row.ingest_state,
            record_stream=row.record_stream,
            rehearsal_id=row.rehearsal_id,
        )

    async def active(self, stream_ids: Sequence[UUID]) -> Mapping[UUID, StoredKey]:
        """See `KeyStore.active`."""
        if not stream_ids:
            return {}
        query = select(stream_keys).where(
            stream_keys.c.stream_id.in_(stream_ids), stream_keys.c.revoked_at.is_(None)
        )
        async with self._database.read() as connection:
            return dict(key_from(row) for row in await connection.execute(query))

    async def rotate(self, stream_id: UUID, new: StoredKey) -> None:
        """See `KeyStore.rotate`."""
        now = self._clock.now()
        async with self._database.write() as connection:
            stream = await lock_stream(connection, stream_id)
            if stream.status not in _KEY_MATTERS:
                raise KeyNotRotatable
            await connection.execute(
                update(stream_keys)
                .where(stream_keys.c.stream_id == stream_id, stream_keys.c.revoked_at.is_(None))
                .values(revoked_at=now)
            )
            await insert_key(connection, stream_id, new, now)
            await end_rehearsal(connection, stream_id, now)


async def insert_key(
    connection: AsyncConnection, stream_id: UUID, key: StoredKey, at: datetime
) -> None:
    """Store a key as the stream's active one."""
    await connection.execute(
        insert(stream_keys).values(
            id=key.id,
            stream_id=stream_id,
            lookup_hash=key.lookup_hash,
            ciphertext=key.ciphertext,
            created_at=at,
        )
    )
