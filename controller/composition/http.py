"""The HTTP application: API, live delivery, pages."""

from collections.abc import Mapping, Sequence
from importlib.metadata import version

from aiohttp import web

from controller.api.app import ApiDependencies, create_api
from controller.api.client_address import ClientAddress
from controller.api.health import ReadinessCheck
from controller.composition.access import Access
from controller.composition.derived import DerivedParts, public_urls
from controller.composition.documented import DOCUMENTED_ROUTES
from controller.composition.media import MediaPlane, Publishing
from controller.composition.outreach_api import outreach_operations
from controller.composition.uploads import MediaParts
from controller.domain.ports import Clock
from controller.domain.recordings import RecordingService
from controller.domain.rehearsals import RehearsalMedia, RehearsalService
from controller.domain.showcase import ShowcaseService
from controller.hub.announcing import RoomAnnouncer
from controller.hub.asyncapi import asyncapi_document
from controller.hub.endpoint.players import PlayerSessions
from controller.hub.guests import GuestSessions
from controller.hub.limits import HubLimits
from controller.observing.requests import RequestMetrics
from controller.publishing.coaching import Coaching
from controller.publishing.cues import CueKeeper
from controller.publishing.playback import StreamPlayback
from controller.publishing.session_health import SupervisedSessions
from controller.settings import Settings
from controller.stores.opening import Stores
from controller.web.pages import create_web
from ingest import Delivery, VodDelivery, create_delivery, create_vod_delivery
from ingest import SystemClock as MediaClock


def build_http(
    settings: Settings,
    stores: Stores,
    access: Access,
    media: MediaPlane,
    uploads: MediaParts,
    derived: DerivedParts,
    publishing: Publishing,
    rehearsals: RehearsalMedia,
    announcer: RoomAnnouncer,
    players: PlayerSessions,
    guests: GuestSessions,
    cues: CueKeeper,
    coaching: Coaching,
    limits: HubLimits,
    webrtc: Sequence[web.AbstractRouteDef],
    clock: Clock,
    requests: RequestMetrics,
) -> web.Application:
    """What nginx passes on to the daemon."""

    async def nginx_answers() -> None:
        await media.nginx.names()

    async def space() -> Mapping[str, object]:
        return {"volumes": {v.name: v.step.word for v in media.space.volumes}}

    app = create_api(
        ApiDependencies(
            streams=stores.streams,
            catalogue=stores.catalogue,
            users=stores.users,
            products=stores.products,
            engagement=stores.engagement,
            keys=access.stream_keys,
            authenticator=access.authenticator,
            playback_tokens=access.playback_tokens,
            playback_authorizer=access.playback_gate,
            publishing=publishing.lifecycle,
            recordings=RecordingService(
                stores.streams, stores.recordings, publishing.recordings, publishing.rules
            ),
            rehearsals=RehearsalService(
                stores.streams,
                stores.rehearsals,
                access.stream_keys,
                rehearsals,
                settings.rehearsal_s,
            ),
            sessions=SupervisedSessions(media.supervisor),
            coaches=coaching,
            announcer=announcer,
            pins=ShowcaseService(stores.streams, stores.showcase, cues, announcer, clock),
            timeline=cues,
            replays=stores.replays,
            clock=clock,
            urls=public_urls(settings),
            client_address=ClientAddress(settings.trusted_proxies),
            version=version("golive"),
            cors_origins=settings.cors_origins,
            documented_routes=DOCUMENTED_ROUTES,
            extra_operations=outreach_operations(settings, stores, access.secrets.keys, clock),
            media=uploads.service,
            upload_receiver=uploads.receiver,
            derived=stores.derived,
            clip_source=derived.clip_source,
            clip_rules=derived.clip_rules,
            jobs=derived.jobs,
            guests=guests,
            event_document=asyncapi_document(version("golive"), settings.public_url, limits),
            on_answered=requests.answered,
            readiness=[
                ReadinessCheck("database", stores.database.check),
                ReadinessCheck("nginx-rtmp", nginx_answers),
                ReadinessCheck("space", space),
            ],
        )
    )
    delivery = Delivery(
        media.supervisor.window,
        media.supervisor.folder(""),
        StreamPlayback(access.playback_gate),
        MediaClock(),
        accel_prefix="/_live" if settings.behind_nginx else "",
        viewings=players,
    )
    app.add_routes(webrtc)  # before what has the whole prefix
    app.add_subapp("/live", create_delivery(delivery))
    if media.private_vods is not None:
        vods = VodDelivery(media.private_vods, StreamPlayback(access.playback_gate))
        app.add_subapp("/vods", create_vod_delivery(vods))
    app.add_routes(
        create_web(settings.vod_base_url or settings.bucket_url, settings.private_bucket_url)
    )
    return app
