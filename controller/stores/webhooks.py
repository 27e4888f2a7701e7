"""Webhook endpoints, and the log of what was sent to each."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, and_, delete, func, insert, select, update

from controller.domain.paging import Cursor, Page, PageRequest
from controller.domain.ports import Clock
from controller.domain.webhooks import (
    DeliveryState,
    EndpointChanges,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookEvent,
)
from controller.errors import (
    DeliveryNotFound,
    DeliveryPending,
    TooManyWebhooks,
    WebhookNotFound,
)
from controller.stores.database import Database
from controller.stores.schema import users
from controller.stores.statements import before
from controller.stores.webhook_schema import (
    webhook_attempts,
    webhook_deliveries,
    webhook_endpoints,
    webhook_events,
)

MOST_ENDPOINTS = 20
"""Of one seller, and of the administrators together."""

_SHOWN = [column for column in webhook_endpoints.c if "secret" not in column.name]


class SqlWebhooks:
    """The `WebhookEndpointStore` over either database."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def add(self, endpoint: WebhookEndpoint, sealed_secret: bytes) -> None:
        """See `WebhookEndpointStore.add`."""
        mine = webhook_endpoints.c.owner_id.is_not_distinct_from(endpoint.owner_id)
        counting = select(func.count()).select_from(webhook_endpoints).where(mine)
        async with self._database.write() as connection:
            if endpoint.owner_id is not None:  # two of its calls take turns
                owner = select(users.c.id).where(users.c.id == endpoint.owner_id)
                await connection.execute(owner.with_for_update(key_share=True))
            if (await connection.execute(counting)).scalar_one() >= MOST_ENDPOINTS:
                raise TooManyWebhooks
            await connection.execute(
                insert(webhook_endpoints).values(
                    id=endpoint.id,
                    owner_id=endpoint.owner_id,
                    url=endpoint.url,
                    events=[event.value for event in endpoint.events],
                    description=endpoint.description,
                    is_enabled=endpoint.is_enabled,
                    secret=sealed_secret,
                    created_at=endpoint.created_at,
                    updated_at=endpoint.updated_at,
                )
            )

    async def get(self, endpoint_id: UUID) -> WebhookEndpoint:
        """See `WebhookEndpointStore.get`."""
        query = select(*_SHOWN).where(webhook_endpoints.c.id == endpoint_id)
        async with self._database.read() as connection:
            return _found((await connection.execute(query)).one_or_none())

    async def list(self, owner_id: UUID | None, page: PageRequest) -> Page[WebhookEndpoint]:
        """See `WebhookEndpointStore.list`."""
        at, row_id = webhook_endpoints.c.created_at, webhook_endpoints.c.id
        query = (
            select(*_SHOWN)
            .where(webhook_endpoints.c.owner_id.is_not_distinct_from(owner_id))
            .order_by(at.desc(), row_id.desc())
            .limit(page.limit + 1)
        )
        if page.after is not None:
            query = query.where(before(at, row_id, page.after))
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        found = [_endpoint_from(row) for row in rows[: page.limit]]
        last = found[-1] if len(rows) > page.limit else None
        return Page(found, None if last is None else Cursor(last.created_at, last.id))

    async def change(self, endpoint_id: UUID, changes: EndpointChanges) -> WebhookEndpoint:
        """See `WebhookEndpointStore.change`."""
        values = {**changes.values, "updated_at": self._clock.now()}
        if "events" in values:
            values["events"] = [WebhookEvent(event).value for event in changes.values["events"]]  # type: ignore[attr-defined]
        if "is_enabled" in values:
            values["disabled_reason"] = None
        async with self._database.write() as connection:
            changed = await connection.execute(
                update(webhook_endpoints)
                .where(webhook_endpoints.c.id == endpoint_id)
                .values(values)
                .returning(*_SHOWN)
            )
            return _found(changed.one_or_none())

    async def delete(self, endpoint_id: UUID) -> None:
        """See `WebhookEndpointStore.delete`."""
        gone = delete(webhook_endpoints).where(webhook_endpoints.c.id == endpoint_id)
        async with self._database.write() as connection:
            if not (await connection.execute(gone)).rowcount:
                raise WebhookNotFound

    async def rotate(self, endpoint_id: UUID, sealed_secret: bytes, overlap_s: float) -> None:
        """See `WebhookEndpointStore.rotate`."""
        now = self._clock.now()
        rotating = (
            update(webhook_endpoints)
            .where(webhook_endpoints.c.id == endpoint_id)
            .values(
                secret=sealed_secret,
                previous_secret=webhook_endpoints.c.secret,
                previous_until=now + timedelta(seconds=overlap_s),
                updated_at=now,
            )
        )
        async with self._database.write() as connection:
            if not (await connection.execute(rotating)).rowcount:
                raise WebhookNotFound

    async def deliveries(
        self, endpoint_id: UUID, state: DeliveryState | None, page: PageRequest
    ) -> Page[WebhookDelivery]:
        """See `WebhookEndpointStore.deliveries`."""
        at, row_id = webhook_deliveries.c.created_at, webhook_deliveries.c.id
        query = _log().where(webhook_deliveries.c.endpoint_id == endpoint_id)
        if state is not None:
            query = query.where(webhook_deliveries.c.state == state)
        if page.after is not None:
            query = query.where(before(at, row_id, page.after))
        query = query.order_by(at.desc(), row_id.desc()).limit(page.limit + 1)
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        found = [_delivery_from(row) for row in rows[: page.limit]]
        last = found[-1] if len(rows) > page.limit else None
        return Page(found, None if last is None else Cursor(last.created_at, last.id))

    async def resend(self, endpoint_id: UUID, delivery_id: UUID) -> WebhookDelivery:
        """See `WebhookEndpointStore.resend`."""
        which = and_(
            webhook_deliveries.c.id == delivery_id, webhook_deliveries.c.endpoint_id == endpoint_id
        )
        async with self._database.write() as connection:
            again = await connection.execute(
                update(webhook_deliveries)
                .where(which, webhook_deliveries.c.state != DeliveryState.PENDING)
                .values(**self._once_more())
            )
            row = (await connection.execute(_log().where(which))).one_or_none()
            if row is None:
                raise DeliveryNotFound
            if not again.rowcount:
                raise DeliveryPending
            return _delivery_from(row)

    async def resend_dead(self, endpoint_id: UUID) -> int:
        """See `WebhookEndpointStore.resend_dead`."""
        async with self._database.write() as connection:
            again = await connection.execute(
                update(webhook_deliveries)
                .where(
                    webhook_deliveries.c.endpoint_id == endpoint_id,
                    webhook_deliveries.c.state == DeliveryState.DEAD,
                )
                .values(**self._once_more())
            )
            return again.rowcount

    def _once_more(self) -> dict[str, Any]:
        return {
            "state": DeliveryState.PENDING,
            "attempts": 0,
            "not_before": self._clock.now(),
            "finished_at": None,
        }


def _log() -> Select[Any]:
    """Deliveries with their event and the last try."""
    tries = webhook_attempts.alias("tries")
    latest = (
        select(func.max(tries.c.id))
        .where(tries.c.delivery_id == webhook_deliveries.c.id)
        .scalar_subquery()
    )
    return (
        select(
            webhook_deliveries,
            webhook_events.c.id.label("event_id"),
            webhook_events.c.type,
            webhook_attempts.c.at,
            webhook_attempts.c.duration_ms,
            webhook_attempts.c.status,
            webhook_attempts.c.error,
        )
        .join(webhook_events, webhook_events.c.seq == webhook_deliveries.c.event_seq)
        .outerjoin(webhook_attempts, webhook_attempts.c.id == latest)
    )


def _found(row: Row[Any] | None) -> WebhookEndpoint:
    if row is None:
        raise WebhookNotFound
    return _endpoint_from(row)


def _endpoint_from(row: Row[Any]) -> WebhookEndpoint:
    return WebhookEndpoint(
        id=row.id,
        owner_id=row.owner_id,
        url=row.url,
        events=_known(row.events),
        description=row.description,
        is_enabled=row.is_enabled,
        disabled_reason=row.disabled_reason,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _known(events: Sequence[str]) -> tuple[WebhookEvent, ...]:
    """Words of another release are left out."""
    return tuple(event for event in WebhookEvent if event.value in events)


def _delivery_from(row: Row[Any]) -> WebhookDelivery:
    last = None
    if row.at is not None:
        last = WebhookAttempt(row.at, row.duration_ms, row.status, row.error)
    return WebhookDelivery(
        id=row.id,
        event_id=row.event_id,
        type=WebhookEvent(row.type),
        stream_id=row.stream_id,
        state=row.state,
        attempts=row.attempts,
        not_before=row.not_before,
        created_at=row.created_at,
        finished_at=row.finished_at,
        last=last,
    )
