"""Has MP4, poster and storyboard made of each recording that is complete."""

import asyncio
from uuid import UUID

import structlog

from controller.domain.derived import DERIVE_RECORDING, DerivedStore
from controller.domain.jobs import JobDesk, NewJob
from controller.errors import ControllerError
from controller.publishing.background import BackgroundTasks

_LOOK_EVERY_S = 30.0
_AT_ONCE = 20


class Derivations:
    """Looks for recordings that nothing has been made of yet: when one is announced, and now and
    then, so that neither a crash nor a store that was away leaves one out."""

    def __init__(self, derived: DerivedStore, jobs: JobDesk) -> None:
        self._derived = derived
        self._jobs = jobs
        self._due = asyncio.Event()
        self._tasks = BackgroundTasks()
        self._log = structlog.get_logger(__name__)

    def start(self) -> None:
        """Look from now on, in the background."""
        self._tasks.start(self._look(), "derivations")

    def stream_finished(self, stream_id: UUID, recorded: bool) -> None:  # noqa: FBT001 - a callback
        """A stream's media are complete: look at once for its recording; without one its picture
        goes with its live files."""
        if recorded:
            self._due.set()
        else:
            self._tasks.start(self._forget_picture(stream_id), f"picture-{stream_id}")

    async def close(self) -> None:
        """Stop looking; jobs that were handed in are done all the same."""
        await self._tasks.close()

    async def _look(self) -> None:
        while True:
            self._due.clear()
            try:
                await self._hand_in()
            except ControllerError as error:
                self._log.warning("derivations_not_handed_in", code=error.code)
            try:
                async with asyncio.timeout(_LOOK_EVERY_S):
                    await self._due.wait()
            except TimeoutError:
                continue

    async def _forget_picture(self, stream_id: UUID) -> None:
        await self._derived.set_thumbnail(stream_id, None)

    async def _hand_in(self) -> None:
        for stream in await self._derived.underived(_AT_ONCE):
            await self._begin(stream.id)

    async def _begin(self, stream_id: UUID) -> None:
        job = await self._jobs.submit(NewJob(DERIVE_RECORDING, str(stream_id)))
        await self._derived.begin_recording(stream_id, job.id)
