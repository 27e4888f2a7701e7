"""Does jobs: claims them, keeps their leases, tells their progress, settles what became of them."""

import asyncio
import random
import shutil
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import structlog

from controller.domain.jobs import Hold, Job, JobError, JobQueue, JobResult, JobStore
from controller.errors import StoreUnavailable
from controller.jobs.kinds import JobKind, JobWork
from controller.jobs.outcomes import RetryPolicy, asked_pause_s, is_passing, job_error

_MOST_PERCENT = 99
_SETTLE_TRIES = 5


@dataclass(frozen=True, slots=True)
class RunnerSettings:
    """lease_s: how long a job stays with a worker that is not heard of, and so the longest time
    until another takes over. renew_s: how often it is heard of, and how soon it notices that a job
    was cancelled.
    """

    lease_s: float = 12.0
    renew_s: float = 1.0
    settle_pause_s: float = 1.0
    retry: RetryPolicy = field(default_factory=RetryPolicy)


@dataclass(slots=True)
class _Attempt:
    """One start of a job: `hold` says why it was cancelled, when it was."""

    job: Job
    hold: Hold = Hold.KEPT
    percent: float = 0.0
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    def note(self, percent: float) -> None:
        self.percent = max(self.percent, min(float(_MOST_PERCENT), percent))


class JobRunner:
    """Runs jobs on the asyncio loop that it is called on; one instance a worker process.

    worker: unlike any other's name. folder: where each job finds an empty folder.
    """

    def __init__(
        self,
        store: JobStore,
        queue: JobQueue,
        kinds: Mapping[str, JobKind],
        worker: str,
        folder: Path,
        settings: RunnerSettings,
        chance: random.Random,
    ) -> None:
        self._store = store
        self._queue = queue
        self._kinds = kinds
        self._worker = worker
        self._folder = folder
        self._settings = settings
        self._chance = chance
        self._running: dict[asyncio.Task[None], _Attempt] = {}
        self._stopping = False
        self._log = structlog.get_logger(__name__)

    async def look_at(self, job_id: UUID) -> None:
        """Do the job if it is to be had; returns when the attempt is over. StoreUnavailable."""
        if self._stopping:
            return
        job = await self._store.claim(job_id, self._worker, self._settings.lease_s)
        if job is None:
            return
        attempt = _Attempt(job)
        running = asyncio.create_task(self._run(attempt), name=f"job {job_id}")
        self._running[running] = attempt
        running.add_done_callback(self._running.pop)
        await asyncio.wait({running})

    async def stop(self, grace_s: float) -> None:
        """Take no more jobs; give those that run `grace_s` to end, then put them back. What became
        of one is always said, however long that takes the store."""
        self._stopping = True
        if not self._running:
            return
        _, unfinished = await asyncio.wait([*self._running], timeout=grace_s)
        for running in unfinished:
            self._running[running].stop.set()
        if unfinished:
            await asyncio.wait(unfinished)

    async def _run(self, attempt: _Attempt) -> None:
        job, log = attempt.job, self._log.bind(job=str(attempt.job.id), kind=attempt.job.kind)
        kind = self._kinds.get(job.kind)
        if kind is None:
            error = JobError("unknown_kind", f"No worker knows jobs of the kind {job.kind}")
            await self._settle(lambda: self._store.fail(job.id, self._worker, error))
            return
        if job.attempts > kind.attempts:
            error = job.error or JobError("worker_lost", "The worker was killed again and again")
            await self._settle(lambda: self._store.fail(job.id, self._worker, error))
            log.error("job_abandoned", attempts=job.attempts - 1)
            return
        log.info("job_started", attempt=job.attempts)
        work = asyncio.create_task(self._work(kind, attempt), name=f"work of {job.id}")
        keeping = asyncio.create_task(self._keep(attempt), name=f"lease of {job.id}")
        stopping = asyncio.create_task(attempt.stop.wait(), name=f"stop of {job.id}")
        tasks = {work, keeping, stopping}
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        if not keeping.cancelled() and (fault := keeping.exception()) is not None:
            log.error("job_lease_failed", exc_info=fault)
        await self._conclude(kind, attempt, work)

    async def _work(self, kind: JobKind, attempt: _Attempt) -> JobResult:
        folder = self._folder / str(attempt.job.id)
        await asyncio.to_thread(_make_empty, folder)
        try:
            return await kind.run(attempt.job, JobWork(folder, attempt.note))
        finally:
            await asyncio.shield(asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True))

    async def _keep(self, attempt: _Attempt) -> None:
        """Renew the lease; returns when the job is not ours to do any more."""
        settings, loop = self._settings, asyncio.get_running_loop()
        held_until_s = loop.time() + settings.lease_s
        while attempt.hold is Hold.KEPT:
            await asyncio.sleep(settings.renew_s)
            asked_s = loop.time()
            try:
                attempt.hold = await self._store.renew(
                    attempt.job.id, self._worker, settings.lease_s, int(attempt.percent)
                )
                held_until_s = asked_s + settings.lease_s
            except StoreUnavailable:
                if loop.time() > held_until_s:
                    attempt.hold = Hold.LOST

    async def _conclude(
        self, kind: JobKind, attempt: _Attempt, work: "asyncio.Task[JobResult]"
    ) -> None:
        job, store, worker = attempt.job, self._store, self._worker
        log = self._log.bind(job=str(job.id), kind=job.kind)
        if not work.cancelled() and work.exception() is None:
            result = work.result()
            await self._settle(lambda: store.finish(job.id, worker, result))
            log.info("job_done")
        elif work.cancelled():
            if attempt.hold is Hold.CANCELLED:
                await self._settle(lambda: store.cancelled(job.id, worker))
            elif attempt.hold is Hold.KEPT:
                await self._settle(lambda: store.put_back(job.id, worker, 0.0, None))
            log.info("job_stopped", hold=attempt.hold.value)
        else:
            await self._failed(kind, job, work.exception())

    async def _failed(self, kind: JobKind, job: Job, raised: BaseException | None) -> None:
        log = self._log.bind(job=str(job.id), kind=job.kind)
        if not isinstance(raised, Exception):
            raise raised or RuntimeError("a job that failed without an error")
        error = job_error(raised)
        if is_passing(raised) and job.attempts < kind.attempts:
            pause_s = max(
                self._settings.retry.pause_s(job.attempts, self._chance), asked_pause_s(raised)
            )
            put_back = await self._settle(
                lambda: self._store.put_back(job.id, self._worker, pause_s, error)
            )
            if put_back:
                await self._queue.wake(job.id, pause_s)
            log.warning("job_retried", code=error.code, reason=str(raised), pause_s=round(pause_s))
            return
        await self._settle(lambda: self._store.fail(job.id, self._worker, error))
        known = error.code != "internal_error"
        log.warning(
            "job_failed", code=error.code, reason=str(raised), exc_info=None if known else raised
        )

    async def _settle(self, settle: Callable[[], Awaitable[bool]]) -> bool:
        """Say what became of a job; what cannot be said is found out when its lease has run out."""
        for _ in range(_SETTLE_TRIES):
            try:
                return await settle()
            except StoreUnavailable:
                await asyncio.sleep(self._settings.settle_pause_s)
        return False


def _make_empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
