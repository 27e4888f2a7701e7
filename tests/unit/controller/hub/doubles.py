"""What the room is given in tests: held clocks, stores in memory, wires that keep what is sent."""

import asyncio
import heapq
import itertools
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import msgspec

from controller.domain.access import Standing
from controller.domain.people import Identity, Role
from controller.domain.quality import PlayerSession
from controller.domain.room import KeptRoom, Moderation, Readiness, RoomFigures
from controller.domain.states import IngestState, StreamStatus
from controller.domain.streams import Audience, Stream, StreamOptions
from controller.errors import NotAuthenticated, StoreUnavailable, StreamNotFound
from controller.hub.closing import CloseCode
from controller.hub.codecs import RECORD_SEPARATOR, Message
from controller.hub.limits import HubLimits
from controller.hub.realtime_memory import MemoryRealtime
from controller.hub.service import RoomCollaborators, RoomService
from controller.hub.viewing_sessions import ViewingSessions

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class Lines:
    """Name and payload, as they are."""

    def encode(self, message: Message) -> bytes:
        return b"".join(
            (b"2[", msgspec.json.encode(message.name), b",", message.data, b"]", RECORD_SEPARATOR)
        )


LINES = Lines()


class HeldTime:
    """Clock and pacer in one: time passes when the test says so."""

    def __init__(self) -> None:
        self.elapsed_s = 0.0
        self._calls: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()

    def now(self) -> datetime:
        return START + timedelta(seconds=self.elapsed_s)

    def monotonic_s(self) -> float:
        return self.elapsed_s

    def call_later(self, delay_s: float, call: Callable[[], None]) -> None:
        heapq.heappush(self._calls, (self.elapsed_s + delay_s, next(self._numbers), call))

    def pass_by(self, seconds: float) -> None:
        until_s = self.elapsed_s + seconds
        while self._calls and self._calls[0][0] <= until_s + 1e-9:
            at_s, _, call = heapq.heappop(self._calls)
            self.elapsed_s = max(self.elapsed_s, at_s)
            call()
        self.elapsed_s = until_s


class RecordingWire:
    """Keeps what is written; `stuck` stops the peer from reading."""

    def __init__(self, codec=LINES) -> None:
        self.codec = codec
        self.writes: list[bytes] = []
        self.closed: CloseCode | None = None
        self.stuck = False
        self._unread = 0

    def write(self, data: bytes) -> None:
        self.writes.append(data)
        if self.stuck:
            self._unread += len(data)

    def backlog_bytes(self) -> int:
        return self._unread

    def close(self, code: CloseCode) -> None:
        self.closed = code

    def events(self) -> list[tuple[str, dict]]:
        packets = b"".join(self.writes).split(RECORD_SEPARATOR)
        return [tuple(msgspec.json.decode(one[1:])) for one in packets if one]

    def named(self, name: str) -> list[dict]:
        return [data for event, data in self.events() if event == name]


class Streams:
    """The streams that there are."""

    def __init__(self, *streams: Stream) -> None:
        self.by_id = {stream.id: stream for stream in streams}
        self.reads = 0

    def add(self, **fields) -> Stream:
        stream = a_stream(**fields)
        self.by_id[stream.id] = stream
        return stream

    async def get(self, stream_id: UUID) -> Stream:
        self.reads += 1
        await asyncio.sleep(0)
        if stream_id not in self.by_id:
            raise StreamNotFound
        return self.by_id[stream_id]


class Users:
    def __init__(self) -> None:
        self.followers: set[tuple[UUID, UUID]] = set()

    async def standing(self, viewer_id: UUID, host_id: UUID) -> Standing:
        return Standing(follows=(viewer_id, host_id) in self.followers)


class RoomMemory:
    """A RoomStore that keeps what it was told; `is_down` makes it refuse."""

    def __init__(self) -> None:
        self.kept: dict[UUID, KeptRoom] = {}
        self.figures: list[RoomFigures] = []
        self.moderations: list[Moderation] = []
        self.viewers_now: dict[UUID, int] = {}
        self.beats: list[datetime] = []
        self.summed_up: list[UUID] = []
        self.is_down = False

    async def load(self, stream_id: UUID) -> KeptRoom:
        self._require()
        return self.kept.get(stream_id, KeptRoom())

    async def record(self, stream_id: UUID, figures: RoomFigures) -> None:
        self._require()
        self.figures.append(figures)
        self.viewers_now[stream_id] = figures.viewers_now

    async def beat(self, holder: str, at: datetime) -> None:
        self._require()
        self.beats.append(at)

    async def sum_up(self, stream_id: UUID) -> None:
        self._require()
        self.summed_up.append(stream_id)

    def stays(self) -> list[tuple[str, float, float]]:
        """Who watched from when until when; until the last beat who has not been seen to go."""
        ends = {
            one.number: one.left_at
            for figures in self.figures
            for one in figures.leavings
            if not one.is_cut
        }
        return [
            (
                visit.viewer,
                (visit.joined_at - START).total_seconds(),
                (ends.get(visit.number, self.beats[-1]) - START).total_seconds(),
            )
            for figures in self.figures
            for visit in figures.visits
        ]

    async def moderate(self, moderation: Moderation) -> None:
        self._require()
        self.moderations.append(moderation)

    async def moderation_log(self, stream_id: UUID):
        return [one for one in self.moderations if one.stream_id == stream_id]

    async def streams_with_viewers(self):
        return [stream_id for stream_id, viewers in self.viewers_now.items() if viewers]

    async def set_viewers_now(self, stream_id: UUID, viewers: int, gone=()) -> None:
        self.viewers_now[stream_id] = viewers

    @property
    def messages(self) -> list[str]:
        return [message.text for figures in self.figures for message in figures.messages]

    def _require(self) -> None:
        if self.is_down:
            raise StoreUnavailable


class QualityMemory:
    """A QualityStore that keeps what it was told last; `is_down` makes it refuse."""

    def __init__(self) -> None:
        self.sessions: dict[tuple[UUID, str], PlayerSession] = {}
        self.is_down = False

    async def keep(self, holder: str, sessions) -> None:
        if self.is_down:
            raise StoreUnavailable
        self.sessions |= {(one.stream_id, one.session): one for one in sessions}


class AlwaysReady:
    async def readiness(self, stream_id: UUID) -> Readiness:
        return Readiness((), 1.25)


class Tokens:
    """Knows a user by `token-<username>`."""

    def __init__(self) -> None:
        self.users: dict[str, Identity] = {}

    def add(self, identity: Identity) -> str:
        self.users[f"token-{identity.username}"] = identity
        return f"token-{identity.username}"

    async def from_token(self, token: str, address: str) -> Identity:
        if token not in self.users:
            raise NotAuthenticated("Token expired")
        return self.users[token]


def a_user(username: str = "ann", role: Role = Role.BUYER) -> Identity:
    return Identity(uuid4(), username, role, "https://pictures.example/a.png")


def a_stream(
    *,
    owner_id: UUID | None = None,
    status: StreamStatus = StreamStatus.LIVE,
    audience: Audience = Audience.EVERYONE,
    enable_chat: bool = True,
    enable_comments: bool = True,
) -> Stream:
    return Stream(
        id=uuid4(),
        owner_id=owner_id or uuid4(),
        title="t",
        description=None,
        category="c",
        status=status,
        ingest_state=IngestState.CONNECTED,
        ingest_state_since=START,
        created_at=START,
        updated_at=START,
        options=StreamOptions(
            audience=audience, enable_chat=enable_chat, enable_comments=enable_comments
        ),
        started_at=None if status is StreamStatus.SCHEDULED else START,
    )


class Installation:
    """A whole room service over doubles, without background work: the test ticks."""

    def __init__(self, limits: HubLimits | None = None, realtime=None, time=None) -> None:
        self.time = time or HeldTime()
        self.limits = limits or HubLimits()
        self.streams, self.users, self.store = Streams(), Users(), RoomMemory()
        self.media_time_s: float | None = None
        self.realtime = realtime or MemoryRealtime(self.time.monotonic_s, self.limits.log_events)
        self.sessions = ViewingSessions(b"v" * 32)
        self.quality = QualityMemory()
        given = RoomCollaborators(
            self.streams,
            self.users,
            self.store,
            AlwaysReady(),
            self.time,
            self.sessions,
            self.quality,
            lambda _stream_id, _at: self.media_time_s,
        )
        self.service = RoomService(given, self.realtime, self.limits, self.time)
        self.hub = self.service.hub
        self.watchers = self.service.watchers

    def connect(
        self, identity: Identity | None = None, viewer: str = "", network: str | None = None
    ):
        wire = RecordingWire()
        viewer = str(identity.user_id) if identity is not None else viewer or f"anon-{uuid4().hex}"
        return self.hub.connect(wire, identity, viewer, network=network), wire

    async def joined(
        self,
        stream: Stream,
        identity: Identity | None = None,
        viewer: str = "",
        network: str | None = None,
    ):
        connection, wire = self.connect(identity, viewer, network)
        await self.hub.handle(connection, "stream_join", {"stream_id": str(stream.id)})
        self.time.pass_by(1.0)
        return connection, wire

    async def say(self, connection, stream: Stream, text: str) -> None:
        data = {"stream_id": str(stream.id), "message": text}
        await self.hub.handle(connection, "stream_chat", data)
        self.time.pass_by(0.2)

    def ended(self, stream: Stream) -> Stream:
        ended = replace(stream, status=StreamStatus.ENDED, ended_at=self.time.now(), duration_s=1)
        self.streams.by_id[stream.id] = ended
        return ended


async def idle() -> None:
    """Let every task that can run do so."""
    for _ in range(20):
        await asyncio.sleep(0)
