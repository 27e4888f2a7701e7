"""Doing jobs: leases, progress, retries, cancellation, stopping."""

import asyncio
import random
import shutil
from collections import defaultdict
from uuid import UUID, uuid4

import pytest

from controller.domain.jobs import JobOutput, JobResult, JobState, NewJob
from controller.errors import StoreUnavailable
from controller.jobs.kinds import JobRefused
from controller.jobs.outcomes import RetryPolicy
from controller.jobs.runner import JobRunner, RunnerSettings
from controller.stores.database import DatabaseLimits
from controller.stores.migration import migrate
from controller.stores.opening import open_stores
from ingest import MediaRefused, ObjectStoreError, TaskCrashed, TaskTooExpensive
from tests.http.running_api import FakeClock

QUICK = RunnerSettings(
    lease_s=2.0, renew_s=0.02, settle_pause_s=0.02, retry=RetryPolicy(first_s=0.01, factor=2.0)
)
RESULT = JobResult({"width": 2}, (JobOutput("poster", "a.jpg", "image/jpeg"),))


class Kind:
    """A kind that does what a test tells it to."""

    name = "test"
    attempts = 3

    def __init__(self):
        self.starts = []
        self.started = asyncio.Event()
        self.ended = asyncio.Event()
        self.steps = []

    async def run(self, job, work):
        self.starts.append(job.attempts)
        assert work.folder.is_dir()
        assert list(work.folder.iterdir()) == []
        (work.folder / "left").write_text("behind")
        self.folder = work.folder
        self.started.set()
        try:
            step = self.steps.pop(0) if self.steps else RESULT
            if isinstance(step, Exception):
                raise step
            return await step(work) if callable(step) else step
        finally:
            self.ended.set()


class Queue:
    def __init__(self):
        self.woken = []

    async def wake(self, job_id, delay_s=0.0):
        self.woken.append((job_id, delay_s))


class Store:
    """The real store, which can be away, and slow."""

    def __init__(self, store):
        self._store = store
        self.away = defaultdict(int)
        self._held_up = {}

    def hold_up(self, name):
        """Events: that it was asked for, and that it may answer."""
        self._held_up[name] = asyncio.Event(), asyncio.Event()
        return self._held_up[name]

    def __getattr__(self, name):
        real = getattr(self._store, name)

        async def call(*arguments):
            if self.away[name]:
                self.away[name] -= 1
                raise StoreUnavailable
            if name in self._held_up:
                asked, answer = self._held_up[name]
                asked.set()
                await answer.wait()
            return await real(*arguments)

        return call


class Bench:
    def __init__(self, store, folder):
        self.store, self.kind, self.queue, self.folder = Store(store), Kind(), Queue(), folder
        self.runner = self.another()

    def another(self, worker="w1", settings=QUICK):
        kinds = {self.kind.name: self.kind}
        return JobRunner(
            self.store, self.queue, kinds, worker, self.folder, settings, random.Random(1)
        )

    async def job(self, kind="test") -> UUID:
        return (await self.store.add(uuid4(), NewJob(kind, str(uuid4())))).id

    async def until(self, job_id, condition):
        async with asyncio.timeout(10):
            while not condition(await self.store.get(job_id)):
                await asyncio.sleep(0.01)

    async def outcome(self, job_id):
        """Run it to its end, whatever it takes."""
        async with asyncio.timeout(10):
            while not (job := await self.store.get(job_id)).state.is_over:
                await self.runner.look_at(job_id)
        return job


async def forever(work):
    await asyncio.sleep(600)


@pytest.fixture(scope="module")
def migrated(tmp_path_factory):
    file = tmp_path_factory.mktemp("jobs") / "golive.db"
    asyncio.run(migrate(f"sqlite:///{file}"))
    return file


@pytest.fixture
async def bench(migrated, tmp_path):
    file = shutil.copy(migrated, tmp_path / "golive.db")
    stores = open_stores(f"sqlite:///{file}", FakeClock(), DatabaseLimits())
    yield Bench(stores.jobs, tmp_path / "work")
    await stores.database.close()


async def test_a_job_is_done(bench):
    job_id = await bench.job()
    await bench.runner.look_at(job_id)
    job = await bench.store.get(job_id)
    assert (job.state, job.progress, job.result) == (JobState.DONE, 100, RESULT)
    assert not bench.kind.folder.exists()


async def test_a_doubled_wake_up_does_no_harm(bench):
    job_id = await bench.job()
    await asyncio.gather(*(bench.runner.look_at(job_id) for _ in range(5)))
    await bench.runner.look_at(job_id)
    await bench.runner.look_at(uuid4())
    assert bench.kind.starts == [1]


async def test_progress_is_told_while_it_runs(bench):
    going_on = asyncio.Event()

    async def step(work):
        work.progress(41.7)
        work.progress(12)  # never backwards
        await going_on.wait()
        work.progress(250)
        return RESULT

    bench.kind.steps = [step]
    job_id = await bench.job()
    running = asyncio.create_task(bench.runner.look_at(job_id))
    await bench.until(job_id, lambda job: job.progress == 41)
    assert (await bench.store.get(job_id)).state is JobState.RUNNING
    going_on.set()
    await running


@pytest.mark.parametrize(
    "passing",
    [ObjectStoreError("away"), StoreUnavailable(), TaskCrashed("killed", passing=True)],
)
async def test_what_may_pass_is_tried_again_after_a_pause(bench, passing):
    bench.kind.steps = [passing, passing]
    job_id = await bench.job()
    job = await bench.outcome(job_id)
    assert (job.state, job.attempts, job.error) == (JobState.DONE, 3, None)
    pauses = [pause_s for woken, pause_s in bench.queue.woken if woken == job_id]
    assert len(pauses) == 2
    assert 0.01 <= pauses[0] < 0.02 <= pauses[1]


async def test_a_store_that_asks_for_time_gets_it(bench):
    bench.kind.steps = [ObjectStoreError("slow down", retry_after_s=60.0)]
    job_id = await bench.job()
    await bench.runner.look_at(job_id)
    assert bench.queue.woken == [(job_id, 60.0)]


async def test_it_is_not_tried_for_ever(bench):
    bench.kind.steps = [ObjectStoreError("bucket shop-4711 is away")] * 9
    job = await bench.outcome(await bench.job())
    assert (job.state, job.attempts) == (JobState.FAILED, 3)
    assert job.error.code == "object_store_error"
    assert "4711" not in job.error.message


@pytest.mark.parametrize(
    ("raised", "code", "field"),
    [
        (MediaRefused("too_long", "duration", "3 h; at most 2 h"), "too_long", "duration"),
        (JobRefused("missing", "There is no such object", "key"), "missing", "key"),
        (TaskTooExpensive("needs more memory"), "media_too_expensive", ""),
        (TaskCrashed("ended by SIGSEGV"), "media_task_crashed", ""),
        (RuntimeError("with /secret/paths"), "internal_error", ""),
    ],
)
async def test_what_will_not_pass_fails_at_once_and_says_why(bench, raised, code, field):
    bench.kind.steps = [raised]
    job_id = await bench.job()
    await bench.runner.look_at(job_id)
    job = await bench.store.get(job_id)
    assert (job.state, job.attempts) == (JobState.FAILED, 1)
    assert (job.error.code, job.error.field) == (code, field)
    assert "secret" not in job.error.message


async def test_a_kind_that_nobody_knows_is_said(bench):
    job_id = await bench.job(kind="unheard-of")
    await bench.runner.look_at(job_id)
    assert (await bench.store.get(job_id)).error.code == "unknown_kind"


async def test_a_cancelled_job_is_stopped(bench):
    bench.kind.steps = [forever]
    job_id = await bench.job()
    running = asyncio.create_task(bench.runner.look_at(job_id))
    await bench.kind.started.wait()
    await bench.store.cancel(job_id)
    async with asyncio.timeout(5):
        await running
    assert bench.kind.ended.is_set()
    assert not bench.kind.folder.exists()
    assert (await bench.store.get(job_id)).state is JobState.CANCELLED


async def test_a_stopping_worker_puts_its_jobs_back(bench):
    bench.kind.steps = [forever]
    job_id = await bench.job()
    running = asyncio.create_task(bench.runner.look_at(job_id))
    await bench.kind.started.wait()
    await bench.runner.stop(grace_s=0.0)
    await running
    job = await bench.store.get(job_id)
    assert (job.state, job.attempts) == (JobState.QUEUED, 0)
    await bench.runner.look_at(job_id)
    assert bench.kind.starts == [1]
    await bench.another("w2").look_at(job_id)
    assert (await bench.store.get(job_id)).state is JobState.DONE


async def test_a_stopping_worker_lets_end_what_ends_in_time(bench):
    async def step(work):
        await asyncio.sleep(0.05)
        return RESULT

    bench.kind.steps = [step]
    job_id = await bench.job()
    running = asyncio.create_task(bench.runner.look_at(job_id))
    await bench.kind.started.wait()
    await bench.runner.stop(grace_s=5.0)
    await running
    assert (await bench.store.get(job_id)).state is JobState.DONE


async def test_what_became_of_a_job_is_said_although_the_worker_stops_meanwhile(bench):
    """A store that takes its time over it would have the job done once more."""
    asked, answer = bench.store.hold_up("finish")
    job_id = await bench.job()
    running = asyncio.create_task(bench.runner.look_at(job_id))
    await asked.wait()
    stopping = asyncio.create_task(bench.runner.stop(grace_s=0.0))
    await asyncio.wait({stopping}, timeout=0.1)
    assert not stopping.done()
    answer.set()
    await asyncio.gather(stopping, running)
    assert (await bench.store.get(job_id)).state is JobState.DONE


async def test_a_job_whose_worker_was_killed_is_taken_over_and_not_for_ever(bench):
    job_id = await bench.job()
    for attempt in range(1, 4):
        killed = await bench.store.claim(job_id, f"killed-{attempt}", 0.0)
        assert killed.attempts == attempt
    await bench.runner.look_at(job_id)
    job = await bench.store.get(job_id)
    assert (job.state, job.error.code) == (JobState.FAILED, "worker_lost")
    assert bench.kind.starts == []


async def test_a_job_that_went_to_another_worker_is_let_go(bench):
    bench.kind.steps = [forever]
    job_id = await bench.job()
    running = asyncio.create_task(bench.runner.look_at(job_id))
    await bench.kind.started.wait()
    bench.store.away["renew"] = 3  # the lease outlives a short outage
    await bench.until(job_id, lambda job: bench.store.away["renew"] == 0)
    assert not running.done()
    bench.store.away["renew"] = 10_000
    async with asyncio.timeout(10):
        await running
    assert (await bench.store.get(job_id)).state is JobState.RUNNING  # until its lease is over
    assert bench.kind.ended.is_set()


async def test_what_became_of_a_job_is_said_when_the_store_is_back(bench):
    bench.store.away["finish"] = 3
    job_id = await bench.job()
    await bench.runner.look_at(job_id)
    assert (await bench.store.get(job_id)).state is JobState.DONE
