"""The outbox of webhooks: an event is written in the transaction of the change that it tells of.

So there is no change without its event, and no event of a change that was rolled back. A stream's
events get their order while its row is locked.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from controller.domain.states import IngestState, StreamStatus
from controller.domain.streams import Stream
from controller.domain.webhooks import (
    DeliveryState,
    NewEvent,
    WebhookEvent,
    milestones_passed,
    stream_event,
)
from controller.stores.schema import streams
from controller.stores.webhook_schema import (
    webhook_deliveries,
    webhook_endpoints,
    webhook_events,
)


async def listeners(
    connection: AsyncConnection, stream_id: UUID, kind: WebhookEvent
) -> Sequence[UUID]:
    """The endpoints that want to hear of it; for most installations none, and then no more is
    done.
    """
    owner = select(streams.c.owner_id).where(streams.c.id == stream_id).scalar_subquery()
    theirs: ColumnElement[bool] = webhook_endpoints.c.owner_id.is_(None)
    if not kind.is_global:
        theirs = or_(theirs, webhook_endpoints.c.owner_id == owner)
    query = select(webhook_endpoints.c.id, webhook_endpoints.c.events).where(
        webhook_endpoints.c.is_enabled, theirs
    )
    return [row.id for row in await connection.execute(query) if kind.value in row.events]


async def listeners_in_turn(
    connection: AsyncConnection, stream_id: UUID, kind: WebhookEvent
) -> Sequence[UUID]:
    """The same for a change that does not lock the stream's row by itself: locks it now if
    anybody listens, before anything else of the stream is touched.
    """
    found = await listeners(connection, stream_id, kind)
    if found:
        # Not against those who only refer to the stream, whose own lock would wait for ours.
        lock = select(streams.c.id).where(streams.c.id == stream_id)
        await connection.execute(lock.with_for_update(key_share=True))
    return found


async def write_event(
    connection: AsyncConnection, event: NewEvent, endpoints: Sequence[UUID], at: datetime
) -> None:
    """The event and its deliveries; the stream's row is locked by the caller."""
    if not endpoints:
        return
    body = json.dumps(
        {"type": event.type.value, "timestamp": at.isoformat(), "data": event.data},
        ensure_ascii=False,
        separators=(",", ":"),
    )
    written = await connection.execute(
        insert(webhook_events)
        .values(
            id=uuid4(), stream_id=event.stream_id, type=event.type.value, body=body, created_at=at
        )
        .returning(webhook_events.c.seq)
    )
    seq = written.scalar_one()
    rows = [
        {
            "id": uuid4(),
            "endpoint_id": endpoint_id,
            "event_seq": seq,
            "stream_id": event.stream_id,
            "state": DeliveryState.PENDING,
            "attempts": 0,
            "not_before": at,
            "created_at": at,
        }
        for endpoint_id in endpoints
    ]
    await connection.execute(insert(webhook_deliveries), rows)


async def tell(connection: AsyncConnection, event: NewEvent, at: datetime) -> None:
    """Write the event for whoever listens; the stream's row is locked by the caller."""
    endpoints = await listeners(connection, event.stream_id, event.type)
    await write_event(connection, event, endpoints, at)


async def tell_encoder(
    connection: AsyncConnection, stream: Stream, before: IngestState, at: datetime
) -> None:
    """Tell that a live stream has lost its encoder, or has it back."""
    if stream.status is not StreamStatus.LIVE:
        return
    if stream.ingest_state is IngestState.INTERRUPTED:
        await tell(connection, stream_event(WebhookEvent.STREAM_INTERRUPTED, stream), at)
    elif before is IngestState.INTERRUPTED and stream.ingest_state is IngestState.CONNECTED:
        await tell(connection, stream_event(WebhookEvent.STREAM_RESUMED, stream), at)


async def tell_milestones(
    connection: AsyncConnection, stream: Stream, peak_now: int, at: datetime
) -> None:
    """Tell each milestone that the stream's viewers have reached now for the first time."""
    for number in milestones_passed(stream.counters.peak_viewers, peak_now):
        event = stream_event(
            WebhookEvent.VIEWER_MILESTONE, stream, milestone=number, viewers=peak_now
        )
        await tell(connection, event, at)
