"""Where jobs are handed in: into the database first, then a wake-up."""

from collections.abc import Callable
from uuid import UUID

from controller.domain.jobs import Job, JobQueue, JobState, JobStore, NewJob


class QueueingDesk:
    """Implements the domain's JobDesk."""

    def __init__(self, store: JobStore, queue: JobQueue, new_id: Callable[[], UUID]) -> None:
        self._store = store
        self._queue = queue
        self._new_id = new_id

    async def submit(self, new: NewJob) -> Job:
        """See `JobDesk.submit`."""
        job = await self._store.add(self._new_id(), new)
        if job.state is JobState.QUEUED:
            await self._queue.wake(job.id)
        return job

    async def get(self, job_id: UUID) -> Job:
        """See `JobDesk.get`."""
        return await self._store.get(job_id)

    async def cancel(self, job_id: UUID) -> Job:
        """See `JobDesk.cancel`."""
        return await self._store.cancel(job_id)
