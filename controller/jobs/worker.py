"""A worker: huey's threads take wake-ups, this process's loop does the jobs.

What no wake-up tells of any more (a killed worker's job, a queue that was lost) is found in the
database, whenever the queue is empty.
"""

import asyncio
import contextlib
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol
from uuid import UUID

import structlog

from controller.domain.jobs import JobStore
from controller.errors import StoreUnavailable
from controller.jobs.runner import JobRunner

_SWEPT = 100
_OLD_FOLDER_S = 86_400.0
_JOIN_S = 10.0


class Consumer(Protocol):
    """huey's threads."""

    def start(self) -> None:
        """Start them."""

    def stop(self, graceful: bool = ...) -> None:  # noqa: FBT001 - huey's signature
        """Have them end; with `graceful` wait for it."""

    def check_worker_health(self) -> bool:
        """Replace threads that have died."""
        ...


class WakeUps(Protocol):
    """The worker's end of the queue."""

    async def wake(self, job_id: UUID, delay_s: float = 0.0) -> None:
        """See `JobQueue.wake`."""

    async def is_empty(self) -> bool:
        """Whether no wake-up waits; False when the queue does not answer."""
        ...

    def consumer(self, workers: int) -> Consumer:
        """Threads that take wake-ups."""
        ...


class JobThreads:
    """Hands what huey's threads are woken for to the runner, on the loop.

    Each thread waits for the job that it took: there are as many jobs at once as threads.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._runner: JobRunner | None = None
        self._log = structlog.get_logger(__name__)

    def serve(self, runner: JobRunner) -> None:
        """From now on, jobs are `runner`'s."""
        self._runner = runner

    def look_at(self, job_id: UUID) -> None:
        """Called in a thread; returns when the job needs it no more."""
        if self._runner is None:
            return
        looking = asyncio.run_coroutine_threadsafe(self._runner.look_at(job_id), self._loop)
        try:
            looking.result()
        except StoreUnavailable as error:
            # The thread would only take the next wake-up; the sweep brings this job again.
            self._log.warning("job_not_claimed", job=str(job_id), code=error.code)


async def run_worker(
    store: JobStore,
    queue: WakeUps,
    runner: JobRunner,
    *,
    at_once: int,
    folder: Path,
    sweep_s: float,
    stopped: asyncio.Event,
    grace_s: float,
    on_started: Callable[[], None],
    on_swept: Callable[[], None] = lambda: None,
) -> None:
    """Do jobs until `stopped` is set, `at_once` at a time; those that run then get `grace_s`.

    on_started: called once wake-ups are taken; huey has set signal handlers by then.
    on_swept: called at every look for jobs, also where the store does not answer.
    """
    await asyncio.to_thread(_remove_old, folder)
    consumer = queue.consumer(at_once)
    consumer.start()
    on_started()
    sweeping = asyncio.create_task(
        _sweep(store, queue, consumer, sweep_s, on_swept), name="job sweep"
    )
    stopping = asyncio.create_task(stopped.wait(), name="stop")
    try:
        await asyncio.wait({sweeping, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if sweeping.done():
            sweeping.result()
    finally:
        for task in (sweeping, stopping):
            task.cancel()
        consumer.stop()
        await runner.stop(grace_s)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_JOIN_S):
                await asyncio.to_thread(consumer.stop, True)


async def _sweep(
    store: JobStore,
    queue: WakeUps,
    consumer: Consumer,
    every_s: float,
    on_swept: Callable[[], None],
) -> None:
    log = structlog.get_logger(__name__)
    while True:
        if not consumer.check_worker_health():
            log.error("job_thread_replaced")
        try:
            if await queue.is_empty():
                for job_id in await store.due(_SWEPT):
                    await queue.wake(job_id)
        except StoreUnavailable as error:
            log.warning("job_sweep_failed", code=error.code)
        on_swept()
        await asyncio.sleep(every_s)


def _remove_old(folder: Path) -> None:
    """Folders that killed workers left; those of today may be another worker's."""
    folder.mkdir(parents=True, exist_ok=True)
    now_s = time.time()
    for left in folder.iterdir():
        with contextlib.suppress(OSError):
            if now_s - left.stat().st_mtime > _OLD_FOLDER_S:
                shutil.rmtree(left, ignore_errors=True)
