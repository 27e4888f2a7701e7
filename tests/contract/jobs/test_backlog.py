"""How many jobs wait, run and have failed of late, in either database."""

from datetime import timedelta
from uuid import uuid4

from controller.domain.jobs import JobError, NewJob
from controller.stores.job_backlog import SqlJobBacklog


async def test_the_backlog_counts_what_is_unfinished_and_what_failed_of_late(world):
    jobs = world.stores.jobs
    backlog = SqlJobBacklog(world.stores.database, world.clock)
    assert await backlog.read() == (0, 0, 0, 0.0)

    ids = [(await jobs.add(uuid4(), NewJob("video", name))).id for name in "abc"]
    await jobs.claim(ids[0], "w1", 30.0)
    await jobs.claim(ids[1], "w1", 30.0)
    await jobs.fail(ids[1], "w1", JobError("away", "The store is away", "key"))
    world.clock.ahead += timedelta(minutes=5)

    queued, running, failed, wait_s = await backlog.read()
    assert (queued, running, failed) == (1, 1, 1)
    assert 300 <= wait_s < 360

    world.clock.ahead += timedelta(hours=2)
    assert (await backlog.read())[2] == 0, "that was long ago"
