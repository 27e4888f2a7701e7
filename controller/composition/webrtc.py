"""WebRTC: who may watch over it, and how peers reach this machine."""

from contextlib import AsyncExitStack

from aiohttp import web
from prometheus_client import CollectorRegistry

from controller.api.ice_servers import IceServers, TurnAccess
from controller.api.whep import WhepHandlers
from controller.composition.access import Access
from controller.composition.derived import public_urls
from controller.composition.media import MediaPlane
from controller.domain.ports import Clock
from controller.publishing.webrtc_metrics import WebRtcMetrics
from controller.settings import Settings
from ingest import WebRtcBounds, WebRtcNetwork, WhepDesk


class WebRtc:
    """The routes of WebRTC."""

    def __init__(self, whep: WhepHandlers) -> None:
        self._whep = whep

    def routes(self) -> list[web.RouteDef]:
        """Whole paths below `/live`."""
        return self._whep.routes()


def build_webrtc(
    settings: Settings,
    media: MediaPlane,
    access: Access,
    clock: Clock,
    registry: CollectorRegistry,
    stack: AsyncExitStack,
) -> WebRtc:
    """Viewers over the sessions' spools; `stack` closes them."""
    bounds = WebRtcBounds(
        viewers=settings.webrtc_viewers, viewers_per_stream=settings.webrtc_viewers_per_stream
    )
    desk = WhepDesk(media.supervisor, _network(settings), bounds)
    stack.push_async_callback(desk.close)
    WebRtcMetrics(desk, registry)
    turn = TurnAccess(
        settings.webrtc_turn_username, settings.webrtc_turn_credential, settings.webrtc_turn_secret
    )
    ice_servers = IceServers(settings.webrtc_ice_servers, turn, clock)
    return WebRtc(WhepHandlers(desk, access.playback_gate, public_urls(settings), ice_servers))


def _network(settings: Settings) -> WebRtcNetwork:
    first, _, last = settings.webrtc_udp_ports.partition("-")
    return WebRtcNetwork(
        port_first=int(first or 0),
        port_last=int(last or 0),
        public_addresses=tuple(settings.webrtc_public_addresses),
    )
