"""Background jobs: every change is a compare-and-set on state, worker and lease."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, and_, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from controller.domain.jobs import (
    Hold,
    Job,
    JobError,
    JobOutput,
    JobResult,
    JobState,
    NewJob,
)
from controller.domain.ports import Clock
from controller.errors import JobIsOver, JobNotFound
from controller.stores.database import Database
from controller.stores.job_schema import jobs
from controller.stores.statements import insert_into

_ALL = 100
_UNFINISHED = jobs.c.state.in_([JobState.QUEUED, JobState.RUNNING])


class SqlJobs:
    """The `JobStore` over either database."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def add(self, job_id: UUID, new: NewJob) -> Job:
        """See `JobStore.add`."""
        now = self._clock.now()
        row: dict[str, Any] = {
            "id": job_id,
            "owner_id": new.owner_id,
            "kind": new.kind,
            "subject": new.subject,
            "arguments": dict(new.arguments),
            "state": JobState.QUEUED,
            "progress": 0,
            "attempts": 0,
            "metadata": {},
            "outputs": [],
            "cancel_requested": False,
            "not_before": now,
            "created_at": now,
            "updated_at": now,
        }
        same = and_(jobs.c.kind == new.kind, jobs.c.subject == new.subject, _UNFINISHED)
        async with self._database.write() as connection:
            while True:
                adding = insert_into(connection, jobs).values(**row).on_conflict_do_nothing()
                added = (await connection.execute(adding.returning(jobs))).one_or_none()
                if added is not None:
                    return _job_from(added)
                found = (await connection.execute(select(jobs).where(same))).one_or_none()
                if found is not None:  # else it was finished between the two statements
                    return _job_from(found)

    async def get(self, job_id: UUID) -> Job:
        """See `JobStore.get`."""
        async with self._database.read() as connection:
            row = (await connection.execute(select(jobs).where(jobs.c.id == job_id))).one_or_none()
        if row is None:
            raise JobNotFound
        return _job_from(row)

    async def claim(self, job_id: UUID, worker: str, lease_s: float) -> Job | None:
        """See `JobStore.claim`."""
        now = self._clock.now()
        claiming = (
            update(jobs)
            .where(jobs.c.id == job_id, _claimable(now))
            .values(
                state=JobState.RUNNING,
                worker=worker,
                lease_until=now + timedelta(seconds=lease_s),
                attempts=jobs.c.attempts + 1,
                progress=0,
                started_at=now,
                updated_at=now,
            )
            .returning(jobs)
        )
        async with self._database.write() as connection:
            row = (await connection.execute(claiming)).one_or_none()
        return None if row is None else _job_from(row)

    async def renew(self, job_id: UUID, worker: str, lease_s: float, progress: int) -> Hold:
        """See `JobStore.renew`."""
        now = self._clock.now()
        renewing = (
            update(jobs)
            .where(_held(job_id, worker))
            .values(lease_until=now + timedelta(seconds=lease_s), progress=progress, updated_at=now)
            .returning(jobs.c.cancel_requested)
        )
        async with self._database.write() as connection:
            row = (await connection.execute(renewing)).one_or_none()
        if row is None:
            return Hold.LOST
        return Hold.CANCELLED if row.cancel_requested else Hold.KEPT

    async def finish(self, job_id: UUID, worker: str, result: JobResult) -> bool:
        """See `JobStore.finish`."""
        shown = {
            "progress": _ALL,
            "metadata": dict(result.metadata),
            "outputs": [asdict(output) for output in result.outputs],
            "error": None,
        }
        return await self._end(job_id, worker, JobState.DONE, shown)

    async def fail(self, job_id: UUID, worker: str, error: JobError) -> bool:
        """See `JobStore.fail`."""
        return await self._end(job_id, worker, JobState.FAILED, {"error": asdict(error)})

    async def cancelled(self, job_id: UUID, worker: str) -> bool:
        """See `JobStore.cancelled`."""
        return await self._end(job_id, worker, JobState.CANCELLED, {})

    async def put_back(
        self, job_id: UUID, worker: str, delay_s: float, error: JobError | None
    ) -> bool:
        """See `JobStore.put_back`."""
        now = self._clock.now()
        values: dict[str, Any] = {
            "state": JobState.QUEUED,
            "worker": None,
            "lease_until": None,
            "not_before": now + timedelta(seconds=delay_s),
            "progress": 0,
            "updated_at": now,
        }
        if error is None:
            values["attempts"] = jobs.c.attempts - 1
        else:
            values["error"] = asdict(error)
        putting_back = (
            update(jobs)
            .where(_held(job_id, worker), jobs.c.cancel_requested.is_(False))
            .values(**values)
        )
        async with self._database.write() as connection:
            if (await connection.execute(putting_back)).rowcount:
                return True
        return await self.cancelled(job_id, worker)

    async def cancel(self, job_id: UUID) -> Job:
        """See `JobStore.cancel`."""
        now = self._clock.now()
        async with self._database.write() as connection:
            state = await _locked_state(connection, job_id)
            values: dict[str, Any] = {"cancel_requested": True, "updated_at": now}
            if state is JobState.QUEUED:
                values |= {"state": JobState.CANCELLED, "finished_at": now}
            elif state is not JobState.RUNNING:
                raise JobIsOver
            changing = update(jobs).where(jobs.c.id == job_id).values(**values).returning(jobs)
            return _job_from((await connection.execute(changing)).one())

    async def due(self, limit: int) -> Sequence[UUID]:
        """See `JobStore.due`."""
        query = (
            select(jobs.c.id)
            .where(_claimable(self._clock.now()))
            .order_by(jobs.c.not_before, jobs.c.id)
            .limit(limit)
        )
        async with self._database.read() as connection:
            return (await connection.execute(query)).scalars().all()

    async def _end(
        self, job_id: UUID, worker: str, state: JobState, values: Mapping[str, Any]
    ) -> bool:
        now = self._clock.now()
        ending = (
            update(jobs)
            .where(_held(job_id, worker))
            .values(
                state=state,
                worker=None,
                lease_until=None,
                finished_at=now,
                updated_at=now,
                **values,
            )
        )
        async with self._database.write() as connection:
            return bool((await connection.execute(ending)).rowcount)


def _claimable(now: datetime) -> ColumnElement[bool]:
    return or_(
        and_(jobs.c.state == JobState.QUEUED, jobs.c.not_before <= now),
        and_(jobs.c.state == JobState.RUNNING, jobs.c.lease_until < now),
    )


def _held(job_id: UUID, worker: str) -> ColumnElement[bool]:
    return and_(jobs.c.id == job_id, jobs.c.state == JobState.RUNNING, jobs.c.worker == worker)


async def _locked_state(connection: AsyncConnection, job_id: UUID) -> JobState:
    query = select(jobs.c.state).where(jobs.c.id == job_id).with_for_update()
    state: JobState | None = (await connection.execute(query)).scalar_one_or_none()
    if state is None:
        raise JobNotFound
    return state


def _job_from(row: Row[Any]) -> Job:
    columns = row._mapping  # noqa: SLF001 - `metadata` and `count` are attributes of rows
    error = columns["error"]
    outputs = tuple(JobOutput(**output) for output in columns["outputs"])
    return Job(
        id=columns["id"],
        kind=columns["kind"],
        subject=columns["subject"],
        arguments=columns["arguments"],
        owner_id=columns["owner_id"],
        state=columns["state"],
        progress=columns["progress"],
        attempts=columns["attempts"],
        error=JobError(**error) if error else None,
        result=JobResult(columns["metadata"], outputs),
        cancel_requested=columns["cancel_requested"],
        created_at=columns["created_at"],
        updated_at=columns["updated_at"],
        started_at=columns["started_at"],
        finished_at=columns["finished_at"],
    )
