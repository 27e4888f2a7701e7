"""The room's paths."""

from aiohttp import web

from controller.hub.endpoint.credentials import Credentials
from controller.hub.endpoint.players import WatchingEndpoint
from controller.hub.endpoint.sse import SseEndpoint
from controller.hub.endpoint.websocket import WebSocketEndpoint
from controller.hub.hub import Hub
from controller.hub.limits import HubLimits


def room_routes(hub: Hub, credentials: Credentials, limits: HubLimits) -> list[web.RouteDef]:
    """The room's own routes, to be added to the application's router."""
    socket = WebSocketEndpoint(hub, credentials, limits)
    events = SseEndpoint(hub, credentials, limits)
    return [
        web.get("/api/v1/ws", socket.handle),
        web.get("/api/v1/streams/{stream_id}/room", events.handle, allow_head=False),
    ]


def watching_routes(watching: WatchingEndpoint) -> list[web.RouteDef]:
    """The beacon of players whose playlists come from a cache."""
    return [web.post("/api/v1/streams/{stream_id}/watching", watching.handle)]
