"""Background jobs: the desk where the daemon hands them in, and the worker that does them."""

import asyncio
import os
import random
import socket
import sqlite3
import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from uuid import UUID, uuid4

from controller.composition.objects import vod_url
from controller.errors import ConfigurationError
from controller.jobs.clips import ClipCutting
from controller.jobs.desk import QueueingDesk
from controller.jobs.huey_queue import HueyQueue, open_huey
from controller.jobs.kinds import JobKind
from controller.jobs.recording_media import RecordingDerivation
from controller.jobs.runner import JobRunner, RunnerSettings
from controller.jobs.video import VideoJobSettings, VideoProcessing
from controller.jobs.worker import JobThreads, run_worker
from controller.settings import Settings
from controller.stores.opening import Stores
from ingest import MediaLimits, ObjectStore, TaskLimits
from ingest.derivatives import DerivedMedia

_SWEEP_S = 2.0
_STOP_GRACE_S = 3.0
_MOST_HOST_CHARACTERS = 40


def build_desk(settings: Settings, stores: Stores, stack: AsyncExitStack) -> QueueingDesk:
    """Where the daemon hands jobs in; `stack` closes it. Raises ConfigurationError."""
    return QueueingDesk(stores.jobs, _open_queue(settings, stack, None), uuid4)


def build_kinds(settings: Settings, stores: Stores, objects: ObjectStore) -> Mapping[str, JobKind]:
    """Every kind of job that a worker does, by name. A new kind is named here."""
    task = TaskLimits(settings.job_time_limit_s, settings.job_memory_mb << 20)
    media = MediaLimits(
        max_bytes=settings.media_max_bytes,
        max_duration_s=settings.media_max_duration_s,
        max_pixels=settings.media_max_pixels,
    )
    derived = DerivedMedia(objects)
    kinds: list[JobKind] = [
        VideoProcessing(objects, VideoJobSettings(media, task), time.time),
        RecordingDerivation(derived, stores.derived, partial(vod_url, settings)),
        ClipCutting(derived, stores.derived),
    ]
    return {kind.name: kind for kind in kinds}


async def do_jobs(
    settings: Settings,
    stores: Stores,
    kinds: Mapping[str, JobKind],
    stopped: asyncio.Event,
    on_started: Callable[[], None],
    stack: AsyncExitStack,
    runner_settings: RunnerSettings | None = None,
    *,
    on_swept: Callable[[], None] = lambda: None,
) -> None:
    """Be a worker for `kinds` until `stopped` is set. Raises ConfigurationError.

    on_swept: called whenever it has looked for jobs, whether there were any or not.
    """
    threads = JobThreads(asyncio.get_running_loop())
    queue = _open_queue(settings, stack, threads.look_at)
    folder = settings.data_dir.absolute() / "jobs"
    runner = JobRunner(
        stores.jobs,
        queue,
        kinds,
        worker_name(),
        folder,
        runner_settings or RunnerSettings(lease_s=settings.job_lease_s),
        random.Random(),  # noqa: S311 - spreads retries
    )
    threads.serve(runner)
    await run_worker(
        stores.jobs,
        queue,
        runner,
        at_once=max(1, settings.job_workers),
        folder=folder,
        sweep_s=_SWEEP_S,
        stopped=stopped,
        grace_s=_STOP_GRACE_S,
        on_started=on_started,
        on_swept=on_swept,
    )


def _open_queue(
    settings: Settings, stack: AsyncExitStack, look_at: Callable[[UUID], None] | None
) -> HueyQueue:
    data_dir: Path = settings.data_dir.absolute()
    try:
        huey = open_huey(settings.redis_url.get_secret_value(), data_dir)
    except ValueError:
        raise ConfigurationError("GOLIVE_REDIS_URL cannot be read: redis://host:port/db") from None
    except (OSError, sqlite3.Error) as error:
        raise ConfigurationError(f"{data_dir} cannot hold the job queue: {error}") from error
    queue = HueyQueue(huey, look_at)
    stack.callback(queue.close)
    return queue


def worker_name() -> str:
    """Unlike any other worker's, also that of an earlier process with this id."""
    host = socket.gethostname()[:_MOST_HOST_CHARACTERS]
    return f"{host}:{os.getpid()}:{uuid4().hex[:8]}"
