"""The media side of rehearsals: that of streams, of which nothing is kept, and nobody told.

To `StreamLifecycle` a rehearsal is a stream that is live while it runs. What it asks of the
stores, of the recordings and of the room is answered here.
"""

import asyncio
import contextlib
import shutil
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from uuid import UUID

import structlog

from controller.domain.ports import Clock, EndedMedia
from controller.domain.rehearsals import Rehearsal, RehearsalStore, is_rehearsal
from controller.domain.states import EndReason, IngestState, StreamStatus
from controller.domain.streams import Audience, Stream, StreamOptions
from controller.errors import ControllerError
from controller.publishing.background import BackgroundTasks
from controller.publishing.lifecycle import StreamLifecycle
from ingest import IngestError, Keep, RecordingPlan, SessionSupervisor

_LOOK_EVERY_S = 2.0
_END_WAIT_S = 3.0
"""How long whoever ends a rehearsal waits for it to be gone."""

_PLAN = RecordingPlan(Keep.NOTHING, private=True)
_OPTIONS = StreamOptions(
    audience=Audience.FOLLOWERS,
    notify_followers=False,
    enable_chat=False,
    enable_comments=False,
    record_stream=False,
)


class RehearsedStreams:
    """Rehearsals as streams: the lifecycle's `ServedStreams`."""

    def __init__(self, store: RehearsalStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def get(self, stream_id: UUID) -> Stream:
        """The rehearsal's; one that is not known any more is over."""
        rehearsal = await self._store.find(stream_id)
        if rehearsal is not None:
            return _as_stream(rehearsal)
        now = self._clock.now()
        gone = Rehearsal(
            stream_id, stream_id, stream_id, now, now, IngestState.FINISHED, now, is_over=True
        )
        return _as_stream(gone)

    async def end(self, stream_id: UUID, reason: EndReason) -> Stream:
        """End it: its encoder has been away for as long as it may last."""
        rehearsal = await self._store.find(stream_id)
        if rehearsal is None:
            return await self.get(stream_id)
        await self._store.end(rehearsal.stream_id)
        return replace(await self.get(stream_id), end_reason=reason)

    async def set_ingest_state(
        self, stream_id: UUID, from_state: IngestState, to_state: IngestState
    ) -> Stream:
        """See `RehearsalStore.set_ingest_state`."""
        return _as_stream(await self._store.set_ingest_state(stream_id, from_state, to_state))

    async def live_streams(self) -> Sequence[Stream]:
        """Those that run."""
        return [_as_stream(one) for one in await self._store.all() if not one.is_over]


class NothingKept:
    """What is kept of rehearsals: the lifecycle's `KeptMedia`."""

    def __init__(self, store: RehearsalStore, supervisor: SessionSupervisor) -> None:
        self._store = store
        self._supervisor = supervisor

    async def plan(self, stream: Stream) -> RecordingPlan:  # noqa: ARG002
        """The live window, and that for its owner alone."""
        return _PLAN

    async def finish(self, stream: Stream) -> EndedMedia:
        """Tell players that it has ended, remove its media, and forget it."""
        media = str(stream.id)
        if self._supervisor.is_open(media):
            with contextlib.suppress(IngestError, OSError):
                await self._supervisor.finish_stream(media, _PLAN, reason="rehearsal over")
        await self._supervisor.forget_stream(media, remove_files=True)
        await self._store.forget(stream.id)
        return EndedMedia(vod_url=None)

    async def recover(self, but: AbstractSet[UUID]) -> None:
        """Remove the media of rehearsals that are over."""
        running = {one.id for one in await self._store.all() if not one.is_over}
        await asyncio.to_thread(self._remove_folders, {*running, *but})

    def _remove_folders(self, but: AbstractSet[UUID]) -> None:
        root = self._supervisor.folder("")
        for folder in root.iterdir() if root.exists() else ():
            with contextlib.suppress(ValueError):
                media_id = UUID(folder.name)
                if is_rehearsal(media_id) and media_id not in but:
                    shutil.rmtree(folder, ignore_errors=True)


class Unannounced:
    """Tells nobody: the lifecycle's `EncoderAnnouncer`."""

    async def ended(self, stream: Stream) -> None:
        """Nothing to be heard."""

    async def interrupted(self, stream: Stream) -> None:
        """Nothing to be heard."""

    async def resumed(self, stream: Stream) -> None:
        """Nothing to be heard."""


class Rehearsals:
    """Ends rehearsals, those whose time has run out included: the API's `RehearsalMedia`."""

    def __init__(
        self, store: RehearsalStore, lifecycle: StreamLifecycle, supervisor: SessionSupervisor
    ) -> None:
        self._store = store
        self._lifecycle = lifecycle
        self._supervisor = supervisor
        self._ending: dict[UUID, asyncio.Task[None]] = {}
        self._tasks = BackgroundTasks()
        self._log = structlog.get_logger()

    async def end(self, rehearsal_id: UUID, reason: str) -> None:
        """See `RehearsalMedia.end`."""
        ending = self._ending.get(rehearsal_id)
        if ending is None:
            self._log.info("rehearsal_over", stream_id=str(rehearsal_id), reason=reason)
            ending = self._tasks.start(self._end(rehearsal_id), f"rehearsal-{rehearsal_id}")
            self._ending[rehearsal_id] = ending
            ending.add_done_callback(lambda _: self._ending.pop(rehearsal_id, None))
        await asyncio.wait({ending}, timeout=_END_WAIT_S)

    async def look(self) -> None:
        """End what is over, wherever that was decided: by the clock, by another daemon, by a
        command, before this daemon began. Raises StoreUnavailable."""
        served = {UUID(one) for one in self._supervisor.open_streams()}  # one may begin meanwhile
        known = await self._store.all()
        running = {one.id for one in known if not one.is_over}
        over = {one.id for one in known if one.is_over}
        over |= {one for one in served - running if is_rehearsal(one)}
        await asyncio.gather(*(self.end(one, "time_is_up") for one in over))

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            try:
                await self.look()
            except ControllerError as error:
                self._log.warning("rehearsals_not_looked_at", code=error.code)
            await asyncio.sleep(_LOOK_EVERY_S)

    async def close(self) -> None:
        """Stop; what is unfinished is taken up by the next daemon."""
        await self._tasks.close()

    async def _end(self, rehearsal_id: UUID) -> None:
        with contextlib.suppress(ControllerError):  # the next look tries again
            await self._lifecycle.end_stream(rehearsal_id)


def _as_stream(rehearsal: Rehearsal) -> Stream:
    return Stream(
        id=rehearsal.id,
        owner_id=rehearsal.owner_id,
        title="",
        description=None,
        category="",
        status=StreamStatus.ENDED if rehearsal.is_over else StreamStatus.LIVE,
        ingest_state=rehearsal.ingest_state,
        ingest_state_since=rehearsal.ingest_state_since,
        created_at=rehearsal.started_at,
        updated_at=rehearsal.ingest_state_since,
        options=_OPTIONS,
    )
