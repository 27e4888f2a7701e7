"""The API as a real server on a port of its own, over a real database."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID, uuid4

import aiohttp
from aiohttp import web

from controller.api.app import ApiDependencies, create_api
from controller.api.client_address import ClientAddress
from controller.api.health import ReadinessCheck
from controller.api.public_urls import PublicUrls
from controller.auth.authenticator import Authenticator
from controller.auth.bearer import BearerTokens, TokenRules
from controller.auth.failure_limit import FailureAllowance, FailureLimiter
from controller.auth.playback import PlaybackGate, PlaybackTokens
from controller.auth.playback_facts import RememberedFacts
from controller.auth.stream_keys import StreamKeys, StreamKeyVault
from controller.auth.verification_keys import ConfiguredKey
from controller.composition.access import facts_from
from controller.composition.outreach_api import outreach_operations
from controller.composition.uploads import MediaParts, build_media
from controller.domain.announcements import NoRoom
from controller.domain.coach import Advice
from controller.domain.derived import ClipRange, ClipRules
from controller.domain.ports import EndedMedia
from controller.domain.recordings import (
    RecordingService,
    RecordingState,
    RecordingStore,
    RetentionRules,
)
from controller.domain.rehearsals import RehearsalService, RehearsalStore
from controller.domain.showcase import Moment, ShowcaseService
from controller.domain.streams import Stream
from controller.errors import NothingToSave
from controller.hub.guests import GuestSessions
from controller.jobs.desk import QueueingDesk
from controller.settings import load_settings
from controller.stores.opening import Stores, open_stores
from ingest import LocalObjectStore
from tests.support.tokens import SECRET, Person

KEY_SECRET = b"the root of stream keys and playback tokens in tests"
TTL_S = 600
CLIP_RULES = ClipRules(longest_s=40, longest_exact_s=20, most=4, most_unfinished=2)
PUBLIC_URL = "https://shop.test"


GUEST_KEY = b"only the tests of golive know this key, 32 bytes"


@dataclass
class FakeClock:
    """Wall time that tests may push; otherwise it runs."""

    ahead: timedelta = timedelta(0)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@dataclass
class FakePublishing:
    """The media side: keeps what it was told, answers what it was given."""

    vod_url: str | None = None
    failure: Exception | None = None
    ended: list[UUID] = field(default_factory=list)
    disconnected: list[tuple[UUID, str]] = field(default_factory=list)

    async def end_stream(self, stream_id: UUID) -> EndedMedia:
        self.ended.append(stream_id)
        if self.failure is not None:
            raise self.failure
        return EndedMedia(self.vod_url)

    async def disconnect_publisher(self, stream_id: UUID, reason: str) -> None:
        self.disconnected.append((stream_id, reason))


@dataclass
class FakeRehearsalMedia:
    """The media side of rehearsals: keeps what it was told, and forgets the row."""

    rehearsals: RehearsalStore
    ended: list[tuple[UUID, str]] = field(default_factory=list)

    async def end(self, rehearsal_id: UUID, reason: str) -> None:
        self.ended.append((rehearsal_id, reason))
        await self.rehearsals.forget(rehearsal_id)


class NoSessions:
    """A SessionMonitor without encoders."""

    def health_of(self, stream_id: UUID) -> None:
        return None


REHEARSAL_S = 1800.0
RULES = RetentionRules(keep_days=30, save_hours=2.0)


@dataclass
class FakeRecordings:
    """The media side of recordings: changes the row as the real one does, and nothing else."""

    recordings: RecordingStore

    async def save(self, stream: Stream) -> str | None:
        found = await self.recordings.find(stream.id)
        if found is None or found.state is not RecordingState.UNSAVED:
            raise NothingToSave
        saved = replace(found, state=RecordingState.RECORDING, save_until=None)
        await self.recordings.change(saved, RecordingState.UNSAVED)
        return None

    async def delete(self, stream: Stream, reason: str) -> None:
        found = await self.recordings.find(stream.id)
        gone = replace(found, state=RecordingState.DELETED, save_until=None)
        await self.recordings.change(gone, found.state)


class NoCoaches:
    """Nothing to say."""

    def advice_of(self, _stream_id: UUID) -> list[Advice]:
        return []


class WallTimeline:
    """A MediaTimeline without media."""

    def moment(self, _stream_id: UUID, at: datetime, *, is_now: bool) -> Moment:
        assert isinstance(is_now, bool)
        return Moment(at)

    async def cues_changed(self, stream_id: UUID) -> None:
        """There are no playlists."""


@dataclass
class FakeQueue:
    """Wakes nobody up, and remembers whom."""

    woken: list[UUID] = field(default_factory=list)

    async def wake(self, job_id: UUID, delay_s: float = 0.0) -> None:
        self.woken.append(job_id)


@dataclass
class FakeClipSource:
    """A minute of media in every stream that has begun."""

    start_s: float = 0.0
    end_s: float = 60.0
    staged: list[UUID] = field(default_factory=list)
    failure: Exception | None = None

    async def available(self, stream: Stream) -> ClipRange | None:
        return None if stream.started_at is None else ClipRange(self.start_s, self.end_s)

    async def stage(self, stream: Stream, clip_id: UUID, wanted: ClipRange, *, exact: bool) -> dict:
        if self.failure is not None:
            raise self.failure
        self.staged.append(clip_id)
        return {"exact": exact}


@dataclass
class Reply:
    """A response that has been read."""

    status: int
    headers: aiohttp.typedefs.LooseHeaders
    json: dict | None
    text: str

    @property
    def data(self) -> dict:
        assert self.json is not None, self.text
        assert self.json.get("success") is True, self.text
        return self.json["data"]

    @property
    def problem(self) -> dict:
        assert self.headers["Content-Type"].startswith("application/problem+json"), self.text
        assert self.json is not None
        assert self.json["status"] == self.status
        return self.json


@dataclass
class RunningApi:
    """A server and a client for it."""

    base: str
    session: aiohttp.ClientSession
    stores: Stores
    keys: StreamKeys
    gate: PlaybackGate
    publishing: FakePublishing
    clock: FakeClock
    queue: FakeQueue
    folder: Path
    clips: FakeClipSource
    rehearsing: FakeRehearsalMedia

    async def call(
        self, method: str, path: str, by: Person | None = None, json=None, **options
    ) -> Reply:
        """`path` below /api/v1, or any other with a leading `//`."""
        url = self.base + (path[1:] if path.startswith("//") else f"/api/v1{path}")
        headers = {**(by.headers if by else {}), **options.pop("headers", {})}
        async with self.session.request(
            method, url, json=json, headers=headers, **options
        ) as response:
            text = await response.text(errors="replace")
            is_json = "json" in response.headers.get("Content-Type", "")
            parsed = await response.json(content_type=None) if is_json and text else None
            return Reply(response.status, response.headers, parsed, text)

    async def product(self, seller: Person, **fields) -> str:
        """A product of the seller's, by id."""
        product_id = str(uuid4())
        body = {"title": "A mug", "price": 12.5, "currency": "EUR", **fields}
        reply = await self.call("PUT", f"/products/{product_id}", seller, body)
        assert reply.status == 201, reply.text
        return product_id

    async def stream(self, seller: Person, **fields) -> str:
        """A scheduled stream of the seller's, by id."""
        body = {"title": "Mugs", "category": "kitchen", **fields}
        reply = await self.call("POST", "/streams", seller, body)
        assert reply.status == 201, reply.text
        return reply.data["streamId"]

    async def live_stream(self, seller: Person, **fields) -> str:
        """A live stream with one product."""
        product_id = await self.product(seller)
        stream_id = await self.stream(seller, product_ids=[product_id], **fields)
        await self.go_live(seller, stream_id)
        return stream_id

    async def go_live(self, seller: Person, stream_id: str) -> dict:
        body = {"camera_ready": True, "checklist_complete": True}
        reply = await self.call("POST", f"/streams/{stream_id}/go-live", seller, body)
        assert reply.status == 200, reply.text
        return reply.data


def local_media(stores: Stores, clock: FakeClock, queue: FakeQueue, folder: Path) -> MediaParts:
    """Uploads into a folder, jobs into the database."""
    settings = load_settings(data_dir=folder, public_url=PUBLIC_URL, media_max_bytes=1_000_000)
    desk = QueueingDesk(stores.jobs, queue, uuid4)
    objects = LocalObjectStore(folder / "objects")
    return build_media(settings, objects, desk, KEY_SECRET, clock)


def dependencies(
    stores: Stores,
    clock: FakeClock,
    publishing: FakePublishing,
    media: MediaParts,
    jobs: QueueingDesk,
    rehearsal_media: FakeRehearsalMedia,
) -> ApiDependencies:
    keys = StreamKeys(StreamKeyVault(KEY_SECRET), stores.keys)
    tokens = PlaybackTokens(KEY_SECRET, TTL_S, clock)
    bearer = BearerTokens(TokenRules("HS256"), ConfiguredKey(SECRET.encode(), "HS256"))
    limiter = FailureLimiter(FailureAllowance(burst=1000), time.monotonic)
    timeline = WallTimeline()
    return ApiDependencies(
        guests=GuestSessions(GUEST_KEY),
        streams=stores.streams,
        catalogue=stores.catalogue,
        users=stores.users,
        products=stores.products,
        engagement=stores.engagement,
        keys=keys,
        authenticator=Authenticator(bearer, stores.users, limiter),
        playback_tokens=tokens,
        playback_authorizer=PlaybackGate(
            RememberedFacts(facts_from(stores), time.monotonic).get, tokens
        ),
        publishing=publishing,
        sessions=NoSessions(),
        coaches=NoCoaches(),
        recordings=RecordingService(
            stores.streams, stores.recordings, FakeRecordings(stores.recordings), RULES
        ),
        rehearsals=RehearsalService(
            stores.streams, stores.rehearsals, keys, rehearsal_media, REHEARSAL_S
        ),
        announcer=NoRoom(),
        pins=ShowcaseService(stores.streams, stores.showcase, timeline, NoRoom(), clock),
        timeline=timeline,
        replays=stores.replays,
        clock=clock,
        media=media.service,
        upload_receiver=media.receiver,
        derived=stores.derived,
        clip_source=FakeClipSource(),
        clip_rules=CLIP_RULES,
        jobs=jobs,
        urls=PublicUrls(PUBLIC_URL, "rtmp://shop.test/live", "https://vod.test"),
        client_address=ClientAddress([]),
        version="0.0.test",
        cors_origins=("https://app.test",),
        readiness=(ReadinessCheck("database", stores.database.check),),
        extra_operations=outreach_operations(
            load_settings(public_url=PUBLIC_URL), stores, KEY_SECRET, clock
        ),
    )


@asynccontextmanager
async def run_api(
    database_url: str, *, runner: dict[str, object] | None = None, **changed: object
) -> AsyncIterator[RunningApi]:
    """Serve the API over the database; `changed` replaces fields of the dependencies."""
    clock, publishing = FakeClock(), FakePublishing()
    stores = open_stores(database_url, clock)
    queue, folder = FakeQueue(), TemporaryDirectory(prefix="golive-api-")
    media = local_media(stores, clock, queue, Path(folder.name))
    desk = QueueingDesk(stores.jobs, queue, uuid4)
    rehearsing = FakeRehearsalMedia(stores.rehearsals)
    deps = dependencies(stores, clock, publishing, media, desk, rehearsing)
    deps = replace(deps, **changed)
    # Who is refused in the middle of a large body is not waited for.
    options = {"access_log": None, "lingering_time": 0.5, **(runner or {})}
    served = web.AppRunner(create_api(deps), **options)
    await served.setup()
    try:
        site = web.TCPSite(served, "127.0.0.1", 0)
        await site.start()
        base = f"http://127.0.0.1:{served.addresses[0][1]}"
        async with aiohttp.ClientSession() as session:
            gate = deps.playback_authorizer
            yield RunningApi(
                base,
                session,
                stores,
                deps.keys,
                gate,
                publishing,
                clock,
                queue,
                Path(folder.name),
                deps.clip_source,
                rehearsing,
            )
    finally:
        await served.cleanup()
        folder.cleanup()
        await stores.database.close()
