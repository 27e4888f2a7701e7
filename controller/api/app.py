"""Puts the API together: collaborators in, an aiohttp application out."""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from uuid import uuid4

from aiohttp import web

from controller.api.binding import Binder, HeaderAuthenticator
from controller.api.client_address import ClientAddress
from controller.api.clips import ClipHandlers, clip_operations
from controller.api.commands import Commands
from controller.api.directory import DirectoryHandlers
from controller.api.directory_routes import directory_operations
from controller.api.docs_page import docs_page
from controller.api.engagement import EngagementHandlers, PlaybackGranter
from controller.api.engagement_routes import engagement_operations
from controller.api.health import HealthHandlers, ReadinessCheck
from controller.api.health_routes import CoachMonitor, StreamHealthHandlers, health_operations
from controller.api.media import MediaHandlers, media_operations
from controller.api.middleware import (
    OnAnswered,
    answer_preflights,
    answer_problems,
    decorate,
    observe_requests,
)
from controller.api.openapi import BASE_PATH, ApiInfo, openapi_document
from controller.api.playback_access import PATH, PlaybackAccessHandler
from controller.api.public_urls import PublicUrls
from controller.api.reading import MOST_BODY_BYTES
from controller.api.recording_routes import RecordingHandlers, recording_operations
from controller.api.registry import AnyOperation, DocumentedRoute
from controller.api.rehearsals import RehearsalHandlers, rehearsal_operations
from controller.api.replay import ReplayHandlers, replay_operations
from controller.api.showcase import ShowcaseHandlers, showcase_operations
from controller.api.stream_routes import stream_operations
from controller.api.streams import StreamHandlers
from controller.api.uploads import PATH as UPLOAD_PATH
from controller.api.uploads import UploadReceiver
from controller.domain.clip_service import ClipService
from controller.domain.derived import ClipRules, ClipSource, DerivedStore
from controller.domain.engagement_service import EngagementService
from controller.domain.jobs import JobDesk
from controller.domain.media_service import MediaService
from controller.domain.ports import (
    Clock,
    EngagementStore,
    PlaybackAuthorizer,
    ProductStore,
    PublishingControl,
    StreamAnnouncer,
    StreamCatalogue,
    StreamStore,
    UserStore,
)
from controller.domain.recordings import RecordingService
from controller.domain.rehearsals import RehearsalService
from controller.domain.replay import ReplayService, ReplayStore
from controller.domain.session_health import SessionMonitor
from controller.domain.showcase import MediaTimeline, ShowcaseService
from controller.domain.stream_service import StreamKeyring, StreamService
from controller.hub.guests import GuestSessions

RequestHandler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, kw_only=True)
class ApiDependencies:
    """Everything that the API works with; nothing is looked up anywhere else."""

    streams: StreamStore
    catalogue: StreamCatalogue
    users: UserStore
    products: ProductStore
    engagement: EngagementStore
    keys: StreamKeyring
    authenticator: HeaderAuthenticator
    playback_tokens: PlaybackGranter
    playback_authorizer: PlaybackAuthorizer
    publishing: PublishingControl
    recordings: RecordingService
    rehearsals: RehearsalService
    sessions: SessionMonitor
    coaches: CoachMonitor
    announcer: StreamAnnouncer
    pins: ShowcaseService
    timeline: MediaTimeline
    replays: ReplayStore
    clock: Clock
    urls: PublicUrls
    client_address: ClientAddress
    media: MediaService
    derived: DerivedStore
    clip_source: ClipSource
    clip_rules: ClipRules
    jobs: JobDesk
    guests: GuestSessions
    version: str
    cors_origins: Sequence[str] = ("*",)
    readiness: Sequence[ReadinessCheck] = ()
    documented_routes: Sequence[DocumentedRoute] = ()
    extra_operations: Sequence[AnyOperation] = ()
    upload_receiver: UploadReceiver | None = None
    on_answered: OnAnswered | None = None
    event_document: Mapping[str, Any] = field(default_factory=dict)
    """The AsyncAPI document of the room; empty without one."""


def create_api(deps: ApiDependencies) -> web.Application:
    """The application: /api/v1/…, /docs, /healthz, /readyz and nginx's /internal/playback-access.

    Other parts may add routes and sub-applications to it before it runs: request ids, problems
    and cross-origin rules apply to them, too.
    """
    app = web.Application(
        middlewares=[
            observe_requests(deps.client_address, deps.on_answered),
            answer_preflights(deps.cors_origins),
            answer_problems(),
        ],
        client_max_size=MOST_BODY_BYTES,
    )
    app.on_response_prepare.append(decorate(deps.cors_origins))
    operations = [*api_operations(deps), *deps.extra_operations]
    commands = Commands()
    binder = Binder(deps.authenticator, deps.client_address, commands)
    app.on_cleanup.append(commands.on_cleanup)
    for operation in operations:
        _add(app, operation.method, f"{BASE_PATH}{operation.path}", binder.bind(operation))
    if deps.upload_receiver is not None:
        receive = deps.upload_receiver.put
        app.router.add_route("PUT", f"{BASE_PATH}{UPLOAD_PATH.replace('}', ':.+}')}", receive)
    info = ApiInfo(version=deps.version, public_url=deps.urls.public_url)

    @cache
    def document() -> dict[str, Any]:
        return openapi_document(operations, deps.documented_routes, info)

    def events() -> str:
        return json.dumps(deps.event_document, ensure_ascii=False)

    described = _made_once(lambda: json.dumps(document()), "application/json")
    _add(app, "GET", f"{BASE_PATH}/openapi.json", described)
    _add(app, "GET", f"{BASE_PATH}/asyncapi.json", _made_once(events, "application/json"))
    _add(app, "GET", "/docs", _made_once(lambda: docs_page(document()), "text/html"))
    health = HealthHandlers(deps.readiness)
    _add(app, "GET", "/healthz", health.healthz)
    _add(app, "GET", "/readyz", health.readyz)
    _add(app, "GET", PATH, PlaybackAccessHandler(deps.playback_authorizer).answer)
    return app


def api_operations(deps: ApiDependencies) -> list[AnyOperation]:
    """Every call below /api/v1 that this package serves."""
    streams = StreamService(
        streams=deps.streams,
        catalogue=deps.catalogue,
        users=deps.users,
        keys=deps.keys,
        publishing=deps.publishing,
        rehearsals=deps.rehearsals,
        announcer=deps.announcer,
        clock=deps.clock,
    )
    engagement = EngagementService(
        streams=deps.streams,
        engagement=deps.engagement,
        audience=streams,
        announcer=deps.announcer,
        timeline=deps.timeline,
        clock=deps.clock,
    )
    clips = ClipService(
        streams=deps.streams,
        audience=streams,
        derived=deps.derived,
        source=deps.clip_source,
        jobs=deps.jobs,
        rules=deps.clip_rules,
        clock=deps.clock,
        new_id=uuid4,
    )
    return [
        *stream_operations(StreamHandlers(streams, deps.urls)),
        *recording_operations(RecordingHandlers(deps.recordings)),
        *rehearsal_operations(
            RehearsalHandlers(
                deps.rehearsals, deps.playback_tokens, deps.sessions, deps.coaches, deps.urls
            )
        ),
        *health_operations(StreamHealthHandlers(deps.streams, deps.sessions, deps.coaches)),
        *engagement_operations(
            EngagementHandlers(engagement, streams, deps.playback_tokens, deps.urls, deps.guests)
        ),
        *showcase_operations(ShowcaseHandlers(deps.pins)),
        *replay_operations(ReplayHandlers(ReplayService(deps.streams, streams, deps.replays))),
        *directory_operations(DirectoryHandlers(deps.users, deps.products, deps.clock)),
        *media_operations(MediaHandlers(deps.media, deps.urls)),
        *clip_operations(ClipHandlers(clips, deps.urls)),
    ]


def _add(app: web.Application, method: str, path: str, handler: RequestHandler) -> None:
    # aiohttp's own pattern leaves out braces, and would answer 404 to what is a malformed id.
    path = path.replace("}", ":[^/]+}")
    app.router.add_route(method, path, handler)
    if method == "GET":  # RFC 9110: whoever answers GET answers HEAD
        app.router.add_route("HEAD", path, handler)


def _made_once(make: Callable[[], str], content_type: str) -> RequestHandler:
    """A handler for a document that does not change while the daemon runs; it is made when it is
    asked for, because a daemon that starts has players waiting."""
    made = cache(make)

    async def handle(_request: web.Request) -> web.Response:
        headers = {"Cache-Control": "no-cache"}
        return web.Response(text=made(), content_type=content_type, headers=headers)

    return handle
