"""What becomes of a stream's media: visits begin and end, streams are interrupted and end.

An encoder that vanishes does not end its stream: for a grace time the same key resumes it.
"""

import asyncio
from pathlib import Path
from uuid import UUID

import structlog

from controller.domain.ports import Clock, EndedMedia
from controller.domain.publications import Publication
from controller.domain.states import EndReason, IngestState, StreamStatus
from controller.domain.streams import Stream
from controller.errors import (
    ControllerError,
    IllegalIngestState,
    StreamNotFound,
    StreamNotLive,
)
from controller.publishing.background import BackgroundTasks
from controller.publishing.encoders import Encoders, is_over_webrtc
from controller.publishing.nginx_rtmp import NginxUnreachable
from controller.publishing.served import (
    EncoderAnnouncer,
    KeptMedia,
    OpenPublications,
    ServedStreams,
)
from controller.publishing.visits import Visit, Visits
from ingest import (
    OverBudget,
    RecordingPlan,
    SessionKind,
    SessionSpec,
    SessionState,
    SessionSupervisor,
)

_JOIN_TIMEOUT_S = 5.0
"""Below nginx's netcall_timeout (8 s), after which it refuses by itself."""

_LOOK_TIMEOUT_S = 1.5

_HINT_GRACE_S = 1.0
"""How long after nginx's hint a session may take to see the end by itself."""


class SessionNotStarted(ControllerError):
    """Our puller did not join the publication in time."""

    code = "session_not_started"
    http_status = 503
    retryable = True
    default_detail = "The session worker did not start in time"


class NoCapacity(ControllerError):
    """The machine carries as many sessions as its budget allows."""

    code = "no_capacity"
    http_status = 503
    retryable = True
    default_detail = "The server has no room for another stream"


class StreamLifecycle:
    """Runs the media side of streams, as the API's PublishingControl; another one runs that of
    rehearsals."""

    def __init__(
        self,
        streams: ServedStreams,
        publications: OpenPublications,
        announcer: EncoderAnnouncer,
        nginx: Encoders,
        supervisor: SessionSupervisor,
        recordings: KeptMedia,
        visits: Visits,
        clock: Clock,
        *,
        pull_url: str,
        spool_dir: Path | None,
        grace_s: float,
    ) -> None:
        self._streams = streams
        self._publications = publications
        self._announcer = announcer
        self._nginx = nginx
        self._supervisor = supervisor
        self._recordings = recordings
        self._visits = visits
        self._clock = clock
        self._pull_url = pull_url
        self._spool_dir = spool_dir
        self._grace_s = grace_s
        self._tasks = BackgroundTasks()
        self._graces: dict[UUID, asyncio.Task[None]] = {}
        self._log = structlog.get_logger()
        supervisor.subscribe(self._session_changed)

    async def plan_recording(self, stream_id: UUID) -> RecordingPlan:
        """What is kept of the stream, decided at its first visit. Raises StoreUnavailable."""
        return await self._recordings.plan(await self._streams.get(stream_id))

    async def begin(self, visit: Visit) -> None:
        """Start the session of a visit; when this returns, our puller has joined it.

        Raises SessionNotStarted or NoCapacity; the visit is then closed. Where nginx records a
        spool the puller is needed for rare codecs only, and a machine that is too busy to start
        it in time does not keep an encoder out.
        """
        self._visits.add(visit)
        try:
            self._start_session(visit, "encoder connected")
        except OverBudget as error:
            await self._close_visit(visit, "no capacity")
            raise NoCapacity(str(error)) from error
        spooled = self._spool_dir is not None
        if not is_over_webrtc(visit.name) and not await self._joined(
            visit, _LOOK_TIMEOUT_S if spooled else _JOIN_TIMEOUT_S
        ):
            self._log.warning("puller_late", publication=visit.name)
            if not spooled:
                session = self._supervisor.session(str(visit.stream_id))
                if session is not None:
                    session.kill()
                raise SessionNotStarted
        self._cancel_grace(visit.stream_id)

    async def _joined(self, visit: Visit, timeout_s: float) -> bool:
        try:
            async with asyncio.timeout(timeout_s):
                await visit.joined.wait()
                return await self._nginx.wait_player(visit.name, timeout_s)
        except (TimeoutError, NginxUnreachable):
            return False

    def require_capacity(self) -> None:
        """Raise NoCapacity when a new encoder could not be served."""
        spooled = self._spool_dir is not None
        kind = SessionKind.PASSTHROUGH if spooled else SessionKind.PULL
        try:
            self._supervisor.admission.require_room(kind)
        except OverBudget as error:
            raise NoCapacity(str(error)) from error

    async def release_dead_visit(self, stream_id: UUID) -> None:
        """Make room for a new encoder when the old one is there in name only.

        An encoder that sends nothing, or that nginx does not know any more, gives way; one that
        sends stays, and the new one is refused.
        """
        visit = self._visits.of_stream(stream_id)
        if visit is None:
            return
        session = self._supervisor.session(str(stream_id))
        stalled = session is None or session.state is SessionState.STALLED
        if not stalled and await self._is_publishing(visit):
            return
        self._log.warning("visit_taken_over", stream_id=str(stream_id), publication=visit.name)
        await self._drop(visit)
        await self._supervisor.wait_ended(str(stream_id), 1.0)
        await self._close_visit(visit, "taken over")

    def encoder_may_be_gone(self, visit: Visit) -> None:
        """nginx says so; unless the session notices by itself, ask nginx's stat page."""
        self._tasks.start(self._check_gone(visit), f"check-{visit.name}")

    async def end_stream(self, stream_id: UUID) -> EndedMedia:
        """Disconnect the encoder, drain, publish the VOD; called once the stream has ended."""
        self._cancel_grace(stream_id)
        await self.disconnect_publisher(stream_id, "stream ended")
        return await self._recordings.finish(await self._streams.get(stream_id))

    async def disconnect_publisher(self, stream_id: UUID, reason: str) -> None:
        """Disconnect the encoder, if there is one, and wait until its media are drained."""
        visit = self._visits.of_stream(stream_id)
        if visit is None:
            return
        self._log.info("encoder_disconnected", stream_id=str(stream_id), reason=reason)
        await self._drop(visit)
        await self._supervisor.wait_ended(str(stream_id))

    async def recover(self) -> None:
        """Take up what the last run of the daemon left: encoders that are still there, streams
        that are live without one, recordings that were not finished."""
        for publication in await self._publications.list_open():
            await self._recover_visit(publication)
        await self._recordings.recover(but=self._visits.streams())
        for stream in await self._streams.live_streams():
            is_visited = self._visits.of_stream(stream.id) is not None
            if not is_visited and stream.ingest_state is not IngestState.IDLE:
                plan = await self._recordings.plan(stream)
                self._supervisor.open_stream(str(stream.id), plan)
                await self._interrupted(stream.id)

    def wait_for(self, grace_s: float) -> None:
        """How long streams whose encoder vanishes from now on wait for it."""
        self._grace_s = grace_s

    async def close(self) -> None:
        """Stop waiting for anything. Sessions are the supervisor's to close."""
        for grace in self._graces.values():
            grace.cancel()
        await self._tasks.close()

    # --- visits

    def _start_session(self, visit: Visit, reason: str, *, taken_up: bool = False) -> None:
        pull_url = "" if is_over_webrtc(visit.name) else f"{self._pull_url}/{visit.name}"
        spec = SessionSpec(str(visit.stream_id), visit.name, pull_url, self._spool(visit))
        self._supervisor.start(spec, visit.plan, reason=reason, taken_up=taken_up)

    def _spool(self, visit: Visit) -> Path | None:
        return self._spool_dir / f"{visit.name}.flv" if self._spool_dir is not None else None

    async def _recover_visit(self, publication: Publication) -> None:
        """Go on with an encoder that is still there, or with what it left in the spool."""
        stream = await self._streams.get(publication.stream_id)
        visit = Visit(publication, await self._recordings.plan(stream))
        spool = self._spool(visit)
        left = spool is not None and spool.exists()
        live = stream.status is StreamStatus.LIVE
        if left or (live and await self._is_publishing(visit)):
            self._visits.add(visit)
            self._start_session(visit, "daemon restarted", taken_up=True)
            if not live:
                await self._drop(visit)
            return
        await self._drop(visit)
        await self._close_visit(visit, "daemon restarted")

    async def _check_gone(self, visit: Visit) -> None:
        await asyncio.sleep(_HINT_GRACE_S)
        session = self._supervisor.session(str(visit.stream_id))
        if session is None or session.spec.publication != visit.name:
            return
        if not await self._is_publishing(visit):
            session.kill()

    async def _is_publishing(self, visit: Visit) -> bool:
        """nginx's word; when it cannot be asked, the encoder counts as there."""
        try:
            return await self._nginx.is_publishing(visit.name)
        except NginxUnreachable as error:
            self._log.warning("nginx_unreachable", error=str(error))
            return True

    async def _drop(self, visit: Visit) -> None:
        try:
            await self._nginx.drop_publisher(visit.name)
        except NginxUnreachable as error:
            # The session is stopped all the same; the encoder finds its key refused.
            self._log.warning("nginx_unreachable", error=str(error))

    async def _close_visit(self, visit: Visit, reason: str) -> None:
        self._visits.remove(visit)
        await self._publications.close(visit.publication.id, reason)

    # --- what sessions tell

    def _session_changed(self, spec: SessionSpec, state: SessionState, error: str) -> None:
        visit = self._visits.named(spec.publication)
        if visit is None:
            return
        if state is SessionState.LIVE:
            self._tasks.start(self._connected(visit), f"connected-{visit.name}")
        elif state in {SessionState.ENDED, SessionState.FAILED}:
            self._tasks.start(self._session_over(visit, state, error), f"over-{visit.name}")

    async def _session_over(self, visit: Visit, state: SessionState, error: str) -> None:
        async with visit.turn:  # a short visit's end does not overtake its beginning
            await self._end_visit(visit, state, error)

    async def _end_visit(self, visit: Visit, state: SessionState, error: str) -> None:
        if state is SessionState.FAILED:
            self._log.error("session_failed", stream_id=str(visit.stream_id), error=error)
            await self._drop(visit)
        await self._close_visit(visit, error or "encoder disconnected")
        if self._visits.of_stream(visit.stream_id) is not None:
            return
        stream = await self._streams.get(visit.stream_id)
        if stream.status is StreamStatus.LIVE:
            await self._interrupted(visit.stream_id)
        else:
            await self._recordings.finish(stream)

    async def _connected(self, visit: Visit) -> None:
        async with visit.turn:
            before = await self._streams.get(visit.stream_id)
            stream = await self._to_ingest_state(visit.stream_id, IngestState.CONNECTED)
            if stream is not None and before.ingest_state is IngestState.INTERRUPTED:
                await self._announcer.resumed(stream)

    async def _interrupted(self, stream_id: UUID) -> None:
        """The stream has no encoder: unless it comes back in time, the stream ends."""
        stream = await self._to_ingest_state(stream_id, IngestState.INTERRUPTED)
        if stream is not None and stream.status is StreamStatus.LIVE:
            await self._announcer.interrupted(stream)
            self._cancel_grace(stream_id)
            self._graces[stream_id] = self._tasks.start(self._grace(stream), f"grace-{stream_id}")

    async def _grace(self, stream: Stream) -> None:
        gone_s = (self._clock.now() - stream.ingest_state_since).total_seconds()
        await asyncio.sleep(max(0.0, self._grace_s - gone_s))
        self._graces.pop(stream.id, None)
        try:
            ended = await self._streams.end(stream.id, EndReason.GRACE_ELAPSED)
        except StreamNotLive:
            return
        self._log.info("stream_ended", stream_id=str(stream.id), reason="grace_elapsed")
        await self._announcer.ended(ended)
        await self.end_stream(stream.id)

    def _cancel_grace(self, stream_id: UUID) -> None:
        grace = self._graces.pop(stream_id, None)
        if grace is not None and grace is not asyncio.current_task():
            grace.cancel()

    async def _to_ingest_state(self, stream_id: UUID, target: IngestState) -> Stream | None:
        """The stream in `target`; None when it cannot go there (it has ended, or nothing ever
        came). Another daemon's step is looked at once more."""
        for _ in range(2):
            try:
                stream = await self._streams.get(stream_id)
                if stream.ingest_state is target:
                    return stream
                return await self._streams.set_ingest_state(stream_id, stream.ingest_state, target)
            except (IllegalIngestState, StreamNotFound):
                continue
        return None
