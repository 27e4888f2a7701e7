"""Routes of the OpenAPI document that are served by other parts than the API."""

from controller.api.registry import DocumentedRoute
from controller.api.uploads import RECEIVE_UPLOAD
from controller.api.webrtc_documentation import WEBRTC_ROUTES
from controller.errors import (
    InternalError,
    InvalidRequest,
    MalformedJson,
    NotAuthenticated,
    NotInAudience,
    PayloadTooLarge,
    StoreUnavailable,
    StreamNotFound,
    StreamNotLive,
    TooManyFailures,
)
from controller.hooks.documentation import VALIDATE_KEY
from controller.hub.endpoint.players import SESSION_MAX
from controller.hub.endpoint.sse import LAST_EVENT_ID_MAX
from controller.hub.errors import Banned, RealtimeUnavailable

# One event of the stream, as EventSource hands it out.
_EVENT = {
    "type": "object",
    "required": ["event", "data"],
    "properties": {
        "event": {"type": "string", "description": "Such as `chat:message`"},
        "data": {
            "type": "string",
            "contentMediaType": "application/json",
            "description": "The event's payload, as on the WebSocket",
        },
        "id": {"type": "string", "description": "What `Last-Event-ID` says after a reconnect"},
        "retry": {"type": "integer", "description": "Milliseconds until a reconnect"},
    },
}

ROOM_EVENTS = DocumentedRoute(
    method="GET",
    path="/streams/{stream_id}/room",
    operation={
        "operationId": "roomEvents",
        "tags": ["room"],
        "summary": "The room's events as server-sent events, for viewers who only read",
        "description": "The same events and payloads as on the WebSocket at `/api/v1/ws`. "
        "`Last-Event-ID` resumes after the last event that was received.",
        "security": [{}, {"bearer": []}],
        "parameters": [
            {
                "name": "stream_id",
                "in": "path",
                "required": True,
                "schema": {"type": "string", "format": "uuid"},
            },
            {
                "name": "Last-Event-ID",
                "in": "header",
                "required": False,
                "schema": {"type": "string", "maxLength": LAST_EVENT_ID_MAX},
            },
        ],
        "responses": {
            "200": {
                "description": "The events, for as long as the client listens",
                "content": {"text/event-stream": {"schema": _EVENT}},
            },
        },
    },
    refusals=(
        StreamNotFound,
        NotAuthenticated,
        NotInAudience,
        Banned,
        InvalidRequest,
        TooManyFailures,
        InternalError,
        StoreUnavailable,
        RealtimeUnavailable,
    ),
)

WATCHING = DocumentedRoute(
    method="POST",
    path="/streams/{stream_id}/watching",
    operation={
        "operationId": "watching",
        "tags": ["room"],
        "summary": "Say that somebody watches without a socket",
        "description": "Players are counted by the `session` in their playlists' addresses. Where "
        "a cache answers for the playlists, a page or an app sends this beacon every "
        "`repeatAfterSeconds`. The answered `session` may also be put into the address of the "
        "first playlist (`?session=`), so that player, beacons and the room's socket are one "
        "viewer. A guest without a session counts when it comes back with the answered one.",
        "security": [{}, {"bearer": []}],
        "parameters": [
            {
                "name": "stream_id",
                "in": "path",
                "required": True,
                "schema": {"type": "string", "format": "uuid"},
            }
        ],
        "requestBody": {
            "required": False,
            "content": {
                "application/json": {
                    "schema": {
                        "type": "object",
                        "properties": {
                            "session": {
                                "type": "string",
                                "maxLength": SESSION_MAX,
                                "description": "The session as answered before, or the guest's "
                                "`session` of `stream:joined`",
                            },
                            "leaving": {
                                "type": "boolean",
                                "default": False,
                                "description": "The viewer goes: count it no more",
                            },
                        },
                    }
                }
            },
        },
        "responses": {
            "200": {
                "description": "Counted, or given a session to be counted with",
                "content": {
                    "application/json": {
                        "schema": {
                            "type": "object",
                            "required": ["success", "data"],
                            "properties": {
                                "success": {"type": "boolean"},
                                "data": {
                                    "type": "object",
                                    "required": ["session", "repeatAfterSeconds"],
                                    "properties": {
                                        "session": {"type": "string"},
                                        "repeatAfterSeconds": {"type": "integer"},
                                    },
                                },
                            },
                        }
                    }
                },
            },
        },
    },
    refusals=(
        StreamNotLive,
        MalformedJson,
        NotAuthenticated,
        NotInAudience,
        Banned,
        StreamNotFound,
        PayloadTooLarge,
        InvalidRequest,
        TooManyFailures,
        InternalError,
        StoreUnavailable,
        RealtimeUnavailable,
    ),
)

DOCUMENTED_ROUTES = (VALIDATE_KEY, ROOM_EVENTS, RECEIVE_UPLOAD, WATCHING, *WEBRTC_ROUTES)
