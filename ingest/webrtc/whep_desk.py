"""Viewers over WebRTC as the daemon sees them: a worker for each stream that has any."""

import asyncio
import itertools
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from ingest.errors import IngestError
from ingest.media import Codec
from ingest.session.session import SessionSpec
from ingest.session.state import SessionState
from ingest.session.supervisor import SessionSupervisor
from ingest.webrtc.errors import (
    NoMediaYet,
    NoSuchWebRtcSession,
    NotForwardable,
    ViewersFull,
)
from ingest.webrtc.etags import etag_of
from ingest.webrtc.messages import Begin, Closed, Connected, Figures, Follow, SourceLost
from ingest.webrtc.settings import WebRtcBounds, WebRtcNetwork
from ingest.webrtc.worker_link import WHEP_MODULE, WorkerLink

_LOOK_EVERY_S = 1.0
_SEEN_EVERY = 5
_IDLE_S = 30.0
"""A worker without viewers is kept for so long: a player that reloads finds it warm."""


@dataclass(frozen=True, slots=True)
class PeerSession:
    """What a client gets: `id` is its secret name, `etag` that of its ICE session."""

    id: str
    etag: str
    answer: str


@dataclass(slots=True)
class _Audience:
    """A stream's worker, and who watches through it."""

    stream_id: str
    link: WorkerLink | None = None
    spool: str = ""
    connected: dict[str, bool] = field(default_factory=dict)
    seen: dict[str, Callable[[], None]] = field(default_factory=dict)
    opening: asyncio.Lock = field(default_factory=asyncio.Lock)
    idle_since_s: float = 0.0


class WhepDesk:
    """Lets viewers in, up to `bounds`, and keeps their workers at the live edge."""

    def __init__(
        self, supervisor: SessionSupervisor, network: WebRtcNetwork, bounds: WebRtcBounds
    ) -> None:
        self._supervisor = supervisor
        self._network = network
        self._bounds = bounds
        self._audiences: dict[str, _Audience] = {}
        self._of_session: dict[str, _Audience] = {}
        self._looking: asyncio.Task[None] | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self._before = Figures()
        self._log = structlog.get_logger()
        self.refused_full = 0
        self.opened = 0
        supervisor.subscribe(self._session_changed)

    @property
    def viewers(self) -> int:
        """Sessions that are connected."""
        return sum(sum(each.connected.values()) for each in self._audiences.values())

    @property
    def sessions(self) -> int:
        """Sessions, those that are not connected yet included."""
        return len(self._of_session)

    @property
    def workers(self) -> list[int]:
        """Process ids."""
        return [each.link.pid for each in self._audiences.values() if each.link is not None]

    def figures(self) -> Figures:
        """What all workers have counted."""
        counted = [each.link.figures for each in self._audiences.values() if each.link is not None]
        total = self._before
        for figures in counted:
            total = _sum(total, figures)
        return total

    async def watch(
        self, stream_id: str, offer: str, seen: Callable[[], None] | None = None
    ) -> PeerSession:
        """A session for the offer's sender, who may watch the stream. Raises WebRtcRefused.

        `seen` is called every few seconds for as long as the viewer is connected.
        """
        follow = self._source(stream_id)
        audience = self._audiences.setdefault(stream_id, _Audience(stream_id))
        self._require_room(audience)
        session = secrets.token_urlsafe(16)
        audience.connected[session] = False
        if seen is not None:
            audience.seen[session] = seen
        self._of_session[session] = audience
        try:
            link = await self._worker(audience, follow)
            answer = await link.answer(session, offer)
        except BaseException:
            self._forget(session)
            raise
        self.opened += 1
        return PeerSession(session, etag_of(session), answer)

    def etag(self, stream_id: str, session: str) -> str:
        """The session's ETag. Raises NoSuchWebRtcSession."""
        self._link(stream_id, session)
        return etag_of(session)

    async def trickle(self, stream_id: str, session: str, fragment: str) -> None:
        """More candidates. Raises WebRtcRefused."""
        await self._link(stream_id, session).trickle(session, fragment)

    def hangup(self, stream_id: str, session: str) -> None:
        """End a session. Raises NoSuchWebRtcSession."""
        self._link(stream_id, session).hangup(session)
        self._forget(session)

    async def close(self) -> None:
        """End all sessions and workers."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait({self._looking})
        for audience in [*self._audiences.values()]:
            self._dismiss(audience)
        if self._closing:
            await asyncio.wait(self._closing)

    # --- sources

    def _source(self, stream_id: str) -> Follow:
        """What a worker has to follow now."""
        session = self._supervisor.session(stream_id)
        if session is None:
            raise NoMediaYet("no encoder is sending this stream")
        spool = session.spec.spool
        if spool is None or session.pulls:
            raise NotForwardable(
                "WebRTC carries H.264 with AAC or MP3 that nginx records; watch over HLS"
            )
        checkpoint = session.media.checkpoint
        if checkpoint is None or checkpoint.spool != spool.name:
            return Follow(spool=str(spool), offset=0)
        if checkpoint.video is None or checkpoint.video.codec is not Codec.H264:
            raise NotForwardable("the stream has no H.264 picture; watch over HLS")
        return Follow(
            spool=str(spool),
            offset=checkpoint.video_offset,
            video=checkpoint.video,
            audio=checkpoint.audio,
        )

    def _session_changed(self, spec: SessionSpec, state: SessionState, _: str) -> None:
        audience = self._audiences.get(spec.stream_id)
        if audience is None or audience.link is None or state is not SessionState.LIVE:
            return
        if str(spec.spool) != audience.spool:
            self._follow_anew(audience)

    def _follow_anew(self, audience: _Audience) -> None:
        try:
            follow = self._source(audience.stream_id)
        except IngestError as error:
            self._log.info("whep_ends", stream_id=audience.stream_id, reason=error.code)
            self._dismiss(audience)
            return
        self._send_follow(audience, follow)

    @staticmethod
    def _send_follow(audience: _Audience, follow: Follow) -> None:
        audience.spool = follow.spool
        if audience.link is not None:
            audience.link.tell(follow)

    # --- workers

    async def _worker(self, audience: _Audience, follow: Follow) -> WorkerLink:
        async with audience.opening:
            if audience.link is not None and audience.link.alive:
                if audience.spool != follow.spool:
                    self._send_follow(audience, follow)
                return audience.link
            audience.link = await WorkerLink.spawn(
                WHEP_MODULE,
                Begin(network=self._network, connect_s=self._bounds.connect_s),
                lambda told: self._told(audience, told),
                lambda: self._lost(audience),
            )
            # Where the keyframe is may have moved on while the process started.
            self._send_follow(audience, self._source(audience.stream_id))
            if self._looking is None:
                self._looking = asyncio.create_task(self._look(), name="whep-audiences")
            return audience.link

    def _told(self, audience: _Audience, message: Connected | Closed | SourceLost) -> None:
        match message:
            case Connected() if message.session in audience.connected:
                audience.connected[message.session] = True
                if message.session in audience.seen:
                    audience.seen[message.session]()
            case Closed():
                self._log.info("whep_closed", stream_id=audience.stream_id, reason=message.reason)
                self._forget(message.session)
            case SourceLost(spool=spool) if spool == audience.spool:
                self._follow_anew(audience)

    def _lost(self, audience: _Audience) -> None:
        """Its worker has ended: players begin anew."""
        if audience.link is not None:
            self._before = _sum(self._before, audience.link.figures)
        audience.link = None
        for session in [*audience.connected]:
            self._forget(session)

    def _dismiss(self, audience: _Audience) -> None:
        self._audiences.pop(audience.stream_id, None)
        for session in [*audience.connected]:
            self._forget(session)
        if audience.link is not None:
            task = asyncio.create_task(audience.link.close(), name="whep-worker-ends")
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    async def _look(self) -> None:
        """End the workers of streams that are over, and those that nobody needs."""
        for turn in itertools.count():
            await asyncio.sleep(_LOOK_EVERY_S)
            now_s = asyncio.get_running_loop().time()
            if turn % _SEEN_EVERY == 0:
                self._tell_seen()
            for audience in [*self._audiences.values()]:
                window = self._supervisor.window(audience.stream_id)
                if audience.connected:
                    audience.idle_since_s = now_s
                if audience.opening.locked():
                    continue
                if window is None or window.ended or now_s - audience.idle_since_s > _IDLE_S:
                    self._dismiss(audience)

    def _tell_seen(self) -> None:
        for audience in self._audiences.values():
            for session, is_connected in audience.connected.items():
                if is_connected and session in audience.seen:
                    audience.seen[session]()

    # --- sessions

    def _require_room(self, audience: _Audience) -> None:
        bounds = self._bounds
        if (
            len(self._of_session) >= bounds.viewers
            or len(audience.connected) >= bounds.viewers_per_stream
        ):
            self.refused_full += 1
            raise ViewersFull("no more viewers fit over WebRTC; watch over HLS")

    def _link(self, stream_id: str, session: str) -> WorkerLink:
        audience = self._of_session.get(session)
        if audience is None or audience.link is None or audience.stream_id != stream_id:
            raise NoSuchWebRtcSession("the session is over, or never was")
        return audience.link

    def _forget(self, session: str) -> None:
        audience = self._of_session.pop(session, None)
        if audience is not None:
            audience.connected.pop(session, None)
            audience.seen.pop(session, None)


def _sum(one: Figures, other: Figures) -> Figures:
    return Figures(
        frames_sent=one.frames_sent + other.frames_sent,
        frames_dropped=one.frames_dropped + other.frames_dropped,
        keyframe_requests=one.keyframe_requests + other.keyframe_requests,
        frames_received=one.frames_received + other.frames_received,
    )
