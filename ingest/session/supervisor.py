"""All sessions and all live streams of this daemon."""

import asyncio
import contextlib
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from ingest.cues import Cue
from ingest.derive.recording import Recording, recording_of
from ingest.errors import IngestError
from ingest.ports import PublicationProbe
from ingest.session.admission import Admission, SessionKind
from ingest.session.nursery import PackagerNursery
from ingest.session.packager_process import PackagerPool
from ingest.session.session import Session, SessionSpec
from ingest.session.session_totals import SessionTotals
from ingest.session.state import SessionState
from ingest.session.stream_media import StreamMedia
from ingest.session.worker_process import WorkerPool
from ingest.settings import Keep, PackagingSettings, RecordingPlan, Thrift
from ingest.vod.daemon_threads import DaemonThreads
from ingest.vod.publisher import Vod, publish_vod
from ingest.vod.recorder import Recorder
from ingest.vod.uploader import Uploader
from ingest.window.live_window import LiveWindow

_RECORD_EVERY_S = 0.5
_STOP_WAIT_S = 5.0
_BEYOND_HELP_S = 45.0
"""Longer than a session takes to notice that its worker hangs, to kill it, and to have another."""

_STORE_WAIT_S = 15.0
_LOOK_EVERY_S = 0.1
_STARTING = frozenset({SessionState.REQUESTED, SessionState.CONNECTING, SessionState.PROBING})

StateListener = Callable[[SessionSpec, SessionState, str], None]


class SessionSupervisor:
    """Starts, watches and ends sessions; keeps each live stream's window between them.

    `live_root` holds a folder per stream. Streams are named by their id, publications by
    internal name. Packagers come out of `nursery`, where there is one.
    """

    def __init__(
        self,
        live_root: Path,
        uploader: Uploader,
        probe: PublicationProbe,
        settings: PackagingSettings,
        dvr_window_s: float,
        admission: Admission,
        nursery: PackagerNursery | None = None,
    ) -> None:
        self._live_root = live_root
        self._uploader = uploader
        self._probe = probe
        self._settings = settings
        self._dvr_window_s = dvr_window_s
        self.admission = admission
        self._listeners: list[StateListener] = []
        self._workers = WorkerPool()
        self._packagers = PackagerPool(nursery=nursery)
        self._removers = DaemonThreads(1, "remove")
        self._media: dict[str, StreamMedia] = {}
        self._sessions: dict[str, Session] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._recording: dict[str, asyncio.Task[None]] = {}
        self._totals = SessionTotals()
        self._thrift = Thrift.NONE
        self._log = structlog.get_logger()

    def subscribe(self, listener: StateListener) -> None:
        """Call `listener` with each session's every state, and the error where it failed.

        When it hears ENDED or FAILED the stream has no session any more: another may start.
        """
        self._listeners.append(listener)

    async def warm(self) -> None:
        """Have a packager ready before the first encoder comes or is taken up again."""
        await self._packagers.warm()
        await self._uploader.forget_missing(self._live_root)

    def warm_spare(self) -> None:
        """Have a pull worker ready, too; it takes the CPU longer than a packager."""
        self._workers.warm()

    async def wait_taken_up(self, timeout_s: float) -> None:
        """Until no session is waiting for its first media; at most so long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while any(one.state in _STARTING for one in self.sessions()):  # noqa: ASYNC110
                    await asyncio.sleep(_LOOK_EVERY_S)

    def window(self, stream_id: str) -> LiveWindow | None:
        """The live window of a stream that this daemon serves."""
        media = self._media.get(stream_id)
        return media.window if media else None

    def recording(self, stream_id: str) -> Recording | None:
        """What there is of a stream that this daemon serves: all of it where it is recorded, else
        its live window; None for another stream."""
        media = self._media.get(stream_id)
        if media is None:
            return None
        if media.recorder is not None:
            return recording_of(media.recorder.presentation())
        return recording_of(media.window.presentation(), forgotten_s=media.window.forgotten_s)

    def session(self, stream_id: str) -> Session | None:
        """The running session of a stream."""
        return self._sessions.get(stream_id)

    def sessions(self) -> list[Session]:
        """The running sessions."""
        return [*self._sessions.values()]

    def stuck(self) -> list[str]:
        """Streams whose worker makes nothing and could not be replaced."""
        return [
            stream_id
            for stream_id, session in self._sessions.items()
            if session.silent_s > _BEYOND_HELP_S
        ]

    def totals(self) -> SessionTotals:
        """What all sessions and streams of this daemon add up to, those that are over included."""
        totals = self._totals
        for session in self._sessions.values():
            totals = totals.with_session(session.counted)
        for media in self._media.values():
            totals = totals.with_lateness(media.lateness)
        return totals

    def folder(self, stream_id: str) -> Path:
        """Where the stream's media and journal are."""
        return self._live_root / stream_id

    def economize(self, thrift: Thrift) -> None:
        """Let live streams, those that are to come included, take only so much disk space."""
        self._thrift = thrift
        for media in self._media.values():
            media.economize(thrift)

    def is_open(self, stream_id: str) -> bool:
        """Whether the stream's media are open, under the plan that they were opened with."""
        return stream_id in self._media

    def open_stream(self, stream_id: str, plan: RecordingPlan) -> StreamMedia:
        """The stream's media, read back from its journal when it has one already."""
        media = self._media.get(stream_id)
        if media is None:
            folder = self.folder(stream_id)
            recorder = None
            if plan.keep is Keep.RECORDING:
                recorder = Recorder(stream_id, folder, self._uploader, private=plan.private)
            keeps_files = plan.keep is Keep.FILES
            media = StreamMedia(
                stream_id,
                folder,
                self._dvr_window_s,
                recorder,
                self._removers,
                keeps_files=keeps_files,
            )
            media.economize(self._thrift)
            media.refresh()
            self._media[stream_id] = media
            if recorder is not None:
                self._recording[stream_id] = asyncio.create_task(
                    self._record(media, recorder), name=f"record-{stream_id}"
                )
        return media

    def start(
        self, spec: SessionSpec, plan: RecordingPlan, *, reason: str, taken_up: bool = False
    ) -> Session:
        """Start the session of a publication; the stream has none running.

        Raises OverBudget, but not for one that is `taken_up` from the last run of the daemon.
        """
        if spec.stream_id in self._sessions:
            raise IngestError(f"stream {spec.stream_id} has a session already")
        kind = SessionKind.PULL if spec.spool is None else SessionKind.PASSTHROUGH
        self.admission.enter(spec.stream_id, kind, must=taken_up)
        media = self.open_stream(spec.stream_id, plan)
        session = Session(
            spec,
            media,
            self._workers,
            self._packagers,
            self._probe,
            self._settings,
            self.admission,
            self._state_changed,
            reason=reason,
        )
        self._sessions[spec.stream_id] = session
        task = asyncio.create_task(self._run(session), name=f"session-{spec.publication}")
        self._tasks[spec.stream_id] = task
        return session

    async def wait_ended(self, stream_id: str, timeout_s: float = _STOP_WAIT_S) -> None:
        """Wait for the session's own end; after `timeout_s` it is stopped, then killed."""
        session, task = self._sessions.get(stream_id), self._tasks.get(stream_id)
        if session is None or task is None:
            return
        for give_up in (session.stop, session.kill):
            done, _ = await asyncio.wait({task}, timeout=timeout_s)
            if done:
                return
            self._log.warning("session_lingers", stream_id=stream_id, next=give_up.__name__)
            give_up()
        await asyncio.wait({task}, timeout=timeout_s)

    def open_streams(self) -> list[str]:
        """The streams that this daemon serves."""
        return [*self._media]

    def show_cues(self, stream_id: str, cues: Sequence[Cue]) -> None:
        """Have the stream's playlists tell these cues instead of those before; nothing happens
        for a stream that this daemon does not serve."""
        media = self._media.get(stream_id)
        if media is not None and tuple(cues) != tuple(media.window.cues):
            media.window.show(tuple(cues))

    async def finish_stream(
        self, stream_id: str, plan: RecordingPlan, *, reason: str, cues: Sequence[Cue] = ()
    ) -> Vod | None:
        """End the stream's playlists and publish its recording with its cues; its session is over.

        None when nothing was recorded. Raises ObjectStoreError when the store does not take
        everything in time: calling again goes on where it stopped.
        """
        media = self.open_stream(stream_id, plan)
        if not (media.folder.exists() and media.window.version):
            return None
        media.finish(reason)
        if media.recorder is None:
            return None
        await media.recorder.catch_up()
        await media.recorder.stored(_STORE_WAIT_S)
        return await publish_vod(
            stream_id,
            media.recorder.presentation(),
            self._uploader,
            private=media.recorder.private,
            cues=cues,
            histories=media.recorder.histories,
        )

    async def forget_stream(self, stream_id: str, *, remove_files: bool) -> None:
        """Drop the stream's window, and its live files where nobody needs them any more."""
        recording = self._recording.pop(stream_id, None)
        if recording is not None:
            recording.cancel()
            await asyncio.wait({recording})
        media = self._media.pop(stream_id, None)
        if media is not None:
            self._totals = self._totals.with_lateness(media.lateness)
            media.close()
        if remove_files:
            folder = self.folder(stream_id)
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
            await self._uploader.forget(stream_id)

    async def remove_recording(self, stream_id: str, *, private: bool) -> None:
        """Take the recording of a stream that was forgotten from the store.

        Raises ObjectStoreError; calling again goes on where it stopped.
        """
        await self._uploader.remove(stream_id, private=private)

    async def close(self) -> None:
        """Let go of everything as it is: the next daemon goes on from journals and spools."""
        tasks = [*self._tasks.values(), *self._recording.values()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await self._workers.close()
        await self._packagers.close()
        for media in self._media.values():
            media.close()
        self._removers.shutdown()  # what is left is removed once the next daemon has read on

    async def _run(self, session: Session) -> None:
        stream_id = session.spec.stream_id
        try:
            await session.run()
        except Exception as error:  # noqa: BLE001  a fault of ours ends one session, no more
            self._log.exception("session_crashed", stream_id=stream_id)
            session.error = type(error).__name__
            self._state_changed(session, SessionState.FAILED)
        self._sessions.pop(stream_id, None)
        self._tasks.pop(stream_id, None)
        self._totals = self._totals.with_session(session.counted)
        self.admission.leave(stream_id)
        self._after(session)

    def _state_changed(self, session: Session, state: SessionState) -> None:
        if state not in {SessionState.ENDED, SessionState.FAILED}:
            self._tell(session, state)

    def _after(self, session: Session) -> None:
        """Tell of the end when the stream has no session any more, so that one can start."""
        state = session.state if session.state is SessionState.ENDED else SessionState.FAILED
        self._tell(session, state)

    def _tell(self, session: Session, state: SessionState) -> None:
        for listener in self._listeners:
            listener(session.spec, state, session.error)

    async def _record(self, media: StreamMedia, recorder: Recorder) -> None:
        """Keep the upload ledger close behind the journal; live delivery never waits for it."""
        seen = -1
        while True:
            if media.window.version != seen:
                seen = media.window.version
                try:
                    await recorder.catch_up()
                except IngestError as error:
                    seen = -1
                    self._log.warning(
                        "recording_behind", stream_id=media.stream_id, error=str(error)
                    )
            await asyncio.sleep(_RECORD_EVERY_S)
