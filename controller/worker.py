"""Runs a worker of background jobs: everything is built once, and run until the end."""

import asyncio
import os
import signal
from contextlib import AsyncExitStack

import structlog

from controller.composition.jobs import build_kinds, do_jobs, worker_name
from controller.composition.objects import build_store
from controller.composition.outreach import build_outreach
from controller.errors import ControllerError
from controller.publishing.background import BackgroundTasks
from controller.secrets_file import load_secrets
from controller.settings import Settings
from controller.stores.opening import Stores, database_url, open_stores
from controller.supervision.notify import ServiceManager
from controller.supervision.watchdog import Progress, Watchdog
from controller.system_clock import SystemClock
from ingest import die_with_parent

EXIT_STOPPED = 0
EXIT_FAILED = 1
_DOING = "doing background jobs"


_SWEEP_LIMIT_S = 60.0
"""A worker that has not looked for jobs for so long gets on no more."""


async def work(settings: Settings, parent: int | None = None, *, manager: ServiceManager) -> int:
    """Do background jobs until SIGINT or SIGTERM; answers the exit status.

    parent: the daemon that started this worker, which ends with it. `manager` hears how it fares.
    """
    log = structlog.get_logger()
    if parent is not None:
        die_with_parent()
        if os.getppid() != parent:  # it went before it could be asked for
            return EXIT_FAILED
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    progress = Progress("job sweep", _SWEEP_LIMIT_S, loop.time)
    background = BackgroundTasks()

    def listen() -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stopped.set)

    def started() -> None:
        listen()  # huey has set handlers of its own
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        log.info("worker_ready", at_once=max(1, settings.job_workers))
        progress.made()
        manager.ready(_DOING)
        background.start(Watchdog(manager, progress.stuck, lambda: _DOING).run(), "watchdog")

    listen()
    try:
        async with AsyncExitStack() as stack:
            stack.callback(manager.close)
            stack.push_async_callback(background.close)
            url = database_url(settings.database_url.get_secret_value(), settings.data_dir)
            stores = open_stores(url, SystemClock())
            stack.push_async_callback(stores.database.close)
            await stores.database.check()
            kinds = build_kinds(settings, stores, build_store(settings, stack))
            telling = await _start_telling(settings, stores, stopped, stack)
            await do_jobs(settings, stores, kinds, stopped, started, stack, on_swept=progress.made)
            log.info("worker_stopping")
            manager.stopping("stopping")
            if telling.done():
                telling.result()
    except ControllerError as error:
        log.error("worker_failed", code=error.code, reason=error.detail)  # noqa: TRY400
        return EXIT_FAILED
    except Exception:  # the last line: a part of ours has a fault
        log.exception("worker_failed", code="background_task")
        return EXIT_FAILED
    return EXIT_STOPPED


async def _start_telling(
    settings: Settings, stores: Stores, stopped: asyncio.Event, stack: AsyncExitStack
) -> asyncio.Task[None]:
    """Webhooks and notifications, beside the jobs; `stack` ends it. Its fault ends the worker."""
    secrets = load_secrets(
        settings.data_dir,
        settings.auth_secret.get_secret_value(),
        settings.key_secret.get_secret_value(),
    )
    outreach = await build_outreach(settings, stores, secrets.keys, worker_name(), stack)
    telling = asyncio.create_task(outreach.run(), name="outreach")
    telling.add_done_callback(lambda _: stopped.set())

    async def end() -> None:
        telling.cancel()
        await asyncio.wait({telling})

    stack.push_async_callback(end)
    return telling
