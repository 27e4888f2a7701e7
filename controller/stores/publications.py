"""Publications: which encoder is, and was, publishing which stream."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID, uuid4

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from controller.domain.ports import Clock
from controller.domain.publications import Publication, Publisher
from controller.domain.states import StreamStatus
from controller.errors import AlreadyPublishing, KeyRevoked, StreamNotLive
from controller.stores.database import Database
from controller.stores.rows import publication_from
from controller.stores.schema import publications, stream_keys
from controller.stores.statements import lock_stream


class SqlPublications:
    """The `PublicationStore` over either database."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def open(
        self, stream_id: UUID, key_id: UUID, internal_name: str, publisher: Publisher
    ) -> Publication:
        """See `PublicationStore.open`.

        The stream's row is held meanwhile, so a publication is opened either before the stream
        ends or its key is replaced, and then `list_open` has it, or not at all.
        """
        async with self._database.write() as connection:
            stream = await lock_stream(connection, stream_id)
            if stream.status is not StreamStatus.LIVE:
                raise StreamNotLive
            active = select(stream_keys.c.id).where(
                stream_keys.c.id == key_id,
                stream_keys.c.stream_id == stream_id,
                stream_keys.c.revoked_at.is_(None),
            )
            if (await connection.execute(active)).one_or_none() is None:
                raise KeyRevoked
            already = select(publications.c.id).where(
                publications.c.stream_id == stream_id, publications.c.ended_at.is_(None)
            )
            if (await connection.execute(already)).one_or_none() is not None:
                raise AlreadyPublishing
            try:
                opened = await connection.execute(
                    insert(publications)
                    .values(
                        id=uuid4(),
                        stream_id=stream_id,
                        internal_name=internal_name,
                        nginx_instance=publisher.nginx_instance,
                        nginx_client_id=publisher.nginx_client_id,
                        client_address=publisher.client_address,
                        started_at=self._clock.now(),
                    )
                    .returning(publications)
                )
            except IntegrityError as error:
                # A name used twice: names are random, so this is a defect of the caller.
                raise ValueError("the internal name is taken") from error
            return publication_from(opened.one())

    async def close(self, publication_id: UUID, reason: str) -> Publication | None:
        """See `PublicationStore.close`."""
        async with self._database.write() as connection:
            closed = await connection.execute(
                update(publications)
                .where(publications.c.id == publication_id, publications.c.ended_at.is_(None))
                .values(ended_at=self._clock.now(), end_reason=reason)
                .returning(publications)
            )
            row = closed.one_or_none()
            return None if row is None else publication_from(row)

    async def find_open(self, stream_id: UUID) -> Publication | None:
        """See `PublicationStore.find_open`."""
        query = select(publications).where(
            publications.c.stream_id == stream_id, publications.c.ended_at.is_(None)
        )
        async with self._database.read() as connection:
            row = (await connection.execute(query)).one_or_none()
        return None if row is None else publication_from(row)

    async def list_open(self) -> Sequence[Publication]:
        """See `PublicationStore.list_open`."""
        query = (
            select(publications)
            .where(publications.c.ended_at.is_(None))
            .order_by(publications.c.started_at, publications.c.id)
        )
        async with self._database.read() as connection:
            return [publication_from(row) for row in await connection.execute(query)]

    async def forget_addresses(self, keep_days: int, limit: int) -> int:
        """See `PublicationStore.forget_addresses`."""
        some = (
            select(publications.c.id)
            .where(
                publications.c.ended_at < self._clock.now() - timedelta(days=keep_days),
                publications.c.client_address != "",
            )
            .limit(limit)
        )
        async with self._database.write() as connection:
            forgotten = await connection.execute(
                update(publications).where(publications.c.id.in_(some)).values(client_address="")
            )
            return forgotten.rowcount
