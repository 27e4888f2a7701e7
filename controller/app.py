"""Runs the daemon: everything is built once, by `controller.composition`, and run until the end."""

import asyncio
import signal
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import structlog

from controller.composition.access import build_access
from controller.composition.admission import build_admission
from controller.composition.coaching import build_coaching
from controller.composition.derived import build_derived
from controller.composition.http import build_http
from controller.composition.jobs import build_desk
from controller.composition.media import build_lifecycle, build_media_plane
from controller.composition.objects import build_store
from controller.composition.observing import start_observing
from controller.composition.preparation import build_preparation
from controller.composition.rehearsals import build_rehearsals
from controller.composition.reloading import reload_on
from controller.composition.room import (
    add_room,
    build_countries,
    build_room,
    build_viewers,
    open_player_log,
    player_sessions,
)
from controller.composition.running import RunningParts
from controller.composition.uploads import build_media
from controller.composition.webrtc import build_webrtc
from controller.configuration.reloading import Load, Reloading
from controller.domain.ports import Clock
from controller.errors import ControllerError
from controller.hooks.nginx_rtmp import create_hooks
from controller.hub.limits import HubLimits
from controller.hub.pacing import LoopPacer
from controller.hub.room import Pacer
from controller.hub.service import RoomService
from controller.jobs.keeper import WorkerKeeper
from controller.launcher import HAND_OVER, unblock_requests
from controller.listeners import Listener
from controller.metrics import create_metrics, create_registry, metrics_route
from controller.observing.requests import RequestMetrics
from controller.publishing.background import BackgroundTasks
from controller.publishing.cues import CueKeeper
from controller.publishing.publish_service import Stage
from controller.publishing.visits import Visits
from controller.settings import Settings
from controller.stores.opening import database_url, open_stores
from controller.supervision.notify import ServiceManager
from controller.supervision.watchdog import Watchdog
from controller.system_clock import SystemClock
from ingest import PackagerNursery, SessionSupervisor

EXIT_STOPPED = 0
EXIT_FAILED = 1
_ROOM_START_S = 15.0
_TAKE_UP_WAIT_S = 10.0


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


@dataclass(frozen=True, slots=True)
class Instruments:
    """What tells the time, and how often the room is looked after."""

    clock: Clock = field(default_factory=SystemClock)
    pacer: Pacer = field(default_factory=LoopPacer)
    limits: HubLimits = field(default_factory=HubLimits)


async def serve(
    settings: Settings,
    *,
    manager: ServiceManager,
    load: Load,
    worker_command: Sequence[str] = (),
    nursery: PackagerNursery | None = None,
    instruments: Instruments | None = None,
) -> int:
    """Run the daemon until SIGINT or SIGTERM, or until another is to take its place (SIGUSR2);
    answers the exit status.

    `manager` hears how it fares. `load` reads the configuration anew, at SIGHUP.
    `worker_command` starts a worker of background jobs, which is kept running; none when it is
    empty or the settings want none. `nursery` forks packagers. A background part
    that fails ends the daemon with a failure: whoever supervises it starts it anew, from the
    journals.
    """
    log = structlog.get_logger()
    stopped, relieved, changed = asyncio.Event(), asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    loop.add_signal_handler(HAND_OVER, relieved.set)
    loop.add_signal_handler(signal.SIGHUP, changed.set)
    unblock_requests()
    try:
        async with AsyncExitStack() as stack:
            stack.callback(manager.close)
            manager.status("starting")
            starts = _LateStarts(worker_command if settings.job_workers else ())
            stack.push_async_callback(starts.close)
            running, parts = await _start(
                settings, instruments or Instruments(), stack, starts, nursery
            )
            background = BackgroundTasks()
            stack.push_async_callback(background.close)
            background.start(Watchdog(manager, parts.stuck, parts.describe).run(), "watchdog")
            reloading = Reloading(settings, load, parts.apply)
            background.start(reload_on(changed, reloading, manager, parts), "reload")
            log.info("daemon_ready", http=Addresses.of(settings).http)
            manager.ready(parts.describe())
            ends = [asyncio.create_task(event.wait()) for event in (stopped, relieved)]
            await asyncio.wait({*ends, running}, return_when=asyncio.FIRST_COMPLETED)
            for end in ends:
                end.cancel()
            if running.done():
                await running
            log.info("daemon_stopping")
            if relieved.is_set() and not stopped.is_set():
                manager.reloading()  # the next one says that it is ready
            else:
                manager.stopping("stopping; encoders stay connected")
    except ControllerError as error:
        log.error("daemon_failed", code=error.code, reason=error.detail)  # noqa: TRY400
        return EXIT_FAILED
    except Exception:  # the last line: a part of ours has a fault
        log.exception("daemon_failed", code="background_task")
        return EXIT_FAILED
    return EXIT_STOPPED


class _LateStarts:
    """Processes that take the CPU for a second, and that nobody waits for: they start once the
    streams that were live before this daemon go on."""

    def __init__(self, worker_command: Sequence[str]) -> None:
        self._keeper = WorkerKeeper(worker_command) if worker_command else None
        self._starting: asyncio.Task[None] | None = None

    def begin(self, supervisor: SessionSupervisor) -> None:
        """Wait for them in the background."""
        self._starting = asyncio.create_task(self._start(supervisor), name="late starts")

    async def _start(self, supervisor: SessionSupervisor) -> None:
        await supervisor.wait_taken_up(_TAKE_UP_WAIT_S)
        supervisor.warm_spare()
        if self._keeper is not None:
            self._keeper.start()

    async def close(self) -> None:
        """End what has started."""
        if self._starting is not None:
            self._starting.cancel()
            await asyncio.wait({self._starting})
        if self._keeper is not None:
            await self._keeper.close()


async def _start(
    settings: Settings,
    instruments: Instruments,
    stack: AsyncExitStack,
    late: _LateStarts,
    nursery: PackagerNursery | None,
) -> tuple[asyncio.Task[None], RunningParts]:
    """Build everything and open the listeners; `stack` undoes it in reverse.

    Answers the background work, which goes on until cancelled, and what can be asked of it all.
    """
    clock, limits = instruments.clock, instruments.limits
    registry = create_registry()
    addresses = Addresses.of(settings)
    url = database_url(settings.database_url.get_secret_value(), settings.data_dir)
    stores = open_stores(url, clock)
    stack.push_async_callback(stores.database.close)
    await stores.database.check()
    access = await build_access(settings, stores, clock, stack)
    objects = build_store(settings, stack)
    media = build_media_plane(settings, objects, addresses.nginx_control, registry, stack, nursery)
    desk = build_desk(settings, stores, stack)
    uploads = build_media(settings, objects.public, desk, access.secrets.keys, clock)
    visits = Visits()
    derived = build_derived(settings, stores, objects, media, desk, visits, stack)
    viewers = build_viewers(access)
    preparation = build_preparation(settings, stores, media, objects)
    room = build_room(
        settings, stores, media, preparation, viewers, limits, clock, instruments.pacer
    )
    room.show_metrics(registry)
    cues = CueKeeper(stores.showcase, media.supervisor, clock)
    await media.space.look()
    announcer, finished = room.announcer, derived.derivations.stream_finished
    published = build_lifecycle(
        settings, stores, media, announcer, visits, clock, finished, cues, stack
    )
    lifecycle = published.lifecycle
    observed = start_observing(settings, stores, media, visits, clock, registry, stack)
    rehearsing = build_rehearsals(settings, stores, media, clock, stack)
    publishing, guesses = build_admission(
        settings,
        access,
        media,
        Stage(stores.publications, lifecycle, visits),
        rehearsing.stage,
    )
    coaching = build_coaching(settings, media, announcer, clock, stack)
    countries = build_countries(settings, stack)
    players = player_sessions(room, viewers, settings, countries)
    webrtc = build_webrtc(settings, media, access, publishing, players, clock, registry, stack)
    app = build_http(
        settings,
        stores,
        access,
        media,
        uploads,
        derived,
        published,
        rehearsing.rehearsals,
        announcer,
        players,
        viewers.guests,
        cues,
        coaching,
        limits,
        webrtc,
        clock,
        RequestMetrics(registry),
    )
    socket_io = add_room(app, room, access, viewers, settings, limits, countries)
    await media.supervisor.warm()
    await lifecycle.recover()
    await rehearsing.recover()
    await cues.look()
    derived.start()
    private = create_hooks(publishing, [observed])
    private.add_routes([metrics_route(registry)])
    listeners = [Listener(private, addresses.hooks), Listener(app, addresses.http)]
    if settings.metrics_listen:
        listeners.append(Listener(create_metrics(registry), settings.metrics_listen))
    running = await _run_room(room, stack)
    await open_player_log(settings, room, stack)
    for listener in listeners:
        stack.push_async_callback(listener.close)
        await listener.open()
    late.begin(media.supervisor)
    stack.push_async_callback(socket_io.close)
    stack.push_async_callback(room.close)
    return running, RunningParts(media, lifecycle, (access.failures, guesses))


async def _run_room(room: RoomService, stack: AsyncExitStack) -> asyncio.Task[None]:
    """The room's background work, once rooms may be entered; `stack` cancels it."""
    entered = asyncio.Event()
    running = asyncio.create_task(room.run(entered.set), name="room")

    async def cancel() -> None:
        running.cancel()
        await asyncio.wait({running})

    stack.push_async_callback(cancel)
    waiting = asyncio.create_task(entered.wait())
    await asyncio.wait(
        {waiting, running}, timeout=_ROOM_START_S, return_when=asyncio.FIRST_COMPLETED
    )
    waiting.cancel()
    if running.done():
        await running
    return running
