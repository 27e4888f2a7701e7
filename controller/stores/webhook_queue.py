"""What is to be delivered: claimed by leases, in order per stream and endpoint."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    and_,
    case,
    delete,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)

from controller.domain.ports import Clock
from controller.domain.webhooks import AttemptOutcome, DeliveryState, DueDelivery
from controller.stores.database import Database
from controller.stores.webhook_schema import (
    webhook_attempts,
    webhook_deliveries,
    webhook_endpoints,
    webhook_events,
)

_GONE = "gone"


class SqlWebhookQueue:
    """The `WebhookQueue` over either database."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def claim(
        self, worker: str, lease_s: float, free: Mapping[UUID, int], otherwise: int, limit: int
    ) -> Sequence[DueDelivery]:
        """See `WebhookQueue.claim`."""
        now = self._clock.now()
        async with self._database.read() as connection:
            found = (await connection.execute(_due(now, free, otherwise, limit))).scalars().all()
        if not found:
            return []
        # Another worker may have been faster: the lease goes to whoever writes it first.
        taking = (
            update(webhook_deliveries)
            .where(webhook_deliveries.c.id.in_(found), _is_free(now))
            .values(
                worker=worker,
                lease_until=now + timedelta(seconds=lease_s),
                attempts=webhook_deliveries.c.attempts + 1,
            )
            .returning(webhook_deliveries.c.id)
        )
        async with self._database.write() as connection:
            taken = (await connection.execute(taking)).scalars().all()
            if not taken:
                return []
            rows = (await connection.execute(_to_send(taken))).all()
        return [_due_from(row, now) for row in rows]

    async def settle(self, due: DueDelivery, worker: str, outcome: AttemptOutcome) -> bool:
        """See `WebhookQueue.settle`."""
        now, attempt = self._clock.now(), outcome.attempt
        is_over = outcome.state is not DeliveryState.PENDING
        settling = (
            update(webhook_deliveries)
            .where(_held(due.id, worker))
            .values(
                state=outcome.state,
                worker=None,
                lease_until=None,
                not_before=now + timedelta(seconds=outcome.pause_s),
                finished_at=now if is_over else None,
            )
        )
        async with self._database.write() as connection:
            is_ours = bool((await connection.execute(settling)).rowcount)
            if is_ours:
                await connection.execute(
                    insert(webhook_attempts).values(
                        delivery_id=due.id,
                        at=attempt.at,
                        duration_ms=attempt.duration_ms,
                        status=attempt.status,
                        error=attempt.error,
                    )
                )
                if outcome.endpoint_gone:
                    await connection.execute(
                        update(webhook_endpoints)
                        .where(webhook_endpoints.c.id == due.endpoint_id)
                        .values(is_enabled=False, disabled_reason=_GONE, updated_at=now)
                    )
        return is_ours

    async def give_back(self, due: Sequence[DueDelivery], worker: str) -> None:
        """See `WebhookQueue.give_back`."""
        async with self._database.write() as connection:
            for one in due:
                await connection.execute(
                    update(webhook_deliveries)
                    .where(_held(one.id, worker))
                    .values(
                        worker=None, lease_until=None, attempts=webhook_deliveries.c.attempts - 1
                    )
                )

    async def prune(self, keep_days: int, limit: int) -> int:
        """See `WebhookQueue.prune`."""
        old = self._clock.now() - timedelta(days=keep_days)
        # What waits for an endpoint that is switched off waits no longer than the rest.
        needed = exists().where(
            webhook_deliveries.c.event_seq == webhook_events.c.seq,
            webhook_deliveries.c.state == DeliveryState.PENDING,
            webhook_endpoints.c.id == webhook_deliveries.c.endpoint_id,
            webhook_endpoints.c.is_enabled,
        )
        some = (
            select(webhook_events.c.seq)
            .where(webhook_events.c.created_at < old, ~needed)
            .order_by(webhook_events.c.created_at)
            .limit(limit)
        )
        async with self._database.write() as connection:
            gone = await connection.execute(
                delete(webhook_events).where(webhook_events.c.seq.in_(some))
            )
            return gone.rowcount


def _is_free(now: datetime) -> ColumnElement[bool]:
    lease = webhook_deliveries.c.lease_until
    return and_(
        webhook_deliveries.c.state == DeliveryState.PENDING,
        webhook_deliveries.c.not_before <= now,
        or_(lease.is_(None), lease < now),
    )


def _held(delivery_id: UUID, worker: str) -> ColumnElement[bool]:
    return and_(
        webhook_deliveries.c.id == delivery_id,
        webhook_deliveries.c.state == DeliveryState.PENDING,
        webhook_deliveries.c.worker == worker,
    )


def _due(now: datetime, free: Mapping[UUID, int], otherwise: int, limit: int) -> Select[Any]:
    """Of each stream and endpoint the oldest that is not finished, if it is due; of each endpoint
    as many as the worker can take.
    """
    earlier = webhook_deliveries.alias("earlier")
    is_first = ~exists().where(
        earlier.c.endpoint_id == webhook_deliveries.c.endpoint_id,
        earlier.c.stream_id == webhook_deliveries.c.stream_id,
        earlier.c.state == DeliveryState.PENDING,
        earlier.c.event_seq < webhook_deliveries.c.event_seq,
    )
    endpoint = webhook_deliveries.c.endpoint_id
    ranked = (
        select(
            webhook_deliveries.c.id,
            webhook_deliveries.c.not_before,
            endpoint.label("endpoint_id"),
            func.row_number()
            .over(
                partition_by=endpoint,
                order_by=(webhook_deliveries.c.not_before, webhook_deliveries.c.event_seq),
            )
            .label("place"),
        )
        .join(webhook_endpoints, webhook_endpoints.c.id == endpoint)
        .where(webhook_endpoints.c.is_enabled, _is_free(now), is_first)
        .subquery()
    )
    allowed: ColumnElement[int] = literal(otherwise)
    if free:
        allowed = case(dict(free), value=ranked.c.endpoint_id, else_=otherwise)
    return (
        select(ranked.c.id)
        .where(ranked.c.place <= allowed)
        .order_by(ranked.c.place, ranked.c.not_before)
        .limit(limit)
    )


def _to_send(ids: Sequence[UUID]) -> Select[Any]:
    return (
        select(
            webhook_deliveries.c.id,
            webhook_deliveries.c.endpoint_id,
            webhook_deliveries.c.attempts,
            webhook_events.c.id.label("event_id"),
            webhook_events.c.body,
            webhook_endpoints.c.url,
            webhook_endpoints.c.secret,
            webhook_endpoints.c.previous_secret,
            webhook_endpoints.c.previous_until,
        )
        .join(webhook_events, webhook_events.c.seq == webhook_deliveries.c.event_seq)
        .join(webhook_endpoints, webhook_endpoints.c.id == webhook_deliveries.c.endpoint_id)
        .where(webhook_deliveries.c.id.in_(ids))
    )


def _due_from(row: Row[Any], now: datetime) -> DueDelivery:
    sealed = [row.secret]
    if row.previous_secret is not None and row.previous_until > now:
        sealed.append(row.previous_secret)
    return DueDelivery(
        id=row.id,
        endpoint_id=row.endpoint_id,
        event_id=row.event_id,
        body=row.body,
        url=row.url,
        sealed_secrets=tuple(sealed),
        attempts=row.attempts,
    )
