"""WebRTC: who may watch and publish over it."""

from contextlib import AsyncExitStack

from aiohttp import web
from prometheus_client import CollectorRegistry

from controller.api.client_address import ClientAddress
from controller.api.ice_servers import IceServers, TurnAccess
from controller.api.whep import WhepHandlers
from controller.api.whip import WhipHandlers
from controller.composition.access import Access
from controller.composition.derived import public_urls
from controller.composition.media import MediaPlane
from controller.composition.webrtc_settings import webrtc_bounds, webrtc_network
from controller.domain.ports import Clock
from controller.hub.endpoint.players import PlayerSessions
from controller.publishing.publish_service import PublishService
from controller.publishing.webrtc_metrics import WebRtcMetrics
from controller.publishing.webrtc_publishing import WebRtcPublishing
from controller.settings import Settings
from ingest import WhepDesk


def build_webrtc(
    settings: Settings,
    media: MediaPlane,
    access: Access,
    publishing: PublishService,
    players: PlayerSessions,
    clock: Clock,
    registry: CollectorRegistry,
    stack: AsyncExitStack,
) -> list[web.RouteDef]:
    """The routes, below `/live`; `stack` closes the viewers' sessions."""
    desk = WhepDesk(media.supervisor, webrtc_network(settings), webrtc_bounds(settings))
    stack.push_async_callback(desk.close)
    WebRtcMetrics(desk, media.whip, registry)
    turn = TurnAccess(
        settings.webrtc_turn_username, settings.webrtc_turn_credential, settings.webrtc_turn_secret
    )
    ice_servers = IceServers(settings.webrtc_ice_servers, turn, clock)
    whep = WhepHandlers(desk, access.playback_gate, public_urls(settings), ice_servers, players)
    publishers = WebRtcPublishing(
        publishing, media.whip, settings.spool_folder if settings.spool else None
    )
    whip = WhipHandlers(publishers, ClientAddress(settings.trusted_proxies), ice_servers)
    return [*whip.routes(), *whep.routes()]
