"""The daemon's own worker is kept running."""

import asyncio
import os
import sys

import psutil
import pytest

from controller.jobs.keeper import WorkerKeeper


@pytest.fixture
async def keeper():
    made = WorkerKeeper([sys.executable, "-c", "import time; time.sleep(600)"])
    made.start()
    yield made
    await made.close()


async def running_pid(keeper, other_than=None):
    async with asyncio.timeout(20):
        while keeper.pid in (None, other_than):
            await asyncio.sleep(0.01)
    return keeper.pid


async def test_a_worker_that_was_killed_is_started_again(keeper):
    first = await running_pid(keeper)
    os.kill(first, 9)
    second = await running_pid(keeper, other_than=first)
    assert psutil.pid_exists(second)


async def test_the_end_of_the_keeper_is_the_end_of_the_worker(keeper):
    pid = await running_pid(keeper)
    await keeper.close()
    assert not psutil.pid_exists(pid)


async def test_a_command_that_cannot_be_started_does_no_harm():
    keeper = WorkerKeeper(["/nowhere/golive"])
    keeper.start()
    await asyncio.sleep(0.1)
    assert keeper.pid is None
    await keeper.close()
