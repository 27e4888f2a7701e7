"""The supervisor behind `golive dev`: starts everything, keeps it up, stops it without a trace."""

import asyncio
import os
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Protocol

import structlog

from controller.dev.console import Console, RunningServer
from controller.dev.demo_stream import DemoStream
from controller.dev.errors import ChildFailedError, DemoError
from controller.dev.keeper import Clock, Keeper
from controller.dev.nginx_config import write_config
from controller.dev.plan import DevPlan
from controller.dev.process import ChildProcess, ChildSpec, Wrappers, run_to_end
from controller.dev.restarts import RestartPolicy

_CONFIG_TEST_TIMEOUT_S = 15.0
_MIGRATE_TIMEOUT_S = 300.0


class Readiness(Protocol):
    """Asks the whole chain, through nginx, whether it may take traffic."""

    async def wait(self, local_url: str) -> None:
        """Return when it is ready; ChildFailedError with the reason when it does not get so."""


class DemoStreams(Protocol):
    """Makes sure that there is a live stream to push to."""

    async def ready(self) -> DemoStream:
        """The live demo stream, a new one when the last has ended; DemoError when neither."""

    async def ended(self, stream: DemoStream) -> None:
        """Return when that stream has ended."""


class DevServer:
    """One run of `golive dev`; the caller holds the data folder's lock."""

    def __init__(
        self,
        plan: DevPlan,
        *,
        wrappers: Wrappers,
        readiness: Readiness,
        demo_streams: DemoStreams,
        console: Console,
        policy: RestartPolicy,
        clock: Clock,
        log: structlog.stdlib.BoundLogger,
    ) -> None:
        self._plan = plan
        self._wrappers = wrappers
        self._readiness = readiness
        self._demo_streams = demo_streams
        self._console = console
        self._policy = policy
        self._clock = clock
        self._log = log
        self._settled = asyncio.Event()

    async def run(self, stop: asyncio.Event, kill: asyncio.Event) -> None:
        """Run until `stop` is set. `kill`, also while stopping: end the children at once.

        Raises a DevError when something cannot be started or will not stay up.
        """
        self._console.step("Checking the nginx configuration …")
        await asyncio.gather(*map(self._test_config, self._plan.config_tests))
        self._console.step("Preparing the database …")
        if await _first(stop, self._migrate()):
            return
        self._console.step("Starting nginx and golive …")
        async with self._running_children(kill) as ended:
            await _first(stop, self._serve(), ended)

    async def _serve(self) -> None:
        """Become ready, then keep a demo stream ready; does not return."""
        await self._readiness.wait(self._plan.local_url)
        self._settled.set()
        try:
            demo = await self._demo_streams.ready()
            self._console.ready(self._note_running(demo), demo.stream_key)
            while True:
                await self._demo_streams.ended(demo)
                demo = await self._demo_streams.ready()
                self._console.new_demo_stream(self._note_running(demo), demo.stream_key)
        except DemoError as error:
            # With a foreign token issuer there is no seller to be: the server is of use without.
            self._console.ready_without_demo(self._running(), str(error))
            await asyncio.Event().wait()

    def _note_running(self, demo: DemoStream) -> RunningServer:
        server = replace(self._running(), stream_id=demo.stream_id)
        write_config(self._plan.layout.state_file, server.to_json())
        return server

    def _running(self) -> RunningServer:
        return RunningServer(
            pid=os.getpid(),
            local_url=self._plan.local_url,
            public_url=self._plan.public_url,
            rtmp_url=self._plan.rtmp_url,
        )

    @asynccontextmanager
    async def _running_children(
        self, kill: asyncio.Event
    ) -> AsyncIterator[Coroutine[Any, Any, None]]:
        """Everything runs inside; yields what raises when a child will not stay up."""
        rtmp, http, daemon = (
            self._keeper(spec) for spec in (self._plan.rtmp, self._plan.http, self._plan.daemon)
        )
        tasks = [
            asyncio.create_task(keeper.run(), name=f"keeper of {keeper.name}")
            for keeper in (rtmp, http, daemon)
        ]
        try:
            yield _first_failure(tasks)
        finally:
            self._console.step("Stopping …")
            # The daemon first: it takes leave of encoders and players through both nginx.
            for keeper in (daemon, rtmp, http):
                if await _first(kill, keeper.stop()):
                    keeper.kill()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _keeper(self, spec: ChildSpec) -> Keeper:
        return Keeper(
            spec,
            wrappers=self._wrappers,
            on_line=self._console.child_line,
            settled=self._settled,
            policy=self._policy,
            clock=self._clock,
            log=self._log,
        )

    async def _test_config(self, spec: ChildSpec) -> None:
        said: list[str] = []
        child = ChildProcess(spec, self._wrappers, lambda _, line: said.append(line))
        if await run_to_end(child, _CONFIG_TEST_TIMEOUT_S):
            why = said[0] if said else "it did not say why"
            raise ChildFailedError(f"{spec.name} refuses its configuration: {why}")

    async def _migrate(self) -> None:
        child = ChildProcess(self._plan.migrate, self._wrappers, self._console.child_line)
        try:
            status = await run_to_end(child, _MIGRATE_TIMEOUT_S)
        except TimeoutError as error:
            raise ChildFailedError(
                f"The database was not ready after {_MIGRATE_TIMEOUT_S:.0f} s: "
                "check GOLIVE_DATABASE_URL."
            ) from error
        if status:
            raise ChildFailedError(
                "The database could not be prepared: the lines above say why; "
                "check GOLIVE_DATABASE_URL."
            )


async def _first_failure(tasks: list[asyncio.Task[None]]) -> None:
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    for task in done:
        task.result()


async def _first(stop: asyncio.Event, *works: Coroutine[Any, Any, None]) -> bool:
    """Do all the works until one ends or fails; True when `stop` was set before that."""
    stopped: asyncio.Task[Any] = asyncio.create_task(stop.wait())
    tasks = [asyncio.create_task(work) for work in works]
    try:
        done, _ = await asyncio.wait([stopped, *tasks], return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            if task in done:
                task.result()
        return stopped in done
    finally:
        for task in (stopped, *tasks):
            task.cancel()
        await asyncio.gather(stopped, *tasks, return_exceptions=True)
