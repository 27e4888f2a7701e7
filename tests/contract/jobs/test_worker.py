"""Real workers over huey on SQLite and on Redis: killed, stopped, without a queue."""

import asyncio
import os
import sys
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from uuid import uuid4

import psutil
import pytest

from controller.composition.jobs import build_desk
from controller.domain.jobs import JobState, NewJob
from controller.settings import load_settings
from controller.stores.migration import migrate
from controller.stores.opening import open_stores
from controller.system_clock import SystemClock
from tests.support.processes import Running, wait_until
from tests.support.waiting import until

LIMIT_S = 60.0
COMMAND = (sys.executable, "-m", "tests.contract.jobs.worker_process")


class Site:
    """A database, a queue, and as many workers as a test starts."""

    def __init__(self, folder, redis_url, desk, stores):
        self.folder, self.redis_url, self.desk, self.stores = folder, redis_url, desk, stores

    @contextmanager
    def worker(self, at_once=1):
        environment = {
            **os.environ,
            "GOLIVE_DATA_DIR": str(self.folder),
            "GOLIVE_DATABASE_URL": f"sqlite:///{self.folder}/golive.db",
            "GOLIVE_REDIS_URL": self.redis_url,
            "GOLIVE_JOB_WORKERS": str(at_once),
        }
        running = Running(COMMAND, environment)
        try:
            wait_until(lambda: "ready\n" in running.out, LIMIT_S, "the worker is ready")
            yield running
        finally:
            running.process.kill()
            running.process.wait(10)
            for stream in (running.process.stdout, running.process.stderr):
                stream.close()

    async def submit(self, name):
        request = {
            "started": str(self.folder / f"{name}.started"),
            "until": str(self.folder / f"{name}.go"),
        }
        return (await self.desk.submit(NewJob("waiting", name, request))).id

    def started(self, name):
        """Process id of the job's process; None before it has one."""
        file = self.folder / f"{name}.started"
        return int(text) if file.exists() and (text := file.read_text()) else None

    async def until_started(self, name):
        await until(lambda: self.started(name), f"{name} was started")
        return self.started(name)

    def go(self, name):
        (self.folder / f"{name}.go").touch()

    async def until_state(self, job_id, state):
        async with asyncio.timeout(LIMIT_S):
            while (job := await self.desk.get(job_id)).state is not state:
                await asyncio.sleep(0.02)
        return job


@asynccontextmanager
async def site_of(folder, redis_url):
    settings = load_settings(
        data_dir=folder, database_url=f"sqlite:///{folder}/golive.db", redis_url=redis_url
    )
    await migrate(settings.database_url.get_secret_value())
    async with AsyncExitStack() as stack:
        stores = open_stores(settings.database_url.get_secret_value(), SystemClock())
        stack.push_async_callback(stores.database.close)
        yield Site(folder, redis_url, build_desk(settings, stores, stack), stores)


@pytest.fixture(params=["sqlite", "redis"])
async def any_site(request, tmp_path):
    redis_url = ""
    if request.param == "redis":
        redis_url = request.getfixturevalue("own_redis").url
    async with site_of(tmp_path, redis_url) as opened:
        yield opened


@pytest.fixture
async def site(tmp_path):
    async with site_of(tmp_path, "") as opened:
        yield opened


async def test_jobs_are_done_and_a_worker_stops_when_asked(any_site):
    site = any_site
    with site.worker(at_once=2) as worker:
        ids = [await site.submit(name) for name in ("a", "b", "c")]
        pids = {await site.until_started("a"), await site.until_started("b")}
        assert len(pids | {worker.pid}) == 3  # each a process of its own
        await site.until_state(ids[0], JobState.RUNNING)
        site.go("a")
        await site.until_state(ids[0], JobState.DONE)
        third = await site.until_started("c")  # a thread has become free
        worker.process.terminate()
        assert worker.process.wait(20) == 0
        assert not psutil.pid_exists(third)
    for job_id in ids[1:]:  # put back, and the start does not count
        job = await site.desk.get(job_id)
        assert (job.state, job.attempts) == (JobState.QUEUED, 0)


async def test_a_job_goes_on_after_kill_9_of_its_worker(any_site):
    site = any_site
    job_id = await site.submit("a")
    with site.worker() as worker:
        first = await site.until_started("a")
        worker.process.kill()
        worker.process.wait(10)
        await until(lambda: not psutil.pid_exists(first), "the job's process went with it")
    (site.folder / "a.started").unlink()
    with site.worker():
        await site.until_started("a")
        site.go("a")
        job = await site.until_state(job_id, JobState.DONE)
    assert job.attempts == 2


async def test_a_running_job_is_cancelled(site):
    with site.worker():
        job_id = await site.submit("a")
        pid = await site.until_started("a")
        await site.desk.cancel(job_id)
        await site.until_state(job_id, JobState.CANCELLED)
        await until(lambda: not psutil.pid_exists(pid), "its process has gone")


async def test_a_queue_that_lost_its_wake_ups_delays_only(site):
    await site.stores.jobs.add(uuid4(), NewJob("unheard-of", "never woken"))
    job_id = await site.submit("a")
    for file in site.folder.glob("jobs.db*"):
        file.unlink()
    site.go("a")
    with site.worker():
        await site.until_state(job_id, JobState.DONE)


async def test_without_redis_jobs_are_taken_in_and_done_when_it_is_back(tmp_path, own_redis):
    async with site_of(tmp_path, own_redis.url) as site:
        own_redis.kill()
        job_id = await site.submit("a")
        site.go("a")
        with site.worker():
            assert (await site.desk.get(job_id)).state is JobState.QUEUED
            own_redis.start()
            await site.until_state(job_id, JobState.DONE)
