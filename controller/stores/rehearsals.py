"""Rehearsals, and the encoder of each: one row, which goes when nothing is left to remove."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, Row, Select, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from controller.domain.access import PlaybackFacts
from controller.domain.ports import Clock
from controller.domain.publications import Publication, Publisher
from controller.domain.rehearsals import Rehearsal, new_rehearsal_id
from controller.domain.states import INGEST_TRANSITIONS, IngestState, StreamStatus
from controller.domain.streams import Audience
from controller.errors import (
    AlreadyPublishing,
    IllegalIngestState,
    KeyRevoked,
    StreamNotLive,
    StreamNotScheduled,
)
from controller.stores.database import Database
from controller.stores.rehearsal_schema import rehearsals
from controller.stores.schema import stream_keys, streams
from controller.stores.statements import lock_stream

_NOBODY: Mapping[str, None] = {
    "publication_id": None,
    "internal_name": None,
    "nginx_client_id": None,
    "client_address": None,
    "published_at": None,
}


class SqlRehearsals:
    """The `RehearsalStore`, and the `PublicationStore`'s part for encoders in rehearsals, over
    either database. A publication's `stream_id` is the rehearsal's id here.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def begin(self, stream_id: UUID, lasts: timedelta) -> tuple[Rehearsal, bool]:
        """See `RehearsalStore.begin`."""
        now = self._clock.now()
        async with self._database.write() as connection:
            stream = await lock_stream(connection, stream_id)
            if stream.status is not StreamStatus.SCHEDULED:
                raise StreamNotScheduled
            await end_rehearsal(connection, stream_id, now, rehearsals.c.expires_at <= now)
            found = (await connection.execute(_running(stream_id))).one_or_none()
            if found is not None:
                return self._rehearsal(found), False
            rehearsal_id = new_rehearsal_id()
            await connection.execute(
                insert(rehearsals).values(
                    id=rehearsal_id,
                    stream_id=stream_id,
                    started_at=now,
                    expires_at=now + lasts,
                    ingest_state=IngestState.IDLE,
                    ingest_state_since=now,
                )
            )
            return self._rehearsal((await connection.execute(_by_id(rehearsal_id))).one()), True

    async def running(self, stream_id: UUID) -> Rehearsal | None:
        """See `RehearsalStore.running`."""
        async with self._database.read() as connection:
            row = (await connection.execute(_running(stream_id))).one_or_none()
        rehearsal = None if row is None else self._rehearsal(row)
        return None if rehearsal is None or rehearsal.is_over else rehearsal

    async def find(self, rehearsal_id: UUID) -> Rehearsal | None:
        """See `RehearsalStore.find`."""
        async with self._database.read() as connection:
            row = (await connection.execute(_by_id(rehearsal_id))).one_or_none()
        return None if row is None else self._rehearsal(row)

    async def all(self) -> Sequence[Rehearsal]:
        """See `RehearsalStore.all`."""
        query = _selected().order_by(rehearsals.c.started_at, rehearsals.c.id)
        async with self._database.read() as connection:
            return [self._rehearsal(row) for row in await connection.execute(query)]

    async def end(self, stream_id: UUID) -> Sequence[UUID]:
        """See `RehearsalStore.end`."""
        async with self._database.write() as connection:
            await lock_stream(connection, stream_id)
            await end_rehearsal(connection, stream_id, self._clock.now())
            left = select(rehearsals.c.id).where(rehearsals.c.stream_id == stream_id)
            return [*(await connection.execute(left)).scalars()]

    async def forget(self, rehearsal_id: UUID) -> None:
        """See `RehearsalStore.forget`."""
        async with self._database.write() as connection:
            await connection.execute(
                delete(rehearsals).where(
                    rehearsals.c.id == rehearsal_id, rehearsals.c.publication_id.is_(None)
                )
            )

    async def set_ingest_state(
        self, rehearsal_id: UUID, from_state: IngestState, to_state: IngestState
    ) -> Rehearsal:
        """See `RehearsalStore.set_ingest_state`."""
        if to_state not in INGEST_TRANSITIONS[from_state]:
            raise IllegalIngestState
        async with self._database.write() as connection:
            changed = await connection.execute(
                update(rehearsals)
                .where(rehearsals.c.id == rehearsal_id, rehearsals.c.ingest_state == from_state)
                .values(ingest_state=to_state, ingest_state_since=self._clock.now())
            )
            if changed.rowcount == 0:
                raise IllegalIngestState
            return self._rehearsal((await connection.execute(_by_id(rehearsal_id))).one())

    async def playback_facts(self, rehearsal_id: UUID) -> PlaybackFacts | None:
        """What decides about the rehearsal's media: a token is needed, which its owner alone gets;
        None when it is over, for then they are nobody's.
        """
        rehearsal = await self.find(rehearsal_id)
        if rehearsal is None or rehearsal.is_over:
            return None
        return PlaybackFacts(rehearsal_id, Audience.FOLLOWERS, StreamStatus.SCHEDULED)

    # --- encoders

    async def open(
        self, rehearsal_id: UUID, key_id: UUID, internal_name: str, publisher: Publisher
    ) -> Publication:
        """See `PublicationStore.open`; StreamNotLive when the rehearsal is over.

        The stream's row is held meanwhile, as there.
        """
        async with self._database.write() as connection:
            row = (await connection.execute(_by_id(rehearsal_id))).one_or_none()
            if row is None:
                raise StreamNotLive
            await lock_stream(connection, row.stream_id)
            row = (await connection.execute(_by_id(rehearsal_id))).one_or_none()
            if row is None or self._rehearsal(row).is_over:
                raise StreamNotLive
            active = select(stream_keys.c.id).where(
                stream_keys.c.id == key_id,
                stream_keys.c.stream_id == row.stream_id,
                stream_keys.c.revoked_at.is_(None),
            )
            if (await connection.execute(active)).one_or_none() is None:
                raise KeyRevoked
            if row.publication_id is not None:
                raise AlreadyPublishing
            values = {
                "publication_id": uuid4(),
                "internal_name": internal_name,
                "nginx_client_id": publisher.nginx_client_id,
                "client_address": publisher.client_address,
                "published_at": self._clock.now(),
            }
            try:
                await connection.execute(
                    update(rehearsals).where(rehearsals.c.id == rehearsal_id).values(**values)
                )
            except IntegrityError as error:
                raise ValueError("the internal name is taken") from error
            return _publication((await connection.execute(_by_id(rehearsal_id))).one())

    async def close(self, publication_id: UUID, reason: str) -> Publication | None:  # noqa: ARG002
        """See `PublicationStore.close`; nothing is kept of it, nor of the reason."""
        query = _selected().where(rehearsals.c.publication_id == publication_id)
        async with self._database.write() as connection:
            row = (await connection.execute(query)).one_or_none()
            if row is None:
                return None
            await connection.execute(
                update(rehearsals)
                .where(rehearsals.c.publication_id == publication_id)
                .values(**_NOBODY)
            )
            return _publication(row)

    async def list_open(self) -> Sequence[Publication]:
        """See `PublicationStore.list_open`."""
        query = (
            _selected()
            .where(rehearsals.c.publication_id.is_not(None))
            .order_by(rehearsals.c.published_at, rehearsals.c.id)
        )
        async with self._database.read() as connection:
            return [_publication(row) for row in await connection.execute(query)]

    def _rehearsal(self, row: Row[Any]) -> Rehearsal:
        is_over = (
            row.ended_at is not None
            or row.expires_at <= self._clock.now()
            or row.status is not StreamStatus.SCHEDULED
        )
        return Rehearsal(
            id=row.id,
            stream_id=row.stream_id,
            owner_id=row.owner_id,
            started_at=row.started_at,
            expires_at=row.expires_at,
            ingest_state=row.ingest_state,
            ingest_state_since=row.ingest_state_since,
            is_over=is_over,
        )


async def end_rehearsal(
    connection: AsyncConnection, stream_id: UUID, now: datetime, *conditions: ColumnElement[bool]
) -> None:
    """End what runs of the stream, whose row is locked; its media are removed later."""
    await connection.execute(
        update(rehearsals)
        .where(rehearsals.c.stream_id == stream_id, rehearsals.c.ended_at.is_(None), *conditions)
        .values(ended_at=now)
    )


def _selected() -> Select[Any]:
    return select(rehearsals, streams.c.owner_id, streams.c.status).select_from(
        rehearsals.join(streams)
    )


def _by_id(rehearsal_id: UUID) -> Select[Any]:
    return _selected().where(rehearsals.c.id == rehearsal_id)


def _running(stream_id: UUID) -> Select[Any]:
    return _selected().where(rehearsals.c.stream_id == stream_id, rehearsals.c.ended_at.is_(None))


def _publication(row: Row[Any]) -> Publication:
    return Publication(
        id=row.publication_id,
        stream_id=row.id,
        internal_name=row.internal_name,
        publisher=Publisher(row.nginx_client_id, row.client_address),
        started_at=row.published_at,
    )
