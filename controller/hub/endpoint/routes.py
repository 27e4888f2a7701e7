"""The room's paths."""

from aiohttp import web

from controller.hub.endpoint.credentials import Credentials
from controller.hub.endpoint.sse import SseEndpoint
from controller.hub.endpoint.websocket import WebSocketEndpoint
from controller.hub.hub import Hub
from controller.hub.limits import HubLimits


def room_routes(hub: Hub, credentials: Credentials, limits: HubLimits) -> list[web.RouteDef]:
    """What to add to the application's router."""
    socket = WebSocketEndpoint(hub, credentials, limits)
    events = SseEndpoint(hub, credentials, limits)
    return [
        web.get("/api/v1/ws", socket.handle),
        web.get("/api/v1/streams/{stream_id}/room", events.handle, allow_head=False),
    ]
