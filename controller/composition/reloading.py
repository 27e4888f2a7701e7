"""Answers SIGHUP: the service manager, the log and the status hear what came of it."""

import asyncio

import structlog

from controller.composition.running import RunningParts
from controller.configuration.problems import RefusedConfiguration
from controller.configuration.reloading import Reloading
from controller.supervision.notify import ServiceManager


async def reload_on(
    asked: asyncio.Event, reloading: Reloading, manager: ServiceManager, parts: RunningParts
) -> None:
    """Reload whenever `asked` is set; does not return."""
    log = structlog.get_logger(__name__)
    while True:
        await asked.wait()
        asked.clear()
        manager.reloading()
        try:
            done = reloading.reload()
        except RefusedConfiguration as error:
            log.error("reload_refused", problems=[*error.lines])  # noqa: TRY400 - each has its line
            parts.remark(f"reload refused: {'; '.join(error.lines)}")
        else:
            log.info("reloaded", taken=[*done.taken], waiting_for_restart=[*done.waiting])
            parts.remark(str(done))
        manager.ready(parts.describe())
