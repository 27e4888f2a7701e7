"""Jobs in either database: who may do one, and what may become of it."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest

from controller.domain.jobs import (
    Hold,
    JobError,
    JobOutput,
    JobResult,
    JobState,
    NewJob,
)
from controller.errors import JobIsOver, JobNotFound

LEASE_S = 30.0
NEW = NewJob("video", "uploads/a.mp4", {"key": "uploads/a.mp4"})
RESULT = JobResult({"width": 1920}, (JobOutput("hls", "media/1/index.m3u8", "x/y"),))
ERROR = JobError("away", "The store is away", "key")


@pytest.fixture
def jobs(world):
    return world.stores.jobs


async def claimed(jobs, worker="w1"):
    job = await jobs.add(uuid4(), NEW)
    return await jobs.claim(job.id, worker, LEASE_S)


async def test_a_job_is_kept_as_it_was_handed_in(world, jobs):
    owner = await world.user()
    job = await jobs.add(uuid4(), NewJob("video", "s", {"a": [1, {"b": None}]}, owner.user_id))
    assert await jobs.get(job.id) == job
    assert (job.state, job.progress, job.attempts) == (JobState.QUEUED, 0, 0)
    assert (job.arguments, job.owner_id, job.error) == (
        {"a": [1, {"b": None}]},
        owner.user_id,
        None,
    )
    assert job.created_at.tzinfo is not None


async def test_what_is_not_there_is_said(jobs):
    for call in (jobs.get(uuid4()), jobs.cancel(uuid4())):
        with pytest.raises(JobNotFound):
            await call


async def test_one_unfinished_job_of_a_kind_for_a_subject(jobs):
    first = await jobs.add(uuid4(), NEW)
    assert (await jobs.add(uuid4(), NEW)).id == first.id
    await jobs.claim(first.id, "w1", LEASE_S)
    assert (await jobs.add(uuid4(), NEW)).id == first.id
    other = await jobs.add(uuid4(), NewJob("poster", NEW.subject))
    assert other.id != first.id
    await jobs.finish(first.id, "w1", RESULT)
    assert (await jobs.add(uuid4(), NEW)).id != first.id


async def test_many_that_hand_in_the_same_at_once_get_one_job(jobs):
    added = await asyncio.gather(*(jobs.add(uuid4(), NEW) for _ in range(8)))
    assert len({job.id for job in added}) == 1


async def test_exactly_one_worker_gets_a_job(jobs):
    job = await jobs.add(uuid4(), NEW)
    claims = await asyncio.gather(*(jobs.claim(job.id, f"w{n}", LEASE_S) for n in range(8)))
    (got,) = [claim for claim in claims if claim is not None]
    assert (got.state, got.attempts) == (JobState.RUNNING, 1)
    assert got.started_at is not None


async def test_a_job_whose_worker_is_not_heard_of_goes_to_another(world, jobs):
    job = await claimed(jobs)
    assert await jobs.due(10) == []
    world.clock.ahead += timedelta(seconds=LEASE_S - 1)
    assert await jobs.claim(job.id, "w2", LEASE_S) is None
    assert await jobs.renew(job.id, "w1", LEASE_S, 40) is Hold.KEPT
    world.clock.ahead += timedelta(seconds=2)
    assert await jobs.claim(job.id, "w2", LEASE_S) is None
    world.clock.ahead += timedelta(seconds=LEASE_S)
    assert await jobs.due(10) == [job.id]
    taken = await jobs.claim(job.id, "w2", LEASE_S)
    assert (taken.attempts, taken.progress) == (2, 0)
    assert await jobs.renew(job.id, "w1", LEASE_S, 90) is Hold.LOST
    for late in (
        jobs.finish(job.id, "w1", RESULT),
        jobs.fail(job.id, "w1", ERROR),
        jobs.put_back(job.id, "w1", 0, ERROR),
        jobs.cancelled(job.id, "w1"),
    ):
        assert await late is False
    assert await jobs.get(job.id) == taken


async def test_a_job_that_is_done_has_its_result(jobs):
    job = await claimed(jobs)
    assert await jobs.finish(job.id, "w1", RESULT)
    done = await jobs.get(job.id)
    assert (done.state, done.progress, done.result, done.error) == (
        JobState.DONE,
        100,
        RESULT,
        None,
    )
    assert done.finished_at is not None
    assert await jobs.claim(job.id, "w1", LEASE_S) is None
    assert await jobs.due(10) == []


async def test_a_job_that_failed_says_why(jobs):
    job = await claimed(jobs)
    assert await jobs.fail(job.id, "w1", ERROR)
    failed = await jobs.get(job.id)
    assert (failed.state, failed.error) == (JobState.FAILED, ERROR)


async def test_a_job_that_is_put_back_waits_its_time(world, jobs):
    job = await claimed(jobs)
    assert await jobs.put_back(job.id, "w1", 60, ERROR)
    waiting = await jobs.get(job.id)
    assert (waiting.state, waiting.attempts, waiting.error) == (JobState.QUEUED, 1, ERROR)
    assert await jobs.claim(job.id, "w2", LEASE_S) is None
    world.clock.ahead += timedelta(seconds=61)
    assert await jobs.due(10) == [job.id]
    assert (await jobs.claim(job.id, "w2", LEASE_S)).attempts == 2


async def test_a_job_that_a_stopping_worker_puts_back_has_not_been_tried(jobs):
    job = await claimed(jobs)
    assert await jobs.put_back(job.id, "w1", 0, None)
    assert (await jobs.get(job.id)).attempts == 0
    assert await jobs.due(10) == [job.id]


async def test_a_queued_job_is_cancelled_at_once(jobs):
    job = await jobs.add(uuid4(), NEW)
    assert (await jobs.cancel(job.id)).state is JobState.CANCELLED
    assert await jobs.claim(job.id, "w1", LEASE_S) is None
    with pytest.raises(JobIsOver):
        await jobs.cancel(job.id)


async def test_a_running_job_is_cancelled_by_its_worker(jobs):
    job = await claimed(jobs)
    for _ in range(2):
        asked = await jobs.cancel(job.id)
        assert (asked.state, asked.cancel_requested) == (JobState.RUNNING, True)
    assert await jobs.renew(job.id, "w1", LEASE_S, 10) is Hold.CANCELLED
    assert await jobs.cancelled(job.id, "w1")
    assert (await jobs.get(job.id)).state is JobState.CANCELLED


async def test_a_cancelled_job_does_not_go_back_into_the_queue(jobs):
    job = await claimed(jobs)
    await jobs.cancel(job.id)
    await jobs.put_back(job.id, "w1", 0, ERROR)
    assert (await jobs.get(job.id)).state is JobState.CANCELLED


async def test_the_oldest_jobs_come_first(world, jobs):
    ids = []
    for number in range(5):
        world.clock.ahead += timedelta(seconds=1)
        ids.append((await jobs.add(uuid4(), NewJob("video", str(number)))).id)
    assert list(await jobs.due(3)) == ids[:3]
