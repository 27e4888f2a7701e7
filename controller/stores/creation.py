"""A stream's first transaction: itself, its products, its key, and the repeatable answer."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from controller.domain.publications import StoredKey
from controller.domain.states import StreamStatus
from controller.domain.streams import Audience, CreatedStream, IdempotentCall, Stream
from controller.errors import IdempotencyKeyReused, ProductsNotAvailable
from controller.stores.rows import stream_columns
from controller.stores.schema import idempotent_calls, status_changes, streams
from controller.stores.statements import insert_into
from controller.stores.stream_keys import insert_key
from controller.stores.stream_products import add_products, all_for_sale

IDEMPOTENCY_LIFE = timedelta(hours=24)


async def insert_stream(
    connection: AsyncConnection,
    stream: Stream,
    product_ids: Sequence[UUID],
    key: StoredKey,
    idempotency: IdempotentCall | None,
) -> CreatedStream:
    """Write everything, or answer as the first of several equal calls was answered."""
    wanted = list(dict.fromkeys(product_ids))
    created = CreatedStream(
        stream_id=stream.id,
        title=stream.title,
        status=stream.status,
        audience=stream.options.audience,
        estimated_duration_min=stream.options.estimated_duration_min,
        product_count=len(wanted),
        created_at=stream.created_at,
    )
    if idempotency is not None:
        earlier = await _claim(connection, idempotency, created)
        if earlier is not None:
            return earlier
    if not await all_for_sale(connection, stream.owner_id, wanted):
        raise ProductsNotAvailable
    await connection.execute(insert(streams).values(**stream_columns(stream)))
    await connection.execute(
        insert(status_changes).values(
            stream_id=stream.id, to_status=stream.status, at=stream.created_at
        )
    )
    await add_products(connection, stream.id, wanted, stream.created_at)
    await insert_key(connection, stream.id, key, stream.created_at)
    return created


async def _claim(
    connection: AsyncConnection, call: IdempotentCall, answer: CreatedStream
) -> CreatedStream | None:
    """Take the caller's key, or the answer of whoever took it before with the same request.

    A concurrent equal call waits here, on the row's unique key, until the first one commits.
    """
    await connection.execute(
        delete(idempotent_calls).where(
            idempotent_calls.c.user_id == call.user_id,
            idempotent_calls.c.created_at < answer.created_at - IDEMPOTENCY_LIFE,
        )
    )
    claimed = await connection.execute(
        insert_into(connection, idempotent_calls)
        .values(
            user_id=call.user_id,
            key=call.key,
            fingerprint=call.fingerprint,
            answer=_as_json(answer),
            created_at=answer.created_at,
        )
        .on_conflict_do_nothing()
        .returning(idempotent_calls.c.key)
    )
    if claimed.one_or_none() is not None:
        return None
    query = select(idempotent_calls).where(
        idempotent_calls.c.user_id == call.user_id, idempotent_calls.c.key == call.key
    )
    row = (await connection.execute(query)).one()
    if row.fingerprint != call.fingerprint:
        raise IdempotencyKeyReused
    return replace(_from_json(row.answer), replayed=True)


def _as_json(created: CreatedStream) -> dict[str, Any]:
    return {
        "stream_id": str(created.stream_id),
        "title": created.title,
        "status": created.status,
        "audience": created.audience,
        "estimated_duration_min": created.estimated_duration_min,
        "product_count": created.product_count,
        "created_at": created.created_at.isoformat(),
    }


def _from_json(answer: dict[str, Any]) -> CreatedStream:
    return CreatedStream(
        stream_id=UUID(answer["stream_id"]),
        title=answer["title"],
        status=StreamStatus(answer["status"]),
        audience=Audience(answer["audience"]),
        estimated_duration_min=answer["estimated_duration_min"],
        product_count=answer["product_count"],
        created_at=datetime.fromisoformat(answer["created_at"]),
    )
