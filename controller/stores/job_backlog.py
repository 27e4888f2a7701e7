"""How many background jobs wait, run and have failed of late."""

from datetime import timedelta

from sqlalchemy import func, select

from controller.domain.jobs import JobState
from controller.domain.ports import Clock
from controller.stores.database import Database
from controller.stores.job_schema import jobs

_OF_LATE = timedelta(hours=1)


class SqlJobBacklog:
    """Counts over an index; what is finished for long is not looked at."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def read(self) -> tuple[int, int, int, float]:
        """Waiting, running, failed in the last hour; seconds that the oldest which could run has
        waited. Raises StoreUnavailable."""
        now = self._clock.now()
        unfinished = jobs.c.state.in_([JobState.QUEUED, JobState.RUNNING])
        by_state = select(jobs.c.state, func.count()).where(unfinished).group_by(jobs.c.state)
        failed = (
            select(func.count())
            .select_from(jobs)
            .where(jobs.c.state == JobState.FAILED, jobs.c.updated_at > now - _OF_LATE)
        )
        oldest = select(func.min(jobs.c.not_before)).where(jobs.c.state == JobState.QUEUED)
        async with self._database.read() as connection:
            rows = (await connection.execute(by_state)).all()
            failures = (await connection.execute(failed)).scalar_one()
            since = (await connection.execute(oldest)).scalar()
        wait_s = 0.0 if since is None else max(0.0, (now - since).total_seconds())
        counts = {row[0]: row[1] for row in rows}
        queued, running = counts.get(JobState.QUEUED, 0), counts.get(JobState.RUNNING, 0)
        return queued, running, int(failures), wait_s
