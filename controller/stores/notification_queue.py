"""What is to be told on whose device: looked up in batches, claimed by leases."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, and_, case, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from controller.domain.notifications import (
    DuePush,
    FannedOut,
    NotificationStatus,
    PushMessage,
    PushState,
    SettledPush,
)
from controller.domain.ports import Clock
from controller.domain.states import StreamStatus
from controller.domain.streams import Stream
from controller.domain.webhooks import NewEvent, WebhookEvent
from controller.stores.audience import position_of
from controller.stores.database import Database
from controller.stores.notification_schema import notification_fanouts, push_deliveries
from controller.stores.notifications import recipients
from controller.stores.outbox import listeners_in_turn, write_event
from controller.stores.rows import stream_from
from controller.stores.schema import notifications, push_devices, streams, users
from controller.stores.statements import insert_into

_HOST_MOST_CHARACTERS = 100
_MOST_DEVICES = 10


class SqlNotifications:
    """The `NotificationStore` over either database."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def fan_out(self, batch: int) -> FannedOut | None:
        """See `NotificationStore.fan_out`."""
        waiting = (
            select(notification_fanouts, streams)
            .join(streams, streams.c.id == notification_fanouts.c.stream_id)
            .where(notification_fanouts.c.done_at.is_(None))
            .order_by(notification_fanouts.c.queued_at)
            .limit(1)
        )
        async with self._database.read() as connection:  # mostly there is nothing to do
            if (await connection.execute(waiting)).first() is None:
                return None
        turn = waiting.with_for_update(of=notification_fanouts, skip_locked=True)
        async with self._database.write() as connection:
            row = (await connection.execute(turn)).first()
            if row is None:
                return None
            return await self._expand(connection, row, batch)

    async def _expand(self, connection: AsyncConnection, row: Row[Any], batch: int) -> FannedOut:
        stream, now = stream_from(row), self._clock.now()
        is_over = stream.status is not StreamStatus.LIVE
        # Before anything refers to the stream: whoever ends it would wait for that, and we for it.
        webhooks = await listeners_in_turn(connection, stream.id, WebhookEvent.NOTIFICATION_QUEUED)
        host_at = await position_of(connection, stream.owner_id)
        query = recipients(stream, host_at, row.queued_at, row.after_user_id).limit(batch)
        people = [] if is_over else (await connection.execute(query)).scalars().all()
        fresh = await _note_people(connection, stream.id, row.kind, people, now)
        devices = await _queue_devices(connection, stream.id, row.kind, fresh, now)
        if fresh:
            event = _word_for_webhooks(stream, row.kind, fresh)
            await write_event(connection, event, webhooks, now)
        is_last = len(people) < batch
        await connection.execute(
            update(notification_fanouts)
            .where(
                notification_fanouts.c.stream_id == stream.id,
                notification_fanouts.c.kind == row.kind,
            )
            .values(
                after_user_id=people[-1] if people else row.after_user_id,
                expanded=notification_fanouts.c.expanded + len(fresh),
                done_at=now if is_last else None,
            )
        )
        return FannedOut(len(fresh), devices)

    async def claim(self, worker: str, lease_s: float, limit: int) -> Sequence[DuePush]:
        """See `NotificationStore.claim`."""
        now = self._clock.now()
        some = select(push_deliveries.c.id).where(_is_due(now)).limit(limit)
        some = some.order_by(push_deliveries.c.not_before, push_deliveries.c.id)
        async with self._database.read() as connection:  # mostly there is nothing to do
            if (await connection.execute(some.limit(1))).first() is None:
                return []
        taking = (
            update(push_deliveries)
            .where(push_deliveries.c.id.in_(some.with_for_update(skip_locked=True)))
            .values(
                worker=worker,
                lease_until=now + timedelta(seconds=lease_s),
                attempts=push_deliveries.c.attempts + 1,
            )
            .returning(push_deliveries.c.id)
        )
        async with self._database.write() as connection:
            taken = (await connection.execute(taking)).scalars().all()
            lost = await _give_up(connection, taken, now)
            rows = (await connection.execute(_to_send(set(taken) - lost))).all()
        return [_due_from(row) for row in rows]

    async def settle(self, settled: Sequence[SettledPush], worker: str) -> None:
        """See `NotificationStore.settle`."""
        now = self._clock.now()
        told = [one for one in settled if one.state is PushState.DELIVERED]
        dead = [one for one in settled if one.state is PushState.DEAD]
        async with self._database.write() as connection:
            await _finish(
                connection, [one.due.id for one in told], PushState.DELIVERED, worker, now
            )
            for one in settled:
                if one.state is not PushState.DELIVERED:
                    await _note(connection, one, worker, now)
            for one in told:
                await connection.execute(
                    update(notifications)
                    .where(
                        notifications.c.stream_id == one.due.message.stream_id,
                        notifications.c.user_id == one.due.user_id,
                        notifications.c.delivered_at.is_(None),
                    )
                    .values(delivered_at=now)
                )
            for one in dead:
                await connection.execute(
                    delete(push_devices).where(
                        push_devices.c.user_id == one.due.user_id,
                        push_devices.c.id == one.due.device_id,
                        # It may have been given a new address meanwhile.
                        push_devices.c.address == one.due.address,
                    )
                )

    async def give_back(self, due: Sequence[DuePush], worker: str) -> None:
        """See `NotificationStore.give_back`."""
        if not due:
            return
        async with self._database.write() as connection:
            await connection.execute(
                update(push_deliveries)
                .where(_held([one.id for one in due], worker))
                .values(worker=None, lease_until=None, attempts=push_deliveries.c.attempts - 1)
            )

    async def status(self, stream_id: UUID) -> NotificationStatus:
        """See `NotificationStore.status`."""
        fanout = select(notification_fanouts).where(notification_fanouts.c.stream_id == stream_id)
        told = select(func.count()).where(
            notifications.c.stream_id == stream_id, notifications.c.delivered_at.is_not(None)
        )
        states = (
            select(push_deliveries.c.state, func.count())
            .where(push_deliveries.c.stream_id == stream_id)
            .group_by(push_deliveries.c.state)
        )
        async with self._database.read() as connection:
            row = (await connection.execute(fanout)).first()
            reached = (await connection.execute(told)).scalar_one()
            counts: dict[PushState, int] = dict.fromkeys(PushState, 0)
            counts |= {found[0]: found[1] for found in await connection.execute(states)}
        return NotificationStatus(
            queued=0 if row is None else row.queued,
            expanded=0 if row is None else row.expanded,
            told=reached,
            devices=counts,
            is_complete=counts[PushState.QUEUED] == 0 and (row is None or row.done_at is not None),
            queued_at=None if row is None else row.queued_at,
        )

    async def prune(self, keep_days: int, limit: int) -> int:
        """See `NotificationStore.prune`."""
        old = self._clock.now() - timedelta(days=keep_days)
        some = (
            select(push_deliveries.c.id)
            .where(push_deliveries.c.finished_at < old)
            .order_by(push_deliveries.c.finished_at)
            .limit(limit)
        )
        async with self._database.write() as connection:
            gone = await connection.execute(
                delete(push_deliveries).where(push_deliveries.c.id.in_(some))
            )
            return gone.rowcount


def _is_due(now: datetime) -> ColumnElement[bool]:
    lease = push_deliveries.c.lease_until
    return and_(
        push_deliveries.c.state == PushState.QUEUED,
        push_deliveries.c.not_before <= now,
        or_(lease.is_(None), lease < now),
    )


def _held(ids: Sequence[int], worker: str) -> ColumnElement[bool]:
    return and_(
        push_deliveries.c.id.in_(ids),
        push_deliveries.c.state == PushState.QUEUED,
        push_deliveries.c.worker == worker,
    )


async def _note_people(
    connection: AsyncConnection, stream_id: UUID, kind: str, people: Sequence[UUID], now: datetime
) -> Sequence[UUID]:
    """Those who were not told of it before."""
    if not people:
        return []
    rows = [
        {"stream_id": stream_id, "user_id": user_id, "kind": kind, "queued_at": now}
        for user_id in people
    ]
    noting = insert_into(connection, notifications).values(rows).on_conflict_do_nothing()
    noted = await connection.execute(noting.returning(notifications.c.user_id))
    fresh: Sequence[UUID] = noted.scalars().all()
    return fresh


async def _queue_devices(
    connection: AsyncConnection, stream_id: UUID, kind: str, people: Sequence[UUID], now: datetime
) -> int:
    """How many devices: of each person the ones registered last, and each once."""
    if not people:
        return 0
    query = (
        select(push_devices)
        .where(push_devices.c.user_id.in_(people))
        .order_by(push_devices.c.updated_at.desc(), push_devices.c.id)
    )
    once: dict[tuple[UUID, str, str], UUID] = {}
    devices_of: Counter[UUID] = Counter()
    for row in await connection.execute(query):
        which = (row.user_id, row.kind, row.address)
        if which not in once and devices_of[row.user_id] < _MOST_DEVICES:
            once[which] = row.id
            devices_of[row.user_id] += 1
    rows = [
        {
            "stream_id": stream_id,
            "user_id": user_id,
            "kind": kind,
            "device_id": device_id,
            "state": PushState.QUEUED,
            "attempts": 0,
            "not_before": now,
        }
        for (user_id, _, _), device_id in once.items()
    ]
    if rows:
        await connection.execute(insert(push_deliveries), rows)
    return len(rows)


def _word_for_webhooks(stream: Stream, kind: str, people: Iterable[UUID]) -> NewEvent:
    """For a marketplace that tells its people by itself."""
    data = {
        "streamId": str(stream.id),
        "userId": str(stream.owner_id),
        "title": stream.title,
        "kind": kind,
        "recipientIds": [str(user_id) for user_id in people],
    }
    return NewEvent(WebhookEvent.NOTIFICATION_QUEUED, stream.id, data)


async def _give_up(connection: AsyncConnection, taken: Sequence[int], now: datetime) -> set[int]:
    """Of the claimed, what there is no use in any more: the stream is over, or the device's user
    has removed it.
    """
    there = select(push_devices.c.id).where(
        push_devices.c.user_id == push_deliveries.c.user_id,
        push_devices.c.id == push_deliveries.c.device_id,
    )
    live = select(streams.c.id).where(
        streams.c.id == push_deliveries.c.stream_id, streams.c.status == StreamStatus.LIVE
    )
    lost = await connection.execute(
        update(push_deliveries)
        .where(push_deliveries.c.id.in_(taken), or_(~there.exists(), ~live.exists()))
        .values(
            state=PushState.FAILED,
            reason=case((~there.exists(), "device_removed"), else_="stream_over"),
            worker=None,
            lease_until=None,
            finished_at=now,
        )
        .returning(push_deliveries.c.id)
    )
    return set(lost.scalars())


def _to_send(ids: Iterable[int]) -> Any:
    hosts = users.alias("hosts")
    return (
        select(
            push_deliveries.c.id,
            push_deliveries.c.user_id,
            push_deliveries.c.device_id,
            push_deliveries.c.stream_id,
            push_deliveries.c.attempts,
            push_devices.c.kind,
            push_devices.c.address,
            streams.c.title,
            hosts.c.username,
        )
        .join(
            push_devices,
            and_(
                push_devices.c.user_id == push_deliveries.c.user_id,
                push_devices.c.id == push_deliveries.c.device_id,
            ),
        )
        .join(streams, streams.c.id == push_deliveries.c.stream_id)
        .join(hosts, hosts.c.id == streams.c.owner_id)
        .where(push_deliveries.c.id.in_([*ids]))
    )


def _due_from(row: Row[Any]) -> DuePush:
    host = row.username[:_HOST_MOST_CHARACTERS]
    return DuePush(
        id=row.id,
        user_id=row.user_id,
        device_id=row.device_id,
        kind=row.kind,
        address=row.address,
        attempts=row.attempts,
        message=PushMessage(row.stream_id, f"{host} is live", row.title),
    )


async def _finish(
    connection: AsyncConnection, ids: Sequence[int], state: PushState, worker: str, now: datetime
) -> None:
    if ids:
        await connection.execute(
            update(push_deliveries)
            .where(_held(ids, worker))
            .values(state=state, worker=None, lease_until=None, finished_at=now)
        )


async def _note(connection: AsyncConnection, one: SettledPush, worker: str, now: datetime) -> None:
    is_over = one.state is not PushState.QUEUED
    values: Mapping[str, Any] = {
        "state": one.state,
        "reason": one.reason[:64] or None,
        "worker": None,
        "lease_until": None,
        "not_before": now + timedelta(seconds=one.pause_s),
        "finished_at": now if is_over else None,
    }
    await connection.execute(
        update(push_deliveries).where(_held([one.due.id], worker)).values(**values)
    )
