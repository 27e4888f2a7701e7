"""The composition root: builds every object of the daemon once, and runs them until it is told
to stop. The only place that knows all of them.
"""

import asyncio
import signal
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import structlog

from controller.errors import ControllerError
from controller.hooks.nginx_rtmp import create_hooks
from controller.listeners import Listener
from controller.publishing.announcer import LogAnnouncer
from controller.publishing.lifecycle import StreamLifecycle
from controller.publishing.nginx_rtmp import NginxRtmp
from controller.publishing.playback import StreamPlayback
from controller.publishing.publish_service import PublishService
from controller.publishing.recordings import Recordings
from controller.publishing.visits import Visits
from controller.settings import Settings
from ingest import (
    Delivery,
    LocalObjectStore,
    PackagingSettings,
    SessionSupervisor,
    SystemClock,
    create_delivery,
)

EXIT_STOPPED = 0
EXIT_FAILED = 1


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the daemon listens and whom it calls, with the embedded defaults filled in."""

    http: str
    hooks: str
    nginx_control: str

    @classmethod
    def of(cls, settings: Settings) -> "Addresses":
        """From the settings; what they leave open is a socket below the data folder."""
        run = settings.data_dir.absolute() / "run"
        return cls(
            http=settings.http_listen or f"unix:{run}/daemon.sock",
            hooks=settings.hook_listen or f"unix:{run}/hooks.sock",
            nginx_control=settings.nginx_control or f"unix:{run}/nginx-control.sock",
        )


async def serve(settings: Settings, *, ready: Callable[[], None] | None = None) -> int:
    """Run the daemon until SIGINT or SIGTERM; answers the exit status.

    `ready` is called once both listeners answer.
    """
    log = structlog.get_logger()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        async with AsyncExitStack() as stack:
            await _start(settings, stack)
            log.info("daemon_ready", **{"http": Addresses.of(settings).http})
            if ready is not None:
                ready()
            await stop.wait()
            log.info("daemon_stopping")
    except ControllerError as error:
        log.error("daemon_failed", code=error.code, reason=error.detail)  # noqa: TRY400
        return EXIT_FAILED
    return EXIT_STOPPED
