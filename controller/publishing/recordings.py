"""How an ended stream becomes a VOD, and how its live files leave."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Protocol
from uuid import UUID

import structlog

from controller.domain.ports import Clock, EndedMedia, StreamStore
from controller.domain.recordings import (
    Recording,
    RecordingState,
    RecordingStore,
    RetentionRules,
)
from controller.domain.rehearsals import is_rehearsal
from controller.domain.states import StreamStatus
from controller.domain.streams import Audience, Stream
from controller.errors import NothingToDelete, NothingToSave, StoreUnavailable, StreamNotFound
from controller.publishing.background import BackgroundTasks
from ingest import Cue, IngestError, Keep, RecordingPlan, SessionSupervisor, Vod

_FINISH_TIMEOUT_S = 10.0
"""How long the host's `end` waits for the VOD before it is answered without."""

_LINGER_S = 60.0
"""How long an ended stream's live playlists stay, so that players read their ENDLIST."""

_RETRY_S = (0.5, 1.0, 2.0, 5.0)
"""Between tries, each of which waits for the store by itself."""

_PLANS = {RecordingState.RECORDING: Keep.RECORDING, RecordingState.UNSAVED: Keep.FILES}


CuesOf = Callable[[UUID], Awaitable[Sequence[Cue]]]


async def _no_cues(_: UUID) -> Sequence[Cue]:
    return ()


class SpaceForRecordings(Protocol):
    """Who knows whether there is space."""

    @property
    def may_record(self) -> bool:
        """Whether a new recording may begin."""
        ...


@dataclass(frozen=True, slots=True)
class VodAddresses:
    """Where recordings play: those of streams for everyone, and those of the others."""

    public: str
    private: str

    def of(self, stream: Stream) -> str:
        """The Multivariant Playlist."""
        base = self.public if stream.options.audience is Audience.EVERYONE else self.private
        return f"{base}/vods/{stream.id}.m3u8"


class Recordings:
    """Decides what is kept of a stream; finishes ended ones: ENDLIST, VOD, then the live files
    go. The RecordingControl of the API.

    on_finished: called when a stream's media are, with whether there is a recording.
    cues_of: what was shown in a stream, for its playlists.
    """

    def __init__(
        self,
        streams: StreamStore,
        recordings: RecordingStore,
        supervisor: SessionSupervisor,
        space: SpaceForRecordings,
        rules: RetentionRules,
        addresses: VodAddresses,
        clock: Clock,
        on_finished: Callable[[UUID, bool], None] = lambda _, __: None,
        cues_of: CuesOf = _no_cues,
    ) -> None:
        self._streams = streams
        self._recordings = recordings
        self._supervisor = supervisor
        self._space = space
        self._rules = rules
        self._addresses = addresses
        self._clock = clock
        self._on_finished = on_finished
        self._cues_of = cues_of
        self._tasks = BackgroundTasks()
        self._running: dict[UUID, asyncio.Task[str | None]] = {}
        self._lingering: dict[UUID, asyncio.Task[None]] = {}
        self._removing: dict[UUID, asyncio.Task[None]] = {}
        self._log = structlog.get_logger()

    async def plan(self, stream: Stream) -> RecordingPlan:
        """What is kept of the stream: decided once, when it is asked for the first time.

        Raises StoreUnavailable.
        """
        recording = await self._recordings.find(stream.id)
        if recording is None or recording.state is RecordingState.PENDING:
            recording = await self._recordings.begin(stream.id, self._first_state(stream))
            if recording.state is RecordingState.NO_SPACE:
                self._log.warning("recording_refused", stream_id=str(stream.id), reason="no_space")
        return _plan(stream, recording)

    async def finish(self, stream: Stream) -> EndedMedia:
        """Publish the recording of an ended stream, whose session is over.

        Answers without a URL when there is no recording, or when it is not ready in time: then
        it goes on in the background until it succeeds.
        """
        work = self._start(stream)
        await asyncio.wait({work}, timeout=_FINISH_TIMEOUT_S)
        if work.done() and not work.cancelled() and work.exception() is None:
            return EndedMedia(vod_url=work.result())
        return EndedMedia(vod_url=None)

    async def save(self, stream: Stream) -> str | None:
        """See `RecordingControl.save`."""
        recording = await self._recordings.find(stream.id)
        if (
            recording is None
            or recording.state is not RecordingState.UNSAVED
            or recording.save_until is None
            or recording.save_until <= self._clock.now()
            or not self._supervisor.folder(str(stream.id)).exists()
        ):
            raise NothingToSave
        saving = replace(recording, state=RecordingState.RECORDING, save_until=None)
        if not await self._recordings.change(saving, RecordingState.UNSAVED):
            raise NothingToSave
        self._log.info("recording_saved", stream_id=str(stream.id))
        await self._close(stream.id, remove_files=False)
        return (await self.finish(stream)).vod_url

    async def delete(self, stream: Stream, reason: str) -> None:
        """See `RecordingControl.delete`."""
        recording = await self._recordings.find(stream.id)
        if recording is None:
            raise NothingToDelete
        left = max(1, recording.size_bytes)  # until the store has let go of it
        gone = replace(recording, state=RecordingState.DELETED, size_bytes=left, save_until=None)
        if not await self._recordings.change(gone, recording.state):
            raise NothingToDelete
        self._log.info("recording_deleted", stream_id=str(stream.id), reason=reason)
        await self._close(stream.id, remove_files=True)
        await self.remove(stream, gone)

    async def remove(self, stream: Stream, gone: Recording) -> None:
        """Carry out what `delete` has decided; goes on in the background when it takes long."""
        if stream.id not in self._removing:
            removal = self._tasks.start(self._remove(stream, gone), f"remove-{stream.id}")
            self._removing[stream.id] = removal
            removal.add_done_callback(lambda _: self._removing.pop(stream.id, None))
        await asyncio.wait({self._removing[stream.id]}, timeout=_FINISH_TIMEOUT_S)

    async def release_lingering(self) -> None:
        """Let the live files of finished streams go now: there is no space to be patient."""
        for stream_id in [*self._lingering]:
            lingering = self._lingering.pop(stream_id, None)
            if lingering is not None:
                lingering.cancel()
                await self._forget(stream_id)

    async def recover(self, but: AbstractSet[UUID]) -> None:
        """Finish what the last run of the daemon left: ended streams without their VOD, and live
        files that nobody needs any more. Streams in `but` have a session that comes first.
        """
        root = self._supervisor.folder("")
        folders = await asyncio.to_thread(lambda: [*root.iterdir()] if root.exists() else [])
        for folder in folders:
            with contextlib.suppress(ValueError):
                stream_id = UUID(folder.name)
                if stream_id not in but and not is_rehearsal(stream_id):
                    await self._recover(stream_id)

    async def close(self) -> None:
        """Stop; what is unfinished is taken up by `recover` at the next start."""
        await self._tasks.close()

    async def _recover(self, stream_id: UUID) -> None:
        try:
            stream = await self._streams.get(stream_id)
        except StreamNotFound:
            self._log.warning("live_files_of_unknown_stream", stream_id=str(stream_id))
            return
        if stream.status is StreamStatus.ENDED:
            self._start(stream)

    def _first_state(self, stream: Stream) -> RecordingState:
        wanted = RecordingState.RECORDING
        if not stream.options.record_stream:
            wanted = RecordingState.UNSAVED if self._rules.save_hours else RecordingState.OFF
        if self._space.may_record or wanted is RecordingState.OFF:
            return wanted
        return RecordingState.NO_SPACE if stream.options.record_stream else RecordingState.OFF

    def _start(self, stream: Stream) -> asyncio.Task[str | None]:
        """The stream's one finishing task."""
        running = self._running.get(stream.id)
        if running is None:
            running = self._tasks.start(self._finish(stream), f"finish-{stream.id}")
            self._running[stream.id] = running
            running.add_done_callback(lambda _: self._running.pop(stream.id, None))
        return running

    async def _finish(self, stream: Stream) -> str | None:
        """The VOD's URL, tried until the store takes it; None when nothing was recorded."""
        attempt = 0
        while True:
            try:
                url = await self._publish(stream)
                break
            except (IngestError, StoreUnavailable, OSError) as error:
                wait_s = _RETRY_S[min(attempt, len(_RETRY_S) - 1)]
                self._log.warning(
                    "recording_not_published",
                    stream_id=str(stream.id),
                    error=str(error),
                    again_in_s=wait_s,
                )
                attempt += 1
                await asyncio.sleep(wait_s)
        self._on_finished(stream.id, url is not None)
        self._lingering[stream.id] = self._tasks.start(
            self._forget_later(stream.id), f"forget-{stream.id}"
        )
        return url

    async def _publish(self, stream: Stream) -> str | None:
        plan = await self.plan(stream)
        vod = await self._supervisor.finish_stream(
            str(stream.id),
            plan,
            reason=stream.end_reason.value if stream.end_reason else "ended",
            cues=await self._cues_of(stream.id),
        )
        if vod is None:
            await self._note_unpublished(stream.id)
            return stream.vod_url
        url = self._addresses.of(stream)
        if stream.vod_url != url:
            await self._streams.set_vod(stream.id, url)
        await self._note_ready(stream.id, vod)
        self._log.info(
            "recording_ready", stream_id=str(stream.id), duration_s=round(vod.duration_s, 3)
        )
        return url

    async def _note_ready(self, stream_id: UUID, vod: Vod) -> None:
        recording = await self._recordings.find(stream_id)
        if recording is not None and recording.state is RecordingState.RECORDING:
            ready = replace(
                recording,
                state=RecordingState.READY,
                size_bytes=vod.size_bytes,
                finished_at=self._clock.now(),
            )
            await self._recordings.change(ready, RecordingState.RECORDING)

    async def _note_unpublished(self, stream_id: UUID) -> None:
        """What there is without a VOD: nothing, or something to be saved."""
        recording = await self._recordings.find(stream_id)
        if recording is None or recording.finished_at is not None:
            return
        now = self._clock.now()
        if recording.state is RecordingState.RECORDING or not self._has_media(stream_id):
            if recording.state in _PLANS:
                empty = replace(recording, state=RecordingState.EMPTY, finished_at=now)
                await self._recordings.change(empty, recording.state)
        elif recording.state is RecordingState.UNSAVED:
            until = now + timedelta(hours=self._rules.save_hours)
            unsaved = replace(recording, finished_at=now, save_until=until)
            await self._recordings.change(unsaved, RecordingState.UNSAVED)

    def _has_media(self, stream_id: UUID) -> bool:
        window = self._supervisor.window(str(stream_id))
        return window is not None and bool(window.version)

    async def _forget_later(self, stream_id: UUID) -> None:
        await asyncio.sleep(_LINGER_S)
        self._lingering.pop(stream_id, None)
        await self._forget(stream_id)

    async def _forget(self, stream_id: UUID) -> None:
        """Close what is open; files that can still be saved stay."""
        recording = await self._recordings.find(stream_id)
        unsaved = recording is not None and recording.state is RecordingState.UNSAVED
        await self._supervisor.forget_stream(str(stream_id), remove_files=not unsaved)

    async def _close(self, stream_id: UUID, *, remove_files: bool) -> None:
        """End what runs for an ended stream."""
        for tasks in (self._lingering, self._running):
            task = tasks.pop(stream_id, None)
            if task is not None:
                task.cancel()
                await asyncio.wait({task})
        await self._supervisor.forget_stream(str(stream_id), remove_files=remove_files)

    async def _remove(self, stream: Stream, gone: Recording) -> None:
        """Take the recording from the store; the next sweep tries again where that fails."""
        private = stream.options.audience is not Audience.EVERYONE
        try:
            await self._streams.forget_vod(stream.id)
            await self._supervisor.remove_recording(str(stream.id), private=private)
            removed = replace(gone, size_bytes=0)
            await self._recordings.change(removed, RecordingState.DELETED)
        except (IngestError, StoreUnavailable) as error:
            self._log.warning("recording_not_removed", stream_id=str(stream.id), error=str(error))


def _plan(stream: Stream, recording: Recording) -> RecordingPlan:
    private = stream.options.audience is not Audience.EVERYONE
    return RecordingPlan(_PLANS.get(recording.state, Keep.NOTHING), private)
