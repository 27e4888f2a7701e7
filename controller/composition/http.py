"""The HTTP application: API, live delivery, pages."""

from importlib.metadata import version

from aiohttp import web

from controller.api.app import ApiDependencies, create_api
from controller.api.client_address import ClientAddress
from controller.api.health import ReadinessCheck
from controller.api.public_urls import PublicUrls
from controller.composition.access import Access
from controller.composition.documented import DOCUMENTED_ROUTES
from controller.composition.media import MediaPlane
from controller.domain.ports import Clock, PublishingControl, StreamAnnouncer
from controller.hub.asyncapi import asyncapi_document
from controller.hub.limits import HubLimits
from controller.publishing.playback import StreamPlayback
from controller.settings import Settings
from controller.stores.opening import Stores
from controller.web.pages import create_web
from ingest import Delivery, create_delivery
from ingest import SystemClock as MediaClock


def build_http(
    settings: Settings,
    stores: Stores,
    access: Access,
    media: MediaPlane,
    publishing: PublishingControl,
    announcer: StreamAnnouncer,
    limits: HubLimits,
    clock: Clock,
) -> web.Application:
    """What nginx passes on to the daemon."""

    async def nginx_answers() -> None:
        await media.nginx.names()

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
            publishing=publishing,
            announcer=announcer,
            clock=clock,
            urls=PublicUrls(settings.public_url, settings.rtmp_url, settings.vod_base),
            client_address=ClientAddress(settings.trusted_proxies),
            version=version("golive"),
            cors_origins=settings.cors_origins,
            documented_routes=DOCUMENTED_ROUTES,
            event_document=asyncapi_document(version("golive"), settings.public_url, limits),
            readiness=[
                ReadinessCheck("database", stores.database.check),
                ReadinessCheck("nginx-rtmp", nginx_answers),
            ],
        )
    )
    delivery = Delivery(
        media.supervisor.window,
        media.supervisor.folder(""),
        StreamPlayback(access.playback_gate),
        MediaClock(),
        accel_prefix="/_live" if settings.behind_nginx else "",
    )
    app.add_subapp("/live", create_delivery(delivery))
    app.add_routes(create_web(settings.vod_base_url or settings.bucket_url))
    return app
