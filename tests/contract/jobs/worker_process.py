"""A worker with one kind of job: `python -m tests.contract.jobs.worker_process`.

Its settings come from the environment, as a real worker's. A job waits in a process of its own
until the file that its arguments name is there.
"""

import asyncio
import os
import signal
import time
from contextlib import AsyncExitStack
from pathlib import Path

from controller.composition.jobs import do_jobs
from controller.domain.jobs import JobResult
from controller.jobs.runner import RunnerSettings
from controller.settings import load_settings
from controller.stores.opening import open_stores
from controller.system_clock import SystemClock
from ingest import TaskLimits, run_task
from tests.support.plain_log import log_plainly

LEASE = RunnerSettings(lease_s=2.0, renew_s=0.1)
TARGET = "tests.contract.jobs.worker_process:wait_for_file"


def wait_for_file(request, report):
    Path(request["started"]).write_text(str(os.getpid()))
    deadline_s = time.monotonic() + 120
    while not Path(request["until"]).exists():
        assert time.monotonic() < deadline_s
        report(50.0)
        time.sleep(0.02)
    return {"pid": os.getpid()}


class Waiting:
    name = "waiting"
    attempts = 5

    async def run(self, job, work):
        answer = await run_task(TARGET, job.arguments, TaskLimits(), work.progress)
        return JobResult(answer)


async def main() -> None:
    settings = load_settings()
    stopped = asyncio.Event()

    def started() -> None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
        print("ready", flush=True)

    async with AsyncExitStack() as stack:
        stores = open_stores(settings.database_url.get_secret_value(), SystemClock())
        stack.push_async_callback(stores.database.close)
        kinds = {Waiting.name: Waiting()}
        await do_jobs(settings, stores, kinds, stopped, started, stack, LEASE)


if __name__ == "__main__":
    log_plainly()
    asyncio.run(main())
